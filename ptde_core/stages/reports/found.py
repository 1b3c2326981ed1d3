"""The runs of a report as read from their folders: which count, which are left out and why, which share a row."""

import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ptde_core.base.errors import PtdeError
from ptde_core.stages.settings import DistillSettings, read_run_settings
from ptde_core.storage.evaluation_file import EvaluationEntry, read_evaluation
from ptde_core.storage.run_folder import RunFolder
from ptde_core.storage.status import read_state, read_status

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)

# Settings that may differ among the training seeds of one row: the seed itself, the map (a row has one, by its name,
# wherever its file lies), how often the state to resume from is saved, and which checkpoints are kept.
MAY_DIFFER = frozenset({"seed", "map", "checkpoint_seconds", "keep", "distill.seed"})


@dataclass(frozen=True)
class LeftOut:
    """A run that is not counted, its state, and why."""

    run: str
    state: str
    why: str


@dataclass(frozen=True)
class Found:
    """An evaluated policy and the run it comes from."""

    run: RunFolder
    settings: Mapping[str, Any]
    time: str  # when the run reached its state; ISO 8601
    status: Mapping[str, Any]  # empty of checkpoints without their training
    entry: EvaluationEntry

    @property
    def made(self) -> Mapping[str, Any]:
        """Settings of the training and, of a student, of its distillation ("distill.steps")."""
        # A setting that a student does not have is younger than it: it was made with what is the default.
        own = {**DistillSettings().model_dump(), **self.entry.distilled.settings} if self.entry.distilled else {}
        return {**self.settings, **{f"distill.{key}": value for key, value in own.items()}}


def read_run(run: RunFolder) -> list[Found] | LeftOut:
    """The run's evaluated policies, or why it is not counted."""
    name = str(run.path)
    alone = not run.status.exists()
    if alone and run.provenance.exists():
        return LeftOut(name, "half-written", "its training was killed as it began")
    state: str = "checkpoints alone"
    try:
        status: dict[str, Any] = {}
        if not alone:
            state = read_state(run)
            status = read_status(run)
            if state != "finished":
                return LeftOut(name, state, status["reason"] or "not finished")
        held = read_evaluation(run.evaluation).entries if run.evaluation.exists() else None
        entries = [entry for entry in held or () if entry.episodes.seed]
        if not entries:
            lacks = "not evaluated" if held is None else "its evaluation holds no episode"
            last = next(iter([*run.all_students, run.teacher]))  # evaluating a student brings its teacher along
            return LeftOut(name, state, f"{lacks}: `ptde evaluate {last}`")
        if alone:
            settings, when = _settings_of_checkpoint(run, entries[0]), _time_of(run.evaluation)
        else:
            settings, when = read_run_settings(run), status["time"]
    except PtdeError as error:
        return LeftOut(name, "unreadable", str(error))
    return [Found(run, settings, when, status, entry) for entry in entries]


def _settings_of_checkpoint(run: RunFolder, entry: EvaluationEntry) -> Mapping[str, Any]:
    """The settings of the training that a checkpoint without its run folder comes from."""
    from ptde_core.storage.checkpoint import load_checkpoint  # torch: only where there is no config.json

    settings: Mapping[str, Any] = load_checkpoint(run.path / entry.checkpoint, "teacher", "student")["settings"]
    return settings


def _time_of(path: Path) -> str:
    """When a file was written, as in status.json."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(path.stat().st_mtime))


def without_repeats(runs: list[list[Found]]) -> tuple[list[list[Found]], list[LeftOut]]:
    """Keep the newest of runs that are the same experiment with the same seed: a repeat is no further seed."""

    def experiment(run: list[Found]) -> tuple[object, ...]:
        entry = run[0].entry
        return (entry.backend, entry.backend_version, entry.map, entry.train_seed, _comparable(run[0].settings))

    kept, repeats = [], []
    for (_, _, _, train_seed, _), same in grouped(runs, experiment):
        newest = max(same, key=lambda run: (bool(run[0].status), run[0].time))  # a run before copies of its files
        kept.append(newest)
        for run in same:
            if run is newest:
                continue
            name, of = str(run[0].run.path), newest[0].run.path
            if run[0].status or run[0].entry.teacher_id != newest[0].entry.teacher_id:
                repeats.append(LeftOut(name, "finished", f"repeats seed {train_seed} of {of}, which is newer"))
            elif others := _others(run, newest):  # students of the same teacher that lie elsewhere
                kept.append(others)
            else:
                repeats.append(LeftOut(name, "checkpoints alone", f"holds what {of} holds"))
    return kept, repeats


def _others(run: list[Found], than: list[Found]) -> list[Found]:
    """The policies of one folder that are not in another."""
    held = {(one.entry.policy_id, one.entry.z) for one in than}
    return [one for one in run if (one.entry.policy_id, one.entry.z) not in held]


def _comparable(settings: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((key, str(settings[key])) for key in sorted(settings) if key not in MAY_DIFFER)


def rows_of(found: list[Found]) -> list[tuple[str, list[Found]]]:
    """Split into rows of equal map, name, z, sight, checkpoint and settings (of distillation too).

    Each comes with what tells it from its namesakes.
    """
    rows = []
    for _, namesakes in grouped(found, lambda one: (one.entry.map, one.entry.name, one.entry.z, one.entry.sight)):
        checkpoints = {one.entry.checkpoint for one in namesakes}
        changed = differing([one.made for one in namesakes])

        def variant(one: Found, several: bool = len(checkpoints) > 1, keys: list[str] = changed) -> str:
            parts = [one.entry.checkpoint] if several else []
            if one.entry.messages is not None and one.entry.messages.threshold > 0:
                parts.append(f"message_threshold={one.entry.messages.threshold:g}")
            return ", ".join([*parts, *(f"{key}={one.made.get(key, 'not set')}" for key in keys)])

        rows.extend(grouped(namesakes, variant))
    return rows


def differing(settings: Sequence[Mapping[str, Any]], may_differ: frozenset[str] = MAY_DIFFER) -> list[str]:
    """Keys in which the settings are not all equal, leaving out those that may differ."""
    keys = sorted({key for one in settings for key in one} - may_differ)
    return [key for key in keys if len({str(one.get(key)) for one in settings}) > 1]


def grouped(items: Iterable[T], key: Callable[[T], K]) -> list[tuple[K, list[T]]]:
    """Items of equal key together, in the order in which the keys first appear."""
    groups: dict[K, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return list(groups.items())
