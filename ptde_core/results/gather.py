"""Collect finished runs into one data structure: results, intervals, and the runs that are left out.

Nothing here formats a number; other files of this folder do. A section holds runs of one version of one backend; a row
holds runs whose settings differ in the seed alone.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ptde_core.base.errors import PtdeError
from ptde_core.base.seeding import generator
from ptde_core.nets.network_settings import INFORMATION
from ptde_core.results.chosen_evaluation import Wanted
from ptde_core.results.found_runs import MAY_DIFFER, Found, LeftOut, grouped, read_run, rows_of, without_repeats
from ptde_core.results.over_maps import Aggregate, Improvement, aggregates, improvements
from ptde_core.results.performance import Measure, measure_of, performance_of, returns_of
from ptde_core.results.score import Execution, Retention, Score, SeedScore, value_of
from ptde_core.runs.stage_settings import RUNS
from ptde_core.scores.intervals import (
    PairedOutcomes,
    interquartile_mean,
    interquartile_mean_interval,
    mean_std,
    retention_interval,
)
from ptde_core.scores.published import published_retention, published_win_rate
from ptde_core.scores.returns import PairedReturns, return_retention, return_retention_interval
from ptde_core.scores.tally import Tally, retention
from ptde_core.storage.evaluation_file import EvaluationEntry, ZSource
from ptde_core.storage.run_folder import find_runs, find_runs_here

# The PRR's denominator: a teacher with z sampled, as in the paper, or a teacher without z.
PRR_TEACHER_Z: frozenset[ZSource] = frozenset({"sampled", "none"})


ANY = Wanted()


@dataclass(frozen=True)
class Section:
    """All scores of one version of one backend; `measure` is that of each `Score`."""

    backend: str
    version: str
    measure: Measure
    scores: tuple[Score, ...]
    aggregates: tuple[Aggregate, ...]
    improvements: tuple[Improvement, ...]


@dataclass(frozen=True)
class Report:
    """What `ptde report` shows."""

    sections: tuple[Section, ...]
    left_out: tuple[LeftOut, ...]


def report(roots: list[Path] | None = None, seed: int = 0, wanted: Wanted = ANY) -> Report:
    """Collect all runs below the given folders.

    A run that is not finished, was not evaluated, cannot be read, or repeats another one is listed and not counted; so
    are stale results, whose origin has changed since.

    Args:
        roots: folders that hold runs, at any depth; None: what lies in the current folder (`find_runs_here`).
        seed: decides the bootstrap's draws; equal seeds give equal intervals, whatever else is in the report.
        wanted: which of a policy's evaluations is counted.

    Raises:
        PtdeError: a folder does not exist, or there is no run below any of them.
    """
    runs = find_runs_here(RUNS) if roots is None else find_runs(roots)
    if not runs:
        where = f"in {Path.cwd()} or below {RUNS}/" if roots is None else f"below {', '.join(map(str, roots))}"
        raise PtdeError(f"no runs {where}", "give their folder, or make one, for example `ptde run --map 3m`")
    read = [read_run(run, wanted) for run in runs]
    evaluated, repeats = without_repeats([counted for counted, _ in read if counted])
    left_out = [*(one for _, not_counted in read for one in not_counted), *repeats]
    found = [one for run_entries in evaluated for one in run_entries]
    sections = []
    for (backend, version), of_backend in grouped(found, lambda one: (one.entry.backend, one.entry.backend_version)):
        measure = measure_of(one.entry for one in of_backend)
        rows = rows_of(of_backend)
        scores = sorted((_score(variant, row, of_backend, measure, seed) for variant, row in rows), key=_order)
        place = f"{backend} {version}"
        sections.append(
            Section(
                backend,
                version,
                measure,
                scores=tuple(scores),
                # No means of returns over maps: each map has its own scale.
                aggregates=tuple(aggregates(scores, place, seed)) if measure == "win rate" else (),
                improvements=tuple(improvements(scores, place, seed)),
            )
        )
    return Report(
        sections=tuple(sorted(sections, key=lambda section: (section.backend, section.version))),
        left_out=tuple(sorted(left_out, key=lambda one: one.run)),
    )


def retention_of(students: Sequence[EvaluationEntry], evaluated: Iterable[EvaluationEntry], seed: int) -> Retention:
    """PRR of one kind of student over its training seeds (one entry each); `seed` decides the bootstrap's draws.

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
            pairs.append((student, max(same, key=lambda teacher: _marks_in_common(student.name, teacher.name))))
        else:
            unpaired.append(student.train_seed)
    name, has_z = students[0].name, students[0].z != "none"
    measure = measure_of([*students, *(teacher for _, teacher in pairs)])
    if not pairs:
        nobody = (None, None, None, None, None, None)
        return Retention(name, "", "", has_z, measure, *nobody, (), (), None, tuple(unpaired))
    ours, theirs = (performance_of([pair[k] for pair in pairs], measure) for k in (0, 1))
    returns = [PairedReturns(returns_of(student), returns_of(teacher)) for student, teacher in pairs]
    means = [float(np.concatenate(of).mean()) for of in zip(*returns, strict=True)]
    # The draws depend on the compared policies alone, so that every command shows the same interval.
    chance = generator(seed, " ".join(["prr", name, *(s.teacher_id for s, _ in pairs)]))
    if ours.tally and theirs.tally:
        outcomes = [PairedOutcomes(np.array(s.episodes.won, bool), np.array(t.episodes.won, bool)) for s, t in pairs]
        ratio, interval = retention(ours.tally, theirs.tally), retention_interval(outcomes, chance)
        of_seeds = [retention(Tally.of(s.episodes.won), Tally.of(t.episodes.won)) for s, t in pairs]
    else:
        ratio = return_retention(*means)
        interval = None if ratio is None else return_retention_interval(returns, chance)
        of_seeds = [return_retention(float(one.student.mean()), float(one.teacher.mean())) for one in returns]
    return Retention(
        student_name=name,
        teacher_name=pairs[0][1].name,
        teacher_sight=pairs[0][1].sight,
        has_z=has_z,
        measure=measure,
        student=ours.tally,
        teacher=theirs.tally,
        student_return=means[0],
        teacher_return=means[1],
        ratio=ratio,
        interval=interval,
        train_seeds=tuple(student.train_seed for student, _ in pairs),
        of_seeds=tuple(of_seeds),
        over_seeds=mean_std([one for one in of_seeds if one is not None]),
        unpaired=tuple(unpaired),
    )


def execution_of(entry: EvaluationEntry) -> Execution:
    """Centralized if the policy needs more than an agent observes: a teacher with global information or wider sight."""
    sees_more = INFORMATION[entry.global_info].centralized or entry.sight != ""
    return "centralized" if entry.policy == "teacher" and sees_more else "decentralized"


def _marks_in_common(student: str, teacher: str) -> int:
    """With how many marks a student's name goes on from its teacher's; -1: with others.

    It tells checkpoints of equal weights apart, such as the last of a training and the best where that is the last.
    """
    of_student, of_teacher = (name.partition(" (")[2].rstrip(")") for name in (student, teacher))
    its_own = not of_teacher or f"{of_student}, ".startswith(f"{of_teacher}, ")
    return len(of_teacher) if its_own else -1


def _same_episodes(one: EvaluationEntry, other: EvaluationEntry) -> bool:
    return one.evaluation_seed == other.evaluation_seed and one.episodes.seed == other.episodes.seed


def _score(variant: str, row: list[Found], of_backend: list[Found], measure: Measure, seed: int) -> Score:
    row = sorted(row, key=lambda one: one.entry.train_seed)
    entries = [one.entry for one in row]
    first = entries[0]
    seeds = tuple(_seed_score(one, measure) for one in row)
    rates = [value_of(one) for one in seeds]
    played = performance_of(entries, measure)

    # The draws depend on the row alone, so that its interval does not change with other rows.
    sight = [first.sight] if first.sight else []
    row_name = [first.backend, first.backend_version, first.map, first.name, first.z, *sight, variant]
    iqm_chance = generator(seed, " ".join(["iqm", *row_name]))
    # The paper's teachers sample z, so its figure belongs to that row only.
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
        settings={key: value for key, value in row[0].settings.items() if key not in MAY_DIFFER},
        seeds=seeds,
        parameters=first.parameters,
        measure=measure,
        tally=played.tally,
        value=played.value,
        interval=played.interval,
        over_seeds=mean_std(rates),
        iqm=interquartile_mean([rates]),
        iqm_interval=interquartile_mean_interval([rates], iqm_chance),
        retention=(
            retention_of(entries, [entry for one in of_backend for entry in one.evaluated], seed)
            if first.policy == "student"
            else None
        ),
        paper=paper,
        paper_retention=published_retention(first.backend, first.map, first.name),
    )


def _seed_score(one: Found, measure: Measure) -> SeedScore:
    entry = one.entry
    of_the_end = one.status.get("env_steps", entry.env_steps) == entry.env_steps  # and so of all the training's time
    return SeedScore(
        run=str(one.run.path),
        checkpoint=entry.checkpoint,
        train_seed=entry.train_seed,
        tally=performance_of([entry], measure).tally,
        episodes=len(entry.episodes.seed),
        mean_return=float(np.mean(entry.episodes.total_reward)),
        mean_length=float(np.mean(entry.episodes.length)),
        env_steps=entry.env_steps,
        updates=entry.updates,
        train_seconds=one.status.get("seconds") if of_the_end else None,
        engine_restarts=one.status.get("engine_restarts"),
        evaluation_seed=entry.evaluation_seed,
        machine=entry.machine,
        code=entry.code,
        digest=entry.digest,
        distilled=entry.distilled.model_dump() if entry.distilled else None,
        inference=entry.inference.model_dump() if entry.inference else None,
    )


def _order(score: Score) -> tuple[str, str, str, int, str, str, int]:
    """Rows in the paper's order: centralized first; then by algorithm, students before the plain algorithm."""
    info = list(INFORMATION).index(score.global_info)
    z = ("sampled", "mean", "exact", "student", "none").index(score.z)
    return (score.map, score.execution, score.alg, info, score.name, score.variant, z)
