"""One cell of a sweep: its settings, its folder, which is named after them, and its state, as read from that folder.

No torch here: the command line reads this file.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ptde_core.algorithms.catalogue import OPTION, algorithm_named
from ptde_core.algorithms.table_names import teacher_name
from ptde_core.base.errors import PtdeError
from ptde_core.base.made_from import digest_of
from ptde_core.base.setting_fields import MOST_SEED, build_settings
from ptde_core.base.trusted_code import trust_code
from ptde_core.experiments.sweeps.staleness import stale
from ptde_core.nets.network_settings import INFORMATION
from ptde_core.runs.pipeline_settings import Pipeline
from ptde_core.runs.stage_settings import (
    RUNS,
    CollectSettings,
    DistillSettings,
    EvaluateSettings,
    default_folder,
)
from ptde_core.storage.cell_file import read_cell
from ptde_core.storage.curve_file import metrics_of
from ptde_core.storage.run_folder import RunFolder, find_runs, student_of

State = Literal["pending", "running", "done", "failed", "stale"]
LONGEST_NAME = 80  # of a folder; a longer one gives way to a digest


@dataclass(frozen=True)
class Cell:
    """A whole pipeline and the folder that is its own."""

    pipeline: Pipeline
    run: RunFolder
    variant: str  # what its name says beside algorithm, map and seed; "" where nothing has to be said

    @classmethod
    def of(cls, pipeline: Pipeline, out: Path, variant: str) -> "Cell":
        """The cell with its folder: that of `ptde run`, below `out`, the variant behind the algorithm's name."""
        usual = default_folder(pipeline.training).path.relative_to(RUNS)
        name = f"{usual.parent.name}-{variant}" if variant else usual.parent.name
        return cls(pipeline, RunFolder(out / usual.parent.parent / name / usual.name), variant)

    @property
    def name(self) -> str:
        """Such as "3m QMIX_SGI seed 1"."""
        training = self.pipeline.training
        variant = f" {self.variant}" if self.variant else ""
        return f"{Path(training.map).stem} {self.algorithm}{variant} seed {training.seed}"

    @property
    def algorithm(self) -> str:
        """Its teacher's name in tables, such as "QMIX_SGI"."""
        return teacher_name(self.pipeline.training.alg, self.pipeline.training.global_info)

    @property
    def makes_students(self) -> bool:
        """Whether anything is distilled in it."""
        return INFORMATION[self.pipeline.training.global_info].distillable

    @property
    def has_student(self) -> bool:
        """Whether a student comes out of it, distilled or trained with its teacher."""
        return self.makes_students or algorithm_named(self.pipeline.training.alg).online_student is not None

    @property
    def digest(self) -> str:
        """Of all that its stages are told; equal digests ask for equal results."""
        return digest_of(_plain(self.pipeline))

    def to_json(self) -> str:
        """The cell as one line, for the process that works on it."""
        return json.dumps({"run": str(self.run.path), "variant": self.variant, **_plain(self.pipeline)})

    @classmethod
    def from_json(cls, text: str) -> "Cell":
        """The cell that `to_json` wrote."""
        held = json.loads(text)
        trust_code(OPTION, held["training"]["alg"])  # the process that hands the cell over has checked it
        pipeline = Pipeline(
            training=build_settings(algorithm_named(held["training"]["alg"]).settings, held["training"]),
            collecting=build_settings(CollectSettings, held["collecting"]),
            distilling=tuple(build_settings(DistillSettings, one) for one in held["distilling"]),
            evaluating=build_settings(EvaluateSettings, held["evaluating"]),
        )
        return cls(pipeline, RunFolder(Path(held["run"])), held["variant"])


@dataclass(frozen=True)
class CellState:
    """What a cell's folder says.

    Args:
        state: pending (also one that was interrupted: it goes on), running, done, failed, or stale (what is there was
            made with other settings, or does not belong together any more).
        env_steps: of its training that have been logged.
        doing: what comes next or is under way: "training", "students", "evaluation"; "" where all is done.
        metrics: the newest line of its training.
        reason: why it failed or is stale.
    """

    state: State
    env_steps: int
    doing: str
    metrics: dict[str, float]
    reason: str = ""


def state_of(cell: Cell) -> CellState:
    """Read a cell's state from its folder."""
    run = cell.run
    try:
        record = read_cell(run.cell)
        rows = metrics_of(run)
    except PtdeError as error:
        return CellState("failed", 0, "training", {}, str(error))
    newest = rows[-1] if rows else {}
    steps = min(int(newest.get("env_steps", 0)), cell.pipeline.training.steps)
    doing = _doing(cell)
    if record is None or record.state == "interrupted":
        return CellState("pending", steps, doing, newest)
    if record.state == "running":
        return CellState("running", steps, doing, newest)
    same = record.settings == cell.digest
    if record.state == "failed":
        return CellState("failed" if same else "pending", steps, doing, newest, record.reason if same else "")
    why = stale(run) if same else "its settings are others by now"
    return CellState("stale" if why else "done", steps, "" if not why else doing, newest, why)


def seeds_below(folder: Path) -> tuple[int, ...]:
    """The training seeds of the cells in a folder, sorted, without numbers that are no seed; 1 where there is no cell.

    Raises:
        PtdeError: no such folder.
    """
    found = (re.fullmatch(r"seed(\d+)", run.path.name, re.ASCII) for run in find_runs([folder]))
    return tuple(sorted({int(seed[1]) for seed in found if seed and int(seed[1]) <= MOST_SEED})) or (1,)


def _doing(cell: Cell) -> str:
    """The stage that the files in the folder have come to."""
    run = cell.run
    if not run.teacher.exists():
        return "training"
    students = [student_of(run.teacher, one.recipe) for one in cell.pipeline.distilling] if cell.makes_students else []
    return "evaluation" if all(path.exists() for path in students) else "students"


def name_of_variant(pipeline: Pipeline, usual: Pipeline, keys: Sequence[str]) -> str:
    """What a cell's folder is called beside its algorithm: those of its own values that are not the usual ones.

    Args:
        pipeline: the cell's settings.
        usual: those of the same algorithm and map if nobody says anything.
        keys: of the values that are its own, `distill.steps` for that of a later stage.
    """
    told = {key: _value(pipeline, key) for key in keys if _value(pipeline, key) != _value(usual, key)}
    name = ",".join(f"{key}={re.sub(r'[^a-zA-Z0-9_.+-]', '_', _text(value))}" for key, value in sorted(told.items()))
    if len(name) <= LONGEST_NAME:
        return name
    return digest_of(told)


def _value(pipeline: Pipeline, key: str) -> Any:
    stage, dot, name = key.partition(".")
    if not dot:
        return getattr(pipeline.training, key, None)  # an algorithm may lack what another has
    of_stage = {"collect": pipeline.collecting, "evaluate": pipeline.evaluating, "distill": pipeline.distilling[0]}
    return getattr(of_stage[stage], name)


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _plain(pipeline: Pipeline) -> dict[str, Any]:
    return {
        "training": pipeline.training.model_dump(mode="json"),
        "collecting": pipeline.collecting.model_dump(mode="json"),
        "distilling": [one.model_dump(mode="json") for one in pipeline.distilling],
        "evaluating": pipeline.evaluating.model_dump(mode="json"),
    }
