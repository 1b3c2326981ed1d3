"""Settings that are searched: optuna's samplers choose the values, each trial is cells like any other.

What was tried and what came of it is kept beside the runs, so that a search that was killed goes on.
"""

import math
import warnings
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ptde_core.base.errors import PtdeError, quoted
from ptde_core.base.made_from import digest_of
from ptde_core.base.untrusted import JSON_BYTES, parse_json, read_bytes
from ptde_core.experiments.sweeps.cells import Cell, state_of
from ptde_core.experiments.sweeps.sweep_file import SampleSettings, SweepFile, cells_of, flat
from ptde_core.results.performance import measure_of, performance_of
from ptde_core.results.table import NOTHING, Row, Table
from ptde_core.storage.evaluation_file import EvaluationEntry, read_evaluation
from ptde_core.storage.run_folder import student_of
from ptde_core.storage.whole_file import refuse_linked_file

ENDING = ".trials.log"  # of optuna's journal, beside the runs
SEARCHED = "searched"  # the study's attribute: digest of what its scores depend on
MOST_VALUES = 10**9  # from the lower end of a range to the upper one
DIGITS = 6  # of a sampled number: those that a folder's name tells


class Search:
    """The trials of one sweep.

    Args:
        file: the sweep; its `sample` says what is searched.
        name: of the sweep.

    Raises:
        PtdeError: optuna is not installed, or there is nothing to sample from.
    """

    def __init__(self, file: SweepFile, name: str) -> None:
        assert file.sample is not None, "nothing is searched"
        self._optuna = _optuna()
        self._file, self._sample = file, file.sample
        self._space = space_of(file.sample)
        cells_at_the_ends(file)  # a wrong key or value is told before anything is asked
        self._study = _study(self._optuna, name, file.out / f"{name}{ENDING}", digest_of(_searched(file)))
        self._open: dict[int, list[Cell]] = {}  # trial -> its cells that have not ended

    @property
    def cells(self) -> list[Cell]:
        """Those of all trials that there are by now."""
        return [cell for trial in self._study.get_trials(deepcopy=False) for cell in self._cells(trial.params)]

    def begin(self, at_once: int) -> list[Cell]:
        """The cells to begin with: those of trials that were interrupted, and new ones until all places are taken."""
        running = self._optuna.trial.TrialState.RUNNING
        cells: list[Cell] = []
        for trial in self._study.get_trials(deepcopy=False, states=(running,)):
            cells += self._opened(trial.number, trial.params)
        left = sum(state_of(cell).state != "done" for cell in cells)
        while left < at_once and (more := self._ask()):
            cells += more
            left += len(more)
        return cells

    def following(self, cell: Cell) -> Iterable[Cell]:
        """What comes after a cell has ended: the cells of a new trial, where this was the last of an old one."""
        more: list[Cell] = []
        for number in [number for number, cells in self._open.items() if cell in cells]:
            self._open[number].remove(cell)
            if not self._open[number]:
                del self._open[number]
                self._tell(number)
                more += self._ask()
        return more

    def table(self) -> Table:
        """All trials, the best first."""
        trials = self._study.get_trials(deepcopy=False)
        trials.sort(key=lambda trial: -np.inf if trial.value is None else trial.value, reverse=True)
        rows: list[Row] = [
            (
                str(trial.number),
                trial.state.name.lower(),
                *(_text(trial.params.get(key)) for key in self._space),
                NOTHING if trial.value is None else f"{trial.value:.4g}",
            )
            for trial in trials
        ]
        columns = ("Trial", "State", *self._space, "Score")
        note = (
            f"Score: of the {self._sample.of} on the evaluation's episodes, the mean over the trial's cells: its win "
            "rate, or where nothing can be won, its return. The best of many trials is too good: measure it on other "
            "seeds."
        )
        return Table("Trials", columns, (tuple(rows),), text_columns=2, notes=(note,))

    def _ask(self) -> list[Cell]:
        """The cells of a new trial; none where all have been asked."""
        asked = len(self._study.get_trials(deepcopy=False))
        if asked >= self._sample.trials:
            return []
        self._study.sampler = _sampler(self._optuna, self._sample, asked)
        trial = self._study.ask(self._space)
        return self._opened(trial.number, trial.params)

    def _opened(self, number: int, params: dict[str, Any]) -> list[Cell]:
        self._open[number] = self._cells(params)
        return list(self._open[number])

    def _cells(self, params: dict[str, Any]) -> list[Cell]:
        return cells_of(self._file, {key: _rounded(value) for key, value in params.items()})

    def _tell(self, number: int) -> None:
        trial = self._study.get_trials(deepcopy=False)[number]
        cells = self._cells(trial.params)
        if all(state_of(cell).state == "done" for cell in cells):
            outcome = {"values": float(np.mean([score_of(cell, self._sample) for cell in cells]))}
        else:
            outcome = {"state": self._optuna.trial.TrialState.FAIL}
        self._study.tell(number, **outcome, skip_if_finished=True)  # another process may have told it


def cells_tried(file: SweepFile, name: str) -> list[Cell]:
    """The cells of all trials of the search of that name; none before it has begun."""
    return Search(file, name).cells if (file.out / f"{name}{ENDING}").exists() else []


def score_of(cell: Cell, sample: SampleSettings) -> float:
    """What a search makes as large as possible: the win rate of a cell's policy, or where it has none, the return.

    Raises:
        PtdeError: the cell has no such policy.
    """
    entries = read_evaluation(cell.run.evaluation).entries
    found = [entry for entry in entries if _is_meant(entry, sample, cell)]
    if not found:
        raise PtdeError(f"{cell.run.path} has no {sample.of} that was evaluated", "give [sample] of = 'teacher'")
    assert len(found) == 1, "one policy, evaluated in one way"
    return performance_of(found, measure_of(found)).value


def _is_meant(entry: EvaluationEntry, sample: SampleSettings, cell: Cell) -> bool:
    """Whether an entry is of the policy that a search looks at, evaluated as its cell's settings say."""
    made, wanted, run = entry.made_from.settings, cell.pipeline.evaluating, cell.run
    if any(made[key] != getattr(wanted, key) for key in ("seed", "episodes", "message_threshold", "device")):
        return False
    place = run.teacher
    if sample.of == "student":  # trained with its teacher, or distilled
        place = run.student if entry.distilled is None else student_of(run.teacher, cell.pipeline.distilling[0].recipe)
    return entry.policy == sample.of and entry.z != "mean" and run.path / entry.checkpoint == place


def space_of(sample: SampleSettings) -> dict[str, Any]:
    """Optuna's distributions, by setting.

    Raises:
        PtdeError: a setting with neither values nor bounds that make sense.
    """
    distributions, space = _optuna().distributions, {}
    for key, given in flat(sample.settings).items():
        try:
            if isinstance(given, list):
                space[key] = distributions.CategoricalDistribution(given)
            else:
                numbers = [given[name] for name in ("low", "high", "step") if name in given]
                _check_numbers(**given)
                whole = all(isinstance(number, int) for number in numbers)
                kind = distributions.IntDistribution if whole else distributions.FloatDistribution
                space[key] = kind(**given)
        except (TypeError, ValueError, KeyError) as error:
            how = f"{key} = [value, value], or {key} = {{ low = 1e-4, high = 1e-2, log = true }}"
            raise PtdeError(f"{key} = {given!r} cannot be sampled ({error})", f"write {how}") from None
    return space


def _check_numbers(*, low: float, high: float, step: float | None = None, **_: object) -> None:
    """Refuse a range that optuna does not notice: of numbers that are none, or of too many steps.

    Raises:
        ValueError: why.
    """
    numbers = [low, high] if step is None else [low, high, step]
    if not all(math.isfinite(number) and abs(number) < 2**63 for number in numbers):
        raise ValueError("low, high and step must be finite, and below 2**63")
    if step is not None and step > 0 and (high - low) / step > MOST_VALUES:
        raise ValueError(f"there are more than {MOST_VALUES:,} steps from low to high")


def lowest(sample: SampleSettings) -> dict[str, Any]:
    """One point of the space: the first of each list, the lower end of each range."""
    return {key: values[0] for key, values in _ends(sample).items()}


def cells_at_the_ends(file: SweepFile) -> list[Cell]:
    """The cells where one setting has any value of its list, or the upper end of its range, and the others the lowest.

    So what cannot be is told before days of training.

    Raises:
        PtdeError: a space that makes no sense, a setting or value that cannot be, or a student's win rate is searched
            where none is made; optuna is not installed.
    """
    sample = file.sample
    assert sample is not None, "nothing is searched"
    space_of(sample)
    point = lowest(sample)
    cells = [
        cell for key, values in _ends(sample).items() for one in values for cell in cells_of(file, {**point, key: one})
    ]
    for cell in cells:
        if sample.of == "student" and not cell.has_student:
            raise PtdeError(f"[sample] of = 'student', and {cell.algorithm} has none", "give of = 'teacher'")
    return cells


def _ends(sample: SampleSettings) -> dict[str, list[Any]]:
    """Of each setting that is searched the values of its list, or the two ends of its range."""
    return {
        key: given if isinstance(given, list) else [given["low"], given["high"]]
        for key, given in flat(sample.settings).items()
    }


def _searched(file: SweepFile) -> dict[str, Any]:
    """What a score depends on; trials of equal ones can be compared."""
    assert file.sample is not None, "nothing is searched"
    return {
        "cells": file.model_dump(mode="json", include={"settings", "grid", "budget"}),
        "sample": file.sample.model_dump(mode="json", include={"of", "settings"}),
    }


def _check_log(path: Path) -> None:
    """Refuse a broken log before optuna, which overlooks a broken line at its end, puts lines behind it."""
    data = read_bytes(path, "log of trials", JSON_BYTES)
    for number, line in enumerate(data.splitlines(keepends=True), 1):
        try:
            held = parse_json(line, finite=False)
        except ValueError:
            held = None
        if not isinstance(held, dict) or "op_code" not in held or not line.endswith(b"\n"):
            problem = f"{path} is not a readable log of trials: line {number} is broken"
            raise PtdeError(
                problem, "delete it if it is the last line, else move the file away; cells that are done stay"
            )


def _study(optuna: Any, name: str, path: Path, searched: str) -> Any:
    """The study that the file holds, or will hold.

    Raises:
        PtdeError: it is broken, or holds the trials of another search.
        StorageError: it is a link, a folder, a device or a pipe.
    """
    refuse_linked_file(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        _check_log(path)
    try:
        storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path)))
        study = optuna.create_study(study_name=name, storage=storage, direction="maximize", load_if_exists=True)
    except (ValueError, KeyError, TypeError) as error:
        raise PtdeError(
            f"{path} is not a readable log of trials ({quoted(error)})", "move it away; cells that are done stay"
        ) from None
    if not study.get_trials(deepcopy=False):
        study.set_user_attr(SEARCHED, searched)
    elif study.user_attrs.get(SEARCHED) != searched:
        problem = f"{path} holds the trials of another search: what is searched, or its cells, were others then"
        raise PtdeError(problem, "undo that, give the sweep's file another name, or move the log away")
    return study


def _sampler(optuna: Any, sample: SampleSettings, asked: int) -> Any:
    """The sampler for the next trial; seeded by how many there were, so that a killed search samples no value twice."""
    match sample.sampler:
        case "tpe":
            return optuna.samplers.TPESampler(seed=sample.seed + asked)
        case "random":
            return optuna.samplers.RandomSampler(seed=sample.seed + asked)
        case "qmc":  # counts by itself, through the study
            return optuna.samplers.QMCSampler(seed=sample.seed, scramble=True)


def _optuna() -> Any:
    if find_spec("optuna") is None:
        raise PtdeError("[sample] needs optuna, which is not installed", "type: pip install 'ptde[tune]'")
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    return optuna


def _rounded(value: Any) -> Any:
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def _text(value: Any) -> str:
    if value is None:
        return NOTHING
    return f"{value:.{DIGITS}g}" if isinstance(value, float) else str(value)
