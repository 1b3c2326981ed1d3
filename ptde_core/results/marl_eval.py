"""The report as raw data for marl-eval (Gorsane et al. 2022).

Environment, task, algorithm, run and step are nested. marl-eval needs the same algorithms on every task, equally many
runs of each, and equally many steps of every run; where the report has not, `marl_eval_warnings` says so.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ptde_core.base.errors import PtdeError
from ptde_core.base.printable import printable
from ptde_core.results.gather import PRR_TEACHER_Z, Report, Section
from ptde_core.results.score import Score, SeedScore
from ptde_core.results.wording import backend_title, listed, named, row_label
from ptde_core.runs.one_training import log_of
from ptde_core.scores.seed_curves import SeedCurve
from ptde_core.storage.curve_file import points_of
from ptde_core.storage.evaluation_file import read_evaluation
from ptde_core.storage.run_folder import RunFolder

Key = tuple[str, str, str]  # map, algorithm, run
Curves = dict[str, SeedCurve]  # metric's name in marl-eval -> values of the tests


def marl_eval(report: Report) -> str:
    """JSON; an environment is a backend with its version, a run is named by its training seed.

    The evaluation is the only step, and the absolute metrics: a list has one value per episode.
    """

    def run(score: Score, seed: SeedScore) -> dict[str, Any]:
        final = _final(score, seed)
        return {"step_0": {"step_count": seed.env_steps, **final}, "absolute_metrics": final}

    return _text({_place(section): _tasks(section.scores, run) for section in report.sections})


def marl_eval_curves(report: Report) -> str:
    """JSON with the tests of the trainings as steps, and the evaluation as absolute metrics.

    Only policies that are tested while they train have steps: teachers with z sampled or without z, and students that
    are trained with their teacher. Every run has as many steps as the shortest one has tests, evenly spread up to the
    env steps that all runs on its map have reached; values there are interpolated linearly between tests.

    Raises:
        PtdeError: no policy of the report has tests.
    """
    value = {}
    for section in report.sections:
        curves = {
            _key(score, seed): found
            for score in section.scores
            for seed in score.seeds
            if (found := _curves(score, seed))
        }
        tested = [score for score in section.scores if all(_key(score, seed) in curves for seed in score.seeds)]
        if tested:
            value[_place(section)] = _tasks(tested, _Steps(tested, curves))
    if not value:
        raise PtdeError("no run has logged a test in training", "leave out --layout curves")
    return _text(value)


class _Steps:
    """Test results of each run, interpolated at a number of steps that is equal for all runs.

    Args:
        scores: those of a section that have tests.
        curves: of all their runs.
    """

    def __init__(self, scores: Sequence[Score], curves: Mapping[Key, Curves]) -> None:
        self._curves = curves
        lines = {score.map: list[SeedCurve]() for score in scores}
        for score in scores:
            lines[score.map] += [line for seed in score.seeds for line in curves[_key(score, seed)].values()]
        self._count = min(len(line.env_steps) for of_map in lines.values() for line in of_map)
        self._shared = {name: min(float(line.env_steps[-1]) for line in of_map) for name, of_map in lines.items()}

    def __call__(self, score: Score, seed: SeedScore) -> dict[str, Any]:
        grid = self._shared[score.map] * np.arange(1, self._count + 1) / self._count  # (steps,)
        found = self._curves[_key(score, seed)]
        read = {metric: np.interp(grid, curve.env_steps, curve.values) for metric, curve in found.items()}
        steps = {
            f"step_{k}": {"step_count": round(at), **{metric: [float(values[k])] for metric, values in read.items()}}
            for k, at in enumerate(grid.tolist())
        }
        return {**steps, "absolute_metrics": _final(score, seed)}


def marl_eval_warnings(report: Report) -> list[str]:
    """Warnings of what marl-eval refuses: unequal numbers of seeds, and algorithms that are not on all maps."""
    warnings = []
    for section in report.sections:
        place = backend_title(section.backend, section.version)
        seeds = {
            (score.map, _algorithm(score)): tuple(one.train_seed for one in score.seeds) for score in section.scores
        }
        if len({len(one) for one in seeds.values()}) > 1:
            counts = "; ".join(f"{name} on {map_name}: {listed(one)}" for (map_name, name), one in seeds.items())
            warnings.append(f"unequal numbers of training seeds on {place}, which marl-eval refuses ({counts})")
        by_map: dict[str, set[str]] = {}
        for map_name, name in seeds:
            by_map.setdefault(map_name, set()).add(name)
        if len({frozenset(names) for names in by_map.values()}) > 1:
            warnings.append(f"not the same algorithms on all maps of {place}, which marl-eval refuses")
    return warnings


def _tasks(scores: Sequence[Score], run: Callable[[Score, SeedScore], dict[str, Any]]) -> dict[str, dict[str, Any]]:
    tasks: dict[str, dict[str, Any]] = {}
    for score in scores:
        runs = {f"seed_{one.train_seed}": run(score, one) for one in score.seeds}
        tasks.setdefault(score.map, {})[_algorithm(score)] = runs
    return tasks


def _key(score: Score, seed: SeedScore) -> Key:
    return score.map, _algorithm(score), seed.run


def _place(section: Section) -> str:
    return f"{section.backend} {section.version}"


def _algorithm(score: Score) -> str:
    """A unique name for each row, without commas, which marl-eval refuses."""
    name = row_label(named(score.name, score.sight), score.variant)
    return (f"{name} (z mean)" if score.z == "mean" else name).replace(", ", " + ")


def _final(score: Score, seed: SeedScore) -> dict[str, list[float]]:
    """Every episode of the evaluation."""
    entries = read_evaluation(RunFolder(Path(seed.run)).evaluation).entries
    episodes = next(one.episodes for one in entries if (one.checkpoint, one.digest) == (seed.checkpoint, seed.digest))
    won = {"win_rate": [float(won) for won in episodes.won]} if score.measure == "win rate" else {}
    return {**won, "return": list(episodes.total_reward)}


def _curves(score: Score, seed: SeedScore) -> Curves:
    """The tests of this policy during training; empty where it was not tested."""
    at_its_end = seed.checkpoint in {"teacher.pt", "student.pt"}
    if score.policy == "teacher" and at_its_end and (score.z in PRR_TEACHER_Z or score.z == "exact"):
        begins = ""
    elif score.policy == "student" and at_its_end and seed.distilled is None:  # trained with its teacher
        begins = "student_"
    else:
        return {}
    rows = log_of(RunFolder(Path(seed.run)))
    metrics = {"win_rate": f"{begins}test_win_rate"} if score.measure == "win rate" else {}
    found = {}
    for name, metric in {**metrics, "return": f"{begins}test_return"}.items():
        points = np.array(points_of(rows, metric))
        if not len(points):
            return {}
        found[name] = SeedCurve(points[:, 0], points[:, 1])
    return found


def _text(value: Any) -> str:
    return printable(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False), lines=True) + "\n"
