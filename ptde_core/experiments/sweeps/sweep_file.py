"""A sweep's file: grids of settings, and what they stand for: cells, each a whole pipeline in a run folder of its own.

No torch here: the command line reads this file.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field

from ptde_core.algorithms.catalogue import ALGORITHMS
from ptde_core.algorithms.table_names import student_name, teacher_name
from ptde_core.base.errors import PtdeError, unknown
from ptde_core.base.setting_fields import Settings, Values, build_settings
from ptde_core.base.untrusted import read_toml
from ptde_core.experiments.sweeps.cells import Cell, name_of_variant
from ptde_core.runs.pipeline_settings import LATER_STAGES, Pipeline, pipeline_settings
from ptde_core.runs.stage_settings import RUNS
from ptde_core.storage.run_folder import read_json

MOST_CELLS = 5_000  # of all grids in all trials; planned in seconds, in a minute where all have other networks
RECIPES = "distill.recipe"
ALGORITHM = "algorithm"  # a grid's key for algorithm and information together, by their name in tables
# Keys that a cell's folder tells without its variant, or (recipes) whose results lie beside each other in one folder.
IN_THE_PATH = frozenset({"alg", "global_info", "env", "map", "seed", RECIPES})


class SampleSettings(Settings):
    """Settings that are searched instead of listed, by one of optuna's samplers (extra `tune`)."""

    trials: int = Field(
        20, ge=1, le=MOST_CELLS, description="points that are tried; each is a cell for every point of the grid"
    )
    sampler: Literal["tpe", "random", "qmc"] = Field("tpe", description="optuna's sampler")
    of: Literal["teacher", "student"] = Field(
        "teacher", description="whose win rate is made as large as possible; of several recipes the first one's"
    )
    seed: int = Field(0, ge=0, description="decides the sampler's choices")
    settings: dict[str, Any] = Field(
        default={}, description="key -> list of values, or {low = , high = , log = , step = }"
    )


class SweepFile(Settings):
    """The whole file."""

    out: Path = Field(RUNS, description="folder of the runs")
    budget: float = Field(
        1.0, gt=0, le=1, description="share of every cell's env steps and of its students' gradient steps that is done"
    )
    keep_state: bool = Field(False, description="keep what it takes to train on with more steps, once they finished")
    settings: dict[str, Any] = Field(default={}, description="settings of every cell, as in a --config of `ptde run`")
    grid: tuple[dict[str, Any], ...] = Field(
        default=({},), min_length=1, description="tables of key = [values]; each is a grid"
    )
    sample: SampleSettings | None = Field(None, description="settings that are searched instead of listed")


def read_sweep(path: Path) -> SweepFile:
    """Read and check a file: TOML, or JSON as a sweep leaves it beside its runs.

    Raises:
        PtdeError: it is missing, is neither, or has a key or value that cannot be.
    """
    missing, broken = "check the path", "see docs/how-to/sweeps.md for what it holds"
    values: Any = (
        read_json(path, "sweep's file") if path.suffix == ".json" else read_toml(path, "sweep's file", missing, broken)
    )
    if not isinstance(values, dict):
        raise PtdeError(f"{path} is not a sweep's file", broken)
    return sweep_file(values)


def sweep_file(values: Values) -> SweepFile:
    """The file that holds these values.

    Raises:
        PtdeError: a key or value that cannot be.
    """
    grid, sample = values.get("grid", [{}]), values.get("sample")
    checked: dict[str, Any] = {"grid": [grid] if isinstance(grid, dict) else grid}
    if isinstance(sample, dict):  # by itself: a mistake is told with the name of its own key
        checked["sample"] = build_settings(SampleSettings, sample)
    sweep = build_settings(SweepFile, values, checked)
    if sweep.sample is not None:
        _check_searched(sweep.grid, sweep.sample)
    _check_number(sweep)
    return sweep


def _check_number(sweep: SweepFile) -> None:
    """Count the cells of all grids, before any of them is made; of a search also those at the ends of its space."""
    cells = sum(math.prod(map(len, _axes(grid).values())) for grid in sweep.grid)
    if cells > MOST_CELLS:
        grids = f"{len(sweep.grid):,} grids have" if len(sweep.grid) > 1 else "grid has"
        raise PtdeError(f"the {grids} {cells:,} cells", f"leave at most {MOST_CELLS:,}, in sweeps of their own")
    if sweep.sample is None:
        return
    if (tried := sweep.sample.trials * cells) > MOST_CELLS:
        problem = f"{sweep.sample.trials:,} trials of {cells:,} cells are {tried:,} cells"
        raise PtdeError(problem, f"leave at most {MOST_CELLS:,}")
    values = sum(len(given) if isinstance(given, list) else 1 for given in flat(sweep.sample.settings).values())
    if (ends := values * cells) > MOST_CELLS:
        problem = f"{values:,} values in [sample.settings] for each of {cells:,} cells are {ends:,} cells to check"
        raise PtdeError(problem, f"leave at most {MOST_CELLS:,}")


def _check_searched(grids: Sequence[Values], sample: SampleSettings) -> None:
    """Refuse a search of nothing, or of a setting that the grids list."""
    if not sample.settings:
        raise PtdeError("[sample] has no settings to search", "add [sample.settings] with key = [values]")
    for key in flat(sample.settings):
        if any(key in flat(grid) for grid in grids):
            raise PtdeError(f"{key} is both in the grid and in [sample.settings]", "leave it out of one of them")


def cells_of(sweep: SweepFile, sampled: Values | None = None) -> list[Cell]:
    """All cells in the order in which they are worked on: seeds vary slowest, then the grids in their order.

    Args:
        sweep: the file.
        sampled: values of what is searched, of one trial.

    Raises:
        PtdeError: an unknown key, a value that cannot be, an empty list, or two cells that share a folder.
    """
    usual: dict[str, Pipeline] = {}
    cells = [_cell(sweep, point | dict(sampled or {}), usual) for grid in sweep.grid for point in _points(grid)]
    cells.sort(key=lambda cell: cell.pipeline.training.seed)  # stable: otherwise the order of the grids
    seen: dict[Path, Cell] = {}
    for cell in cells:
        if cell.run.path in seen:
            raise PtdeError(
                f"two cells of the grid would share {cell.run.path}", "leave out what is there twice, or name it apart"
            )
        seen[cell.run.path] = cell
    return cells


def teacher_named(name: str) -> dict[str, str]:
    """Algorithm and information of a teacher's name in tables: QMIX_UGI is {"alg": "qmix", "global_info": "unified"}.

    Raises:
        PtdeError: no teacher has that name; a student's is answered with its teacher's.
    """
    teachers, students = _teachers(), _students()
    if name in teachers:
        return teachers[name]
    if name in students:
        raise PtdeError(f"{name} is a student", f"name its teacher, {students[name]}: it is distilled from it")
    raise unknown("algorithm", name, teachers)


def _teachers() -> dict[str, dict[str, str]]:
    found = {}
    for alg, algorithm in ALGORITHMS.items():
        for info in get_args(algorithm.settings.model_fields["global_info"].annotation):
            with_student = algorithm.online_student is not None  # then one name stands for both
            name = algorithm.table_name if with_student else teacher_name(alg, info)
            found[name] = {"alg": alg, "global_info": str(info)}
    return found


def _students() -> dict[str, str]:
    infos = ("unified", "agent-specific")
    algs = [alg for alg, algorithm in ALGORITHMS.items() if algorithm.online_student is None]
    return {student_name(alg, info): teacher_name(alg, info) for alg in algs for info in infos}


def _points(grid: Values) -> list[dict[str, Any]]:
    """Every point of a grid: one value for each of its keys."""
    axes, fixed = _axes(grid), flat(grid)
    recipes = {RECIPES: fixed[RECIPES]} if RECIPES in fixed else {}
    return [dict(zip(axes, values, strict=True)) | recipes for values in product(*axes.values())]


def _axes(grid: Values) -> dict[str, list[Any]]:
    """The values of each key of a grid; not of the recipes, which are all of one cell.

    Raises:
        PtdeError: a key without values, or as `flat`.
    """
    axes = {key: values if isinstance(values, list) else [values] for key, values in flat(grid).items()}
    axes.pop(RECIPES, None)
    for key, values in axes.items():
        if not values:
            raise PtdeError(f"{key} = [] in the grid leaves no cell", "give it a value, or leave it out")
    return axes


def flat(values: Values) -> dict[str, Any]:
    """Tables of a later stage as dotted keys, and `recipe` as `distill.recipe`.

    Raises:
        PtdeError: another key with a table, or a later stage with something else.
    """
    found: dict[str, Any] = {}
    for key, value in values.items():
        if key in LATER_STAGES and isinstance(value, dict):
            found |= {f"{key}.{inner}": one for inner, one in value.items()}
        elif key in LATER_STAGES:
            raise PtdeError(f"{key} = {value!r} names a stage, not a setting", f"write {key}.seed = [1, 2]")
        elif isinstance(value, dict) and not {"low", "high"} <= set(value):
            raise PtdeError(f"{key} = {value!r} is no list of values", f"write {key} = [value, value]")
        else:
            found[RECIPES if key == "recipe" else key] = value
    return found


def _cell(sweep: SweepFile, point: Mapping[str, Any], usual: dict[str, Pipeline]) -> Cell:
    """The cell of a point; `usual` keeps the pipelines that nobody's values have changed, which many cells share."""
    common = _with_names(flat(sweep.settings))
    own = _with_names(point)
    pipeline = pipeline_settings([common, own])
    in_the_path = {key: value for key, value in (common | own).items() if key in IN_THE_PATH}
    if (which := repr(in_the_path)) not in usual:
        usual[which] = pipeline_settings([in_the_path])
    variant = name_of_variant(pipeline, usual[which], [key for key in own if key not in IN_THE_PATH])
    return Cell.of(_shortened(pipeline, sweep.budget), sweep.out, variant)


def _shortened(pipeline: Pipeline, budget: float) -> Pipeline:
    """The pipeline with that share of its steps, one at least."""

    def share(steps: int) -> dict[str, int]:
        return {"steps": max(1, round(budget * steps))}

    return replace(
        pipeline,
        training=pipeline.training.model_copy(update=share(pipeline.training.steps)),
        distilling=tuple(one.model_copy(update=share(one.steps)) for one in pipeline.distilling),
    )


def _with_names(values: Values) -> dict[str, Any]:
    """The values with `algorithm` replaced by what it stands for.

    Raises:
        PtdeError: no such algorithm, or its parts are there too.
    """
    if ALGORITHM not in values:
        return dict(values)
    stands_for = teacher_named(str(values[ALGORITHM]))
    if beside := sorted({"alg", "global_info"} & set(values)):
        raise PtdeError(f"algorithm and {' and '.join(beside)} are both there", f"algorithm says it all: {stands_for}")
    return {key: value for key, value in values.items() if key != ALGORITHM} | stands_for
