"""Collect finished runs into one plain data structure: what was measured, how sure it is, and what was left out.

Nothing here formats a number; the other files of this folder do. Runs of different backends, or of different versions
of one, never meet in a section; runs whose settings differ in more than the seed never meet in a row.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from ptde_core.base.errors import PtdeError
from ptde_core.base.seeding import generator
from ptde_core.nets.settings import INFORMATION
from ptde_core.scores.comparisons import improvement_interval, improvement_probability
from ptde_core.scores.intervals import (
    Interval,
    MeanStd,
    PairedOutcomes,
    interquartile_mean,
    interquartile_mean_interval,
    mean_std,
    retention_interval,
    win_rate_interval,
)
from ptde_core.scores.published import published_retention, published_win_rate
from ptde_core.scores.tally import Tally, retention
from ptde_core.stages.settings import DistillSettings
from ptde_core.storage.evaluation_file import EvaluationEntry, ZSource, read_evaluation
from ptde_core.storage.run_folder import RunFolder, find_runs, read_json
from ptde_core.storage.status import read_state

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
Execution = Literal["centralized", "decentralized"]

# The PRR's denominator: a teacher with a z samples it, the paper's way; one without has only one way to play.
PRR_TEACHER_Z: frozenset[ZSource] = frozenset({"sampled", "none"})
# Settings that may differ among the training seeds of one row: the seed itself, the map (a row has one, by its name,
# wherever its file lies), and how often the state to resume from is saved.
MAY_DIFFER = frozenset({"seed", "map", "checkpoint_seconds", "distill.seed"})


@dataclass(frozen=True)
class SeedScore:
    """One policy of one training seed, evaluated.

    Args:
        train_seconds: wall time of its training over all sittings; None where it was not kept.
        engine_restarts: engines that broke in training and were replaced; None where none can.
        distilled: how it was made, of a student (`evaluation_file.Distilled`): settings, reconstruction error, time.
        inference: what choosing actions cost (`evaluation_file.Inference`); None where it was not measured.
    """

    run: str
    checkpoint: str  # path inside the run folder
    train_seed: int
    tally: Tally
    mean_return: float
    mean_length: float  # env steps
    env_steps: int  # of its training
    train_seconds: float | None
    engine_restarts: int | None
    evaluation_seed: int
    machine: str
    code: str
    distilled: Mapping[str, Any] | None
    inference: Mapping[str, Any] | None


@dataclass(frozen=True)
class Retention:
    """PRR of a student: pooled over the training seeds whose teacher was evaluated on the same episodes.

    Args:
        student_name, teacher_name: table names; the teacher's is "" where no teacher was found.
        teacher_sight: how far that teacher sees; "" where it sees what its student does.
        has_z: whether the student stands for a teacher's z (and the teacher samples it), not for its values.
        student, teacher: the tallies that are divided; None where no teacher was found.
        ratio: None where the teacher never won or was not found.
        interval: 95 %, over paired episodes; None where `ratio` is.
        train_seeds: the seeds that are in it.
        unpaired: the seeds that are not, for want of their teacher on the same episodes.
    """

    student_name: str
    teacher_name: str
    teacher_sight: str
    has_z: bool
    student: Tally | None
    teacher: Tally | None
    ratio: float | None
    interval: Interval | None
    train_seeds: tuple[int, ...]
    unpaired: tuple[int, ...]


@dataclass(frozen=True)
class Score:
    """One map, algorithm and source of z, over training seeds.

    Args:
        name: as the paper's tables print it ("QMIX_SGI").
        sight: how far it sees, where teacher and student differ in that ("9"); "" elsewhere.
        variant: what tells this row from others of that name ("steps=20000"); "" where nothing has to.
        parameters: of each of its networks, and those that only training needs (`policies/sizes.py`).
        tally: all seeds' episodes pooled; `interval` is its 95 % interval.
        over_seeds, iqm_interval: None below two seeds.
        retention: of a student; None for a teacher.
        paper, paper_retention: the paper's figures for this map and name, None where it has none. They are of the
            benchmark named by `scores.published.benchmark_for`, which may not be this backend.
        beside_paper: whether our mean over seeds lies inside the paper's mean ± its std; None where it has no figure.
    """

    map: str
    name: str
    policy: str
    alg: str
    global_info: str
    z: ZSource
    sight: str
    execution: Execution
    variant: str
    seeds: tuple[SeedScore, ...]
    parameters: Mapping[str, int]
    tally: Tally
    interval: Interval
    over_seeds: MeanStd | None
    iqm: float
    iqm_interval: Interval | None
    retention: Retention | None
    paper: MeanStd | None
    paper_retention: float | None
    beside_paper: Literal["inside", "outside"] | None


@dataclass(frozen=True)
class Aggregate:
    """One algorithm and source of z over all its maps, every map with the same weight; see `Score` for the names.

    Args:
        maps: those it was evaluated on. Two aggregates compare only where these are equal.
        runs: training seeds of all maps together.
        mean: of the maps' mean win rates.
        iqm: interquartile mean over the seeds of all maps; its interval is None where a map has one seed.
    """

    name: str
    z: ZSource
    sight: str
    variant: str
    maps: tuple[str, ...]
    runs: int
    tally: Tally
    mean: float
    iqm: float
    iqm_interval: Interval | None


@dataclass(frozen=True)
class Improvement:
    """How likely a seed of one algorithm (`better`) beats one of another, over the maps where both have two seeds."""

    better: str
    than: str
    maps: tuple[str, ...]
    probability: float
    interval: Interval | None


@dataclass(frozen=True)
class Section:
    """All scores of one version of one backend."""

    backend: str
    version: str
    scores: tuple[Score, ...]
    aggregates: tuple[Aggregate, ...]
    improvements: tuple[Improvement, ...]


@dataclass(frozen=True)
class LeftOut:
    """A run that is not counted, its state, and why."""

    run: str
    state: str
    why: str


@dataclass(frozen=True)
class Report:
    """What `ptde report` shows."""

    sections: tuple[Section, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True)
class _Found:
    """An evaluated policy and the run it comes from."""

    run: RunFolder
    settings: Mapping[str, Any]
    time: str  # when the run reached its state; ISO 8601
    status: Mapping[str, Any]
    entry: EvaluationEntry

    @property
    def made(self) -> Mapping[str, Any]:
        """Settings of the training and, of a student, of its distillation ("distill.steps")."""
        # A setting that a student does not have is younger than it: it was made with what is the default.
        own = {**DistillSettings().model_dump(), **self.entry.distilled.settings} if self.entry.distilled else {}
        return {**self.settings, **{f"distill.{key}": value for key, value in own.items()}}


def report(roots: list[Path], seed: int = 0) -> Report:
    """Collect all runs below the given folders.

    A run that is not finished, was not evaluated, cannot be read, or repeats another one is listed, not counted.

    Args:
        roots: folders that hold runs, at any depth.
        seed: decides the bootstrap's draws; equal seeds give equal intervals, whatever else is in the report.

    Raises:
        PtdeError: a folder does not exist, or there is no run below any of them.
    """
    runs = find_runs(roots)
    if not runs:
        raise PtdeError(f"no runs below {', '.join(map(str, roots))}", "make one, for example `ptde run --map 3m`")
    read = [_read(run) for run in runs]
    evaluated, repeats = _without_repeats([one for one in read if not isinstance(one, LeftOut)])
    left_out = [*(one for one in read if isinstance(one, LeftOut)), *repeats]
    found = [one for run_entries in evaluated for one in run_entries]
    sections = []
    for (backend, version), of_backend in grouped(found, lambda one: (one.entry.backend, one.entry.backend_version)):
        scores = sorted((_score(variant, row, of_backend, seed) for variant, row in _rows(of_backend)), key=_order)
        place = f"{backend} {version}"
        sections.append(
            Section(
                backend,
                version,
                scores=tuple(scores),
                aggregates=tuple(aggregates(scores, place, seed)),
                improvements=tuple(improvements(scores, place, seed)),
            )
        )
    return Report(
        sections=tuple(sorted(sections, key=lambda section: (section.backend, section.version))),
        left_out=tuple(sorted(left_out, key=lambda one: one.run)),
    )


def retention_of(students: Sequence[EvaluationEntry], evaluated: Iterable[EvaluationEntry], seed: int) -> Retention:
    """PRR of one kind of student over its training seeds (one entry each); `seed` decides its interval's resamples.

    A student's teacher is the entry among `evaluated` with its `teacher_id`, z sampled if it has one, and the
    same evaluation seed and episodes.
    """
    teachers: dict[str, list[EvaluationEntry]] = defaultdict(list)
    for entry in evaluated:
        if entry.policy == "teacher" and entry.z in PRR_TEACHER_Z:
            teachers[entry.teacher_id].append(entry)
    pairs: list[tuple[EvaluationEntry, EvaluationEntry]] = []
    unpaired: list[int] = []
    for student in students:
        same = [teacher for teacher in teachers[student.teacher_id] if _same_episodes(student, teacher)]
        if same:
            pairs.append((student, same[0]))
        else:
            unpaired.append(student.train_seed)
    name, has_z = students[0].name, students[0].z != "none"
    if not pairs:
        return Retention(name, "", "", has_z, None, None, None, None, (), tuple(unpaired))
    student_tally = Tally.of(won for student, _ in pairs for won in student.episodes.won)
    teacher_tally = Tally.of(won for _, teacher in pairs for won in teacher.episodes.won)
    outcomes = [PairedOutcomes(np.array(s.episodes.won, bool), np.array(t.episodes.won, bool)) for s, t in pairs]
    return Retention(
        student_name=name,
        teacher_name=pairs[0][1].name,
        teacher_sight=pairs[0][1].sight,
        has_z=has_z,
        student=student_tally,
        teacher=teacher_tally,
        ratio=retention(student_tally, teacher_tally),
        # Named by what is compared, so that every command shows the same interval.
        interval=retention_interval(
            outcomes, generator(seed, " ".join(["prr", name, *(s.teacher_id for s, _ in pairs)]))
        ),
        train_seeds=tuple(student.train_seed for student, _ in pairs),
        unpaired=tuple(unpaired),
    )


def execution_of(entry: EvaluationEntry) -> Execution:
    """Centralized where playing needs more than an agent sees: a teacher with global information, or wider sight."""
    sees_more = INFORMATION[entry.global_info].centralized or entry.sight != ""
    return "centralized" if entry.policy == "teacher" and sees_more else "decentralized"


def _same_episodes(one: EvaluationEntry, other: EvaluationEntry) -> bool:
    return one.evaluation_seed == other.evaluation_seed and one.episodes.seed == other.episodes.seed


def _read(run: RunFolder) -> list[_Found] | LeftOut:
    """The run's evaluated policies, or why it is not counted."""
    name = str(run.path)
    if not run.status.exists():
        return LeftOut(name, "half-written", "its training was killed as it began")
    try:
        state = read_state(run)
        status = read_json(run.status, "status of a run")
        if state != "finished":
            return LeftOut(name, state, status["reason"] or "not finished")
        held = read_evaluation(run.evaluation).entries if run.evaluation.exists() else None
        entries = [entry for entry in held or () if entry.episodes.seed]
        if not entries:
            lacks = "not evaluated" if held is None else "its evaluation holds no episode"
            return LeftOut(name, state, f"{lacks}: `ptde evaluate {run.teacher}`")
        settings = read_json(run.config, "settings file")
    except PtdeError as error:
        return LeftOut(name, "unreadable", str(error))
    except (KeyError, TypeError):
        return LeftOut(name, "unreadable", f"{run.status} is not the status of a run")
    return [_Found(run, settings, status["time"], status, entry) for entry in entries]


def _without_repeats(runs: list[list[_Found]]) -> tuple[list[list[_Found]], list[LeftOut]]:
    """Keep the newest of runs that are the same experiment with the same seed: a repeat is no further seed."""

    def experiment(run: list[_Found]) -> tuple[object, ...]:
        entry = run[0].entry
        return (entry.backend, entry.backend_version, entry.map, entry.train_seed, _comparable(run[0].settings))

    kept, repeats = [], []
    for (_, _, _, train_seed, _), same in grouped(runs, experiment):
        newest = max(same, key=lambda run: run[0].time)
        kept.append(newest)
        for run in same:
            if run is not newest:
                why = f"repeats seed {train_seed} of {newest[0].run.path}, which is newer"
                repeats.append(LeftOut(str(run[0].run.path), "finished", why))
    return kept, repeats


def _comparable(settings: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((key, str(settings[key])) for key in sorted(settings) if key not in MAY_DIFFER)


def _rows(found: list[_Found]) -> list[tuple[str, list[_Found]]]:
    """Split into rows of equal map, name, z, sight, checkpoint and settings (of distillation too).

    Each comes with what tells it from its namesakes.
    """
    rows = []
    for _, namesakes in grouped(found, lambda one: (one.entry.map, one.entry.name, one.entry.z, one.entry.sight)):
        checkpoints = {one.entry.checkpoint for one in namesakes}
        changed = differing([one.made for one in namesakes])

        def variant(one: _Found, several: bool = len(checkpoints) > 1, keys: list[str] = changed) -> str:
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


def _score(variant: str, row: list[_Found], of_backend: list[_Found], seed: int) -> Score:
    row = sorted(row, key=lambda one: one.entry.train_seed)
    entries = [one.entry for one in row]
    first = entries[0]
    seeds = tuple(_seed_score(one) for one in row)
    rates = [one.tally.rate for one in seeds]
    tally = Tally.of(won for entry in entries for won in entry.episodes.won)

    # Named by the row, so that a row's interval does not depend on which other rows there are.
    sight = [first.sight] if first.sight else []
    row_name = [first.backend, first.backend_version, first.map, first.name, first.z, *sight, variant]
    iqm_chance = generator(seed, " ".join(["iqm", *row_name]))
    # The paper ran its teachers with z sampled, so its figure stands beside no other row of that name.
    paper = None if first.z == "mean" else published_win_rate(first.backend, first.map, first.name)

    return Score(
        map=first.map,
        name=first.name,
        policy=first.policy,
        alg=first.alg,
        global_info=first.global_info,
        z=first.z,
        sight=first.sight,
        execution=execution_of(first),
        variant=variant,
        seeds=seeds,
        parameters=first.parameters,
        tally=tally,
        interval=win_rate_interval(tally),
        over_seeds=mean_std(rates),
        iqm=interquartile_mean([rates]),
        iqm_interval=interquartile_mean_interval([rates], iqm_chance),
        retention=(
            retention_of(entries, [one.entry for one in of_backend], seed) if first.policy == "student" else None
        ),
        paper=paper,
        paper_retention=published_retention(first.backend, first.map, first.name),
        beside_paper=None if paper is None else _beside(float(np.mean(rates)), paper),
    )


def _beside(rate: float, paper: MeanStd) -> Literal["inside", "outside"]:
    """Whether a win rate lies in the paper's range; the paper prints three decimals, and so is compared."""
    return "inside" if round(abs(rate - paper.mean), 3) <= paper.std else "outside"


def _seed_score(one: _Found) -> SeedScore:
    entry = one.entry
    return SeedScore(
        run=str(one.run.path),
        checkpoint=entry.checkpoint,
        train_seed=entry.train_seed,
        tally=Tally.of(entry.episodes.won),
        mean_return=float(np.mean(entry.episodes.total_reward)),
        mean_length=float(np.mean(entry.episodes.length)),
        env_steps=entry.env_steps,
        train_seconds=one.status.get("seconds"),
        engine_restarts=one.status.get("engine_restarts"),
        evaluation_seed=entry.evaluation_seed,
        machine=entry.machine,
        code=entry.code,
        distilled=entry.distilled.model_dump() if entry.distilled else None,
        inference=entry.inference.model_dump() if entry.inference else None,
    )


def aggregates(scores: Sequence[Score], place: str, seed: int) -> list[Aggregate]:
    """Each algorithm over its maps, where it has more than one; `place` and `seed` name the bootstrap's draws."""
    found = []
    for (name, sight, z, variant), rows in grouped(scores, lambda one: (one.name, one.sight, one.z, one.variant)):
        if len(rows) == 1:
            continue
        strata = [_rates(one) for one in rows]
        maps = tuple(one.map for one in rows)
        chance = generator(seed, " ".join(["aggregate", place, name, sight, z, variant, *maps]))
        found.append(
            Aggregate(
                name=name,
                z=z,
                sight=sight,
                variant=variant,
                maps=maps,
                runs=sum(map(len, strata)),
                tally=Tally.of_tallies(one.tally for one in rows),
                mean=float(np.mean([np.mean(rates) for rates in strata])),
                iqm=interquartile_mean(strata),
                iqm_interval=interquartile_mean_interval(strata, chance),
            )
        )
    return found


def improvements(scores: Sequence[Score], place: str, seed: int) -> list[Improvement]:
    """Every two algorithms that have two seeds or more on the same maps; teachers as the paper plays them."""
    named: dict[str, dict[str, list[float]]] = defaultdict(dict)
    for score in scores:
        if score.z != "mean" and len(score.seeds) > 1:
            words = [f"{score.name}, sight {score.sight}" if score.sight else score.name]
            words += [f"({score.variant})"] if score.variant else []
            named[" ".join(words)][score.map] = _rates(score)
    found = []
    for (one, ours), (other, theirs) in combinations(named.items(), 2):
        maps = tuple(name for name in ours if name in theirs)
        if not maps:
            continue
        x, y = [ours[name] for name in maps], [theirs[name] for name in maps]
        chance = generator(seed, " ".join(["improvement", place, one, other, *maps]))
        found.append(Improvement(one, other, maps, improvement_probability(x, y), improvement_interval(x, y, chance)))
    return found


def _rates(score: Score) -> list[float]:
    return [one.tally.rate for one in score.seeds]


def _order(score: Score) -> tuple[str, str, str, int, str, str, int]:
    """Rows in the paper's order: centralized first; then by algorithm, students before the plain algorithm."""
    info = list(INFORMATION).index(score.global_info)
    z = ("sampled", "mean", "exact", "student", "none").index(score.z)
    return (score.map, score.execution, score.alg, info, score.name, score.variant, z)


def grouped(items: Iterable[T], key: Callable[[T], K]) -> list[tuple[K, list[T]]]:
    """Items of equal key together, in the order in which the keys first appear."""
    groups: dict[K, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return list(groups.items())
