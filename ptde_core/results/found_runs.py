"""Reading the runs of a report: which are counted, which are left out and why, and which share a row."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from ptde_core.base.errors import PtdeError
from ptde_core.base.made_from import MadeFrom
from ptde_core.results.chosen_evaluation import Wanted, chosen
from ptde_core.runs.identity import why_other_world, why_stale
from ptde_core.runs.one_training import MEND, why_not_one
from ptde_core.runs.stage_settings import CollectSettings, DistillSettings, read_run_config
from ptde_core.storage.evaluation_file import EvaluationEntry, read_evaluation
from ptde_core.storage.run_folder import RunFolder, checkpoints_of
from ptde_core.storage.status import moment, read_state, read_status

STALE = "stale"  # the state of a result whose origin has changed

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)

# Settings that may differ among the training seeds of one row: the seed itself, the map (a row has one, by its name,
# wherever its file lies), how often the state to resume from is saved, which checkpoints are kept, and of collecting
# its seed and its device.
MAY_DIFFER = frozenset({"seed", "map", "checkpoint_seconds", "keep", "distill.seed"}) | {
    f"collect.{key}" for key in ("seed", "device")
}


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
    time: datetime  # when the run reached its state
    status: Mapping[str, Any]  # empty for checkpoints without their run folder
    entry: EvaluationEntry
    evaluated: tuple[EvaluationEntry, ...]  # all evaluations of this run that are not stale; the entry is one

    @property
    def made(self) -> Mapping[str, Any]:
        """Settings of the training and, of a student, of collecting and of its distillation ("distill.steps")."""
        if self.entry.distilled is None:
            return self.settings
        # A student of an older version lacks newer settings: it was made with their defaults.
        defaults = {"collect": CollectSettings(), "distill": DistillSettings()}
        usual = {f"{stage}.{key}": value for stage, s in defaults.items() for key, value in s.model_dump().items()}
        return {**self.settings, **usual, **self.entry.distilled.made_with}


def read_run(run: RunFolder, wanted: Wanted) -> tuple[list[Found], list[LeftOut]]:
    """The run's evaluated policies, each with one evaluation, and what of it is left out and why."""
    try:
        read = _read(run)
        if isinstance(read, LeftOut):
            return [], [read]
        found, state, made_from = read
        entries = [one.entry for one in found]
        told = why_stale(run, entries, made_from)
    except PtdeError as error:
        return [], [LeftOut(str(run.path), "unreadable", str(error))]
    current = [entry for entry, why in zip(entries, told, strict=True) if not why]
    left_out = [LeftOut(str(run.path), STALE, f"{why}; make it anew") for why in dict.fromkeys(filter(None, told))]
    counted = chosen(current, wanted)
    for path in dict.fromkeys(one.checkpoint for one in current if one not in counted):
        if path not in {one.checkpoint for one in counted}:
            why = f"{path} was not evaluated so: `ptde evaluate {run.path / path} {wanted}`"
            left_out.append(LeftOut(str(run.path), state, why))
    holds = [replace(one, evaluated=tuple(current)) for one in found]
    return [one for one in holds if one.entry in counted], left_out


def _read(run: RunFolder) -> tuple[list[Found], str, MadeFrom | None] | LeftOut:
    """All evaluations of a run with its state and what its training was made from, or why it is not counted."""
    name = str(run.path)
    alone = not run.status.exists()
    if alone and run.provenance.exists():
        return LeftOut(name, "half-written", "its training was killed as it began")
    state: str = "checkpoints alone"
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
        students = run.all_students  # of one its teacher is evaluated too, of a run folder all of them
        lacking = run.path if len(students) > 1 else next(iter(students), checkpoints_of(run.path)[0])
        return LeftOut(name, state, f"{lacks}: `ptde evaluate {lacking}`")
    if alone:
        of_each = {path: _settings_of_checkpoint(run, path) for path in {entry.checkpoint for entry in entries}}
        when = datetime.fromtimestamp(run.evaluation.stat().st_mtime, UTC)
        return [Found(run, of_each[entry.checkpoint], when, status, entry, ()) for entry in entries], state, None
    config = read_run_config(run)
    settings, made_from, when = config.settings, config.made_from, moment(status["time"], run.status)
    other_world = why_other_world(made_from.world, str(settings["map"]))
    other_files = why_not_one(run, made_from)
    if other_world or other_files:
        why = f"it was {other_world}; train anew" if other_world else f"{other_files}; {MEND}"
        return LeftOut(name, STALE, why)
    return [Found(run, settings, when, status, entry, ()) for entry in entries], state, made_from


def _settings_of_checkpoint(run: RunFolder, checkpoint: str) -> Mapping[str, Any]:
    """The settings of the training that a checkpoint without its run folder comes from."""
    from ptde_core.storage.checkpoint import load_checkpoint  # torch: only where there is no config.json

    path = run.path / checkpoint
    settings: Mapping[str, Any] = load_checkpoint(path, "teacher", "student")["settings"] if path.is_file() else {}
    return settings


def without_repeats(runs: list[list[Found]]) -> tuple[list[list[Found]], list[LeftOut]]:
    """Of several runs with equal settings and seed, keep the newest: a repeat does not count as another seed.

    Of the others, students that were made otherwise are kept too, and what only they have evaluated of that training's
    teacher.
    """

    def trained(one: Found) -> tuple[object, ...]:
        entry = one.entry
        world = entry.backend, entry.backend_version, entry.map, entry.map_digest
        return (*world, entry.train_seed, _comparable(one.settings))

    # A folder of checkpoints without their runs can hold several trainings'.
    trainings = [training for run in runs for _, training in grouped(run, trained)]
    kept, repeats = [], []
    for _, same in grouped(trainings, lambda training: trained(training[0])):
        # A run is preferred to copies of its files.
        newest, *older = sorted(same, key=lambda run: (bool(run[0].status), run[0].time), reverse=True)
        kept.append(newest)
        made = {_making(one): one.entry.policy_id for one in newest}
        teachers = {one.entry.teacher_id for one in newest}
        for run in older:
            others = [
                one
                for one in run
                if _making(one) not in made and (one.entry.policy == "student" or one.entry.teacher_id in teachers)
            ]
            kept += [others] if others else []
            copied = all(one.entry.policy_id in made.values() for one in run if one not in others)
            if not (others and copied):
                repeats.append(_repeat(run, newest, copy=copied and not run[0].status))
            made |= {_making(one): one.entry.policy_id for one in others}
    return kept, repeats


def _making(one: Found) -> Hashable:
    """Equal for policies of one training that differ by chance alone, and for copies of one."""
    return one.entry.name, one.entry.z, one.entry.threshold, _comparable(one.made)


def _repeat(run: list[Found], newest: list[Found], *, copy: bool) -> LeftOut:
    name, of = str(run[0].run.path), newest[0].run.path
    if copy:
        return LeftOut(name, "checkpoints alone", f"holds what {of} holds")
    return LeftOut(name, "finished", f"repeats seed {run[0].entry.train_seed} of {of}, which is newer")


def _comparable(settings: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((key, str(settings[key])) for key in sorted(settings) if key not in MAY_DIFFER)


def rows_of(found: list[Found]) -> list[tuple[str, list[Found]]]:
    """Split into rows of equal map, name, z, sight, checkpoint, settings (of students too) and list of episodes.

    Each comes with the settings that tell it from others of that name.
    """
    rows = []
    of_name: dict[tuple[str, str], set[str]] = defaultdict(set)  # on all maps, for there are means over maps
    for one in found:
        of_name[one.entry.name, one.entry.z].add(_list_of(one.entry))
    for _, namesakes in grouped(found, lambda one: (one.entry.map, one.entry.name, one.entry.z, one.entry.sight)):
        checkpoints = {one.entry.checkpoint for one in namesakes}
        contents = {one.entry.map_digest for one in namesakes}
        changed = differing([one.made for one in namesakes])
        lists = of_name[namesakes[0].entry.name, namesakes[0].entry.z]

        def variant(
            one: Found,
            several: bool = len(checkpoints) > 1,
            worlds: bool = len(contents) > 1,
            unequal: bool = len(lists) > 1,
            keys: list[str] = changed,
        ) -> str:
            parts = [one.entry.checkpoint] if several else []
            parts += [f"map_digest={one.entry.map_digest[:8]}"] if worlds else []
            parts += [_list_of(one.entry)] if unequal else []
            if one.entry.messages is not None and one.entry.messages.threshold > 0:
                parts.append(f"message_threshold={one.entry.messages.threshold:g}")
            return ", ".join([*parts, *(f"{key}={one.made.get(key, 'not set')}" for key in keys)])

        rows.extend(grouped(namesakes, variant))
    return rows


def _list_of(entry: EvaluationEntry) -> str:
    """A text for the list of episodes of an evaluation; evaluations with different lists are never pooled."""
    return f"{len(entry.episodes.seed)} episodes of seed {entry.evaluation_seed}"


def differing(settings: Sequence[Mapping[str, Any]], may_differ: frozenset[str] = MAY_DIFFER) -> list[str]:
    """Keys in which the settings differ, without those that may differ."""
    keys = sorted({key for one in settings for key in one} - may_differ)
    return [key for key in keys if len({str(one.get(key)) for one in settings}) > 1]


def grouped(items: Iterable[T], key: Callable[[T], K]) -> list[tuple[K, list[T]]]:
    """Items of equal key together, in the order in which the keys first appear."""
    groups: dict[K, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return list(groups.items())
