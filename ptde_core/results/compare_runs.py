"""Two runs side by side (`ptde compare`): differences in settings, origin, results and cost.

Students of one teacher by several recipes are compared in `recipe_comparison.py`, averages over seeds in a report.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ptde_core.base.errors import PtdeError
from ptde_core.base.metrics import METRICS
from ptde_core.base.printable import printable
from ptde_core.base.seeding import generator
from ptde_core.results.compared_runs import STUDENT, RunRead, read_both
from ptde_core.results.formats import plain
from ptde_core.results.gather import retention_of
from ptde_core.results.performance import Measure, measure_of, performance_of, returns_of
from ptde_core.results.score import Retention
from ptde_core.results.table import NOTHING, Row, Table
from ptde_core.results.wording import (
    RETURN_RETENTION,
    backend_title,
    duration,
    named,
    play_text,
    retention_notes,
    retention_text,
    retention_title,
)
from ptde_core.scores.comparisons import difference_interval
from ptde_core.scores.intervals import Interval
from ptde_core.scores.returns import mean_difference_interval
from ptde_core.scores.tally import Tally
from ptde_core.storage.evaluation_file import EvaluationEntry
from ptde_core.storage.run_folder import RunFolder

SCHEMA = 4
LAST_TEST = ("test_win_rate", "student_test_win_rate", "test_return", "test_length")  # of the training's own tests
NOT_SET = "not set"


@dataclass(frozen=True)
class Difference:
    """One thing that differs between the runs, as text."""

    what: str
    one: str
    other: str


@dataclass(frozen=True)
class Played:
    """The result of one run's policy. `retention` is of students only; `tally` is None where nothing can be won."""

    name: str
    measure: Measure
    tally: Tally | None
    value: float  # win rate or mean return
    interval: Interval | None
    retention: Retention | None


@dataclass(frozen=True)
class Outcome:
    """The same kind of policy in both runs.

    Args:
        kind: "teacher", "teacher, z mean", or a student's file.
        one, other: None where the run has no such policy, or has not evaluated it.
        difference: the other's win rate (or mean return) minus the one's; None where they do not compare.
        interval: its 95 % interval; None where `difference` is.
        battles: "the same" (paired), "others" (of the same map and rules), or why they do not compare.
    """

    kind: str
    one: Played | None
    other: Played | None
    difference: float | None
    interval: Interval | None
    battles: str


@dataclass(frozen=True)
class Cost:
    """One number of each training; None where it is not known. `unit` "" for a pure number."""

    what: str
    unit: str
    one: float | None
    other: float | None


@dataclass(frozen=True)
class RunComparison:
    """All that `ptde compare` shows. What is the same in both is not in `settings` and `made`."""

    runs: tuple[str, str]
    states: tuple[str, str]
    settings: tuple[Difference, ...]
    made: tuple[Difference, ...]
    outcomes: tuple[Outcome, ...]
    costs: tuple[Cost, ...]
    stale: tuple[str, ...]  # what is not shown because its origin has changed, and why


def compare_runs(one: RunFolder, other: RunFolder, seed: int = 0) -> RunComparison:
    """Read both runs, in whatever state they are.

    Args:
        one: the run that the other is compared with: differences are the other's minus this one's.
        other: another run.
        seed: decides the bootstrap's draws.

    Raises:
        PtdeError: a path that is no run folder, both are the same, or a file in one is broken.
    """
    if one.path.resolve() == other.path.resolve():
        raise PtdeError(f"{one.path} and {other.path} are the same run", "give two")
    first, second = read_both(one, other)
    kinds = dict.fromkeys([*first.entries, *second.entries])
    return RunComparison(
        runs=(first.path, second.path),
        states=(first.state, second.state),
        settings=_differences(*_settings(first, second)),
        made=_differences(_origin(first), _origin(second)),
        outcomes=tuple(_outcome(kind, first, second, seed) for kind in kinds),
        costs=tuple(_costs(first, second)),
        stale=tuple(f"{run.path}: {why}" for run in (first, second) for why in run.stale),
    )


def comparison_tables(found: RunComparison) -> list[Table]:
    """What differs in settings, in origin, in results, and what it cost: one table each."""
    heads = (f"A: {found.runs[0]}", f"B: {found.runs[1]}")
    tables = [
        _table_of_differences("Settings that differ", heads, found.settings),
        _table_of_differences("Where they come from: what differs", heads, found.made),
    ]
    rows = tuple(_outcome_row(outcome) for outcome in found.outcomes)
    of_runs = [pair for outcome in found.outcomes for pair in (("A", outcome.one), ("B", outcome.other))]
    played = [one for _, one in of_runs if one]
    measure: Measure = "win rate" if all(one.measure == "win rate" for one in played) else "return"
    if measure == "win rate":
        brackets = "Wilson's for win rates, bootstrap for the others"
    else:
        brackets = "Student's t for returns and their difference, bootstrap for the return retention"
    notes = (
        f"In brackets: 95 % intervals over episodes, {brackets}; the luck of training is not in them: over seeds, see "
        "`ptde report`.",
        "B - A: over pairs of equal battles where both played the same.",
        *(
            note
            for run, one in of_runs
            if one and one.retention
            for note in retention_notes(one.retention, f" in {run}")
        ),
        *([RETURN_RETENTION] if measure == "return" else []),
    )
    of_play = ("Won", measure.capitalize(), retention_title(measure))
    columns = ("Policy", "A", *of_play, "B", *of_play, "B - A", "Battles")
    if rows:
        results = Table("Results", columns, (rows,), text_columns=1, notes=notes)
        tables.append(results if measure == "win rate" else results.without_empty_columns())
    costs = tuple((cost.what, _number(cost.one, cost.unit), _number(cost.other, cost.unit)) for cost in found.costs)
    tables.append(Table("Training", ("", "A", "B"), (costs,), text_columns=1))
    if found.stale:
        tables.append(Table("Stale, and not shown", ("Why",), (tuple((why,) for why in found.stale),), text_columns=1))
    return tables


def comparison_json(found: RunComparison) -> str:
    """`RunComparison` as JSON: fractions, seconds, None where something is undefined."""
    text = json.dumps({"schema_number": SCHEMA, **plain(found)}, indent=1, ensure_ascii=False, allow_nan=False)
    return printable(text, lines=True) + "\n"


def _settings(one: RunRead, other: RunRead) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings of the training and the distillations. Of a student that only one run has, nothing else is said."""
    first, second = dict(one.settings), dict(other.settings)
    for kind in dict.fromkeys([*one.distilled, *other.distilled]):
        if kind in one.distilled and kind in other.distilled:
            # The paper's student: "distill.steps"; any other: its file first.
            of = "" if kind == STUDENT else f"{kind}: "
            first |= {f"{of}{key}": value for key, value in one.distilled[kind].items()}
            second |= {f"{of}{key}": value for key, value in other.distilled[kind].items()}
        else:
            first[kind], second[kind] = (
                "distilled" if kind in run.distilled else "none distilled" for run in (one, other)
            )
    return first, second


def _differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[Difference, ...]:
    keys = sorted({*one, *other})
    return tuple(
        Difference(key, str(one.get(key, NOT_SET)), str(other.get(key, NOT_SET)))
        for key in keys
        if one.get(key, NOT_SET) != other.get(key, NOT_SET)
    )


def _origin(run: RunRead) -> dict[str, str]:
    """Code, machine and packages of a run; of several sittings all that differ."""
    found = {
        "state": run.state if run.state == "finished" else f"{run.state}: {run.status['reason'] or 'not finished'}"
    }
    if run.made is None:
        return {**found, "provenance": "not kept: trained by an older ptde"}
    sittings = run.made.sittings

    def all_of(values: list[str]) -> str:
        return ", then ".join(dict.fromkeys(values))

    return {
        **found,
        "environment": backend_title(run.made.backend, run.made.backend_version),
        "code": all_of([f"ptde {one.code}" for one in sittings]),
        "machine": all_of([one.machine for one in sittings]),
        "threads": all_of([str(one.threads) for one in sittings]),
        **{
            f"package {name}": all_of([one.packages.get(name, "absent") for one in sittings])
            for name in sittings[-1].packages
        },
    }


def _outcome(kind: str, one: RunRead, other: RunRead, seed: int) -> Outcome:
    first, second = one.entries.get(kind), other.entries.get(kind)
    played = (_played(first, one, seed), _played(second, other, seed))
    if first is None or second is None:
        return Outcome(kind, *played, None, None, NOTHING)
    if first.map != second.map:
        return Outcome(kind, *played, None, None, "of another map")
    if (first.backend, first.backend_version) != (second.backend, second.backend_version):
        return Outcome(kind, *played, None, None, "by other rules")
    if first.map_digest != second.map_digest:
        return Outcome(kind, *played, None, None, "of a map of other content")
    same = first.episodes.seed == second.episodes.seed
    battles = "the same" if same else "others"
    if measure_of([first, second]) == "return":
        returns = returns_of(second), returns_of(first)
        means = mean_difference_interval(*returns, paired=same)
        return Outcome(kind, *played, float(returns[0].mean() - returns[1].mean()), means, battles)
    ours, theirs = np.array(second.episodes.won, bool), np.array(first.episodes.won, bool)
    chance = generator(seed, f"compare {kind} {first.policy_id} {second.policy_id}")
    interval = difference_interval(ours, theirs, chance, paired=same)
    return Outcome(kind, *played, float(ours.mean() - theirs.mean()), interval, battles)


def _played(entry: EvaluationEntry | None, run: RunRead, seed: int) -> Played | None:
    if entry is None:
        return None
    measure = measure_of([entry])
    found = performance_of([entry], measure)
    return Played(
        name=named(entry.name, entry.sight),
        measure=measure,
        tally=found.tally,
        value=found.value,
        interval=found.interval,
        retention=retention_of([entry], run.evaluated, seed) if entry.policy == "student" else None,
    )


def _costs(one: RunRead, other: RunRead) -> list[Cost]:
    costs = [
        Cost("env steps", "", _env_steps(one), _env_steps(other)),
        Cost("wall time of training", "s", one.status.get("seconds"), other.status.get("seconds")),
        Cost("speed of training", "env steps/s", _speed(one), _speed(other)),
        Cost("engine restarts", "", one.status.get("engine_restarts"), other.status.get("engine_restarts")),
        *(Cost(f"last {name}", METRICS[name].unit, one.last.get(name), other.last.get(name)) for name in LAST_TEST),
    ]
    for kind in dict.fromkeys([*one.entries, *other.entries]):
        first, second = one.entries.get(kind), other.entries.get(kind)
        costs.append(Cost(f"{kind}: error of z'", "", _error(first), _error(second)))
        costs.append(Cost(f"{kind}: its networks, per step", "ms", _milliseconds(first), _milliseconds(second)))
    return [cost for cost in costs if cost.one is not None or cost.other is not None]


def _env_steps(run: RunRead) -> float | None:
    steps: float | None = run.status.get("env_steps", run.last.get("env_steps"))
    return steps


def _speed(run: RunRead) -> float | None:
    steps, seconds = run.status.get("env_steps"), run.status.get("seconds")
    return steps / seconds if steps and seconds else None


def _error(entry: EvaluationEntry | None) -> float | None:
    return entry.distilled.quality.get("student_validation_loss") if entry and entry.distilled else None


def _milliseconds(entry: EvaluationEntry | None) -> float | None:
    return entry.inference.ms_per_call if entry and entry.inference else None


def _table_of_differences(title: str, heads: Row, differences: tuple[Difference, ...]) -> Table:
    rows = tuple((one.what, one.one, one.other) for one in differences) or (("nothing", NOTHING, NOTHING),)
    return Table(title, ("", *heads), (rows,), text_columns=3)


def _outcome_row(outcome: Outcome) -> Row:
    cells: list[str] = []
    for played in (outcome.one, outcome.other):
        if played is None:
            cells += [NOTHING] * 4
            continue
        shown = play_text(played.value, played.interval, played.measure)
        cells += [played.name, str(played.tally or NOTHING), shown]
        cells.append(retention_text(played.retention) if played.retention else NOTHING)
    difference = NOTHING
    if outcome.difference is not None and outcome.interval is not None:
        difference = f"{outcome.difference:+.3f} [{outcome.interval.low:+.3f}, {outcome.interval.high:+.3f}]"
    return (outcome.kind, *cells, difference, outcome.battles)


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return NOTHING
    if unit == "s":
        return duration(value)
    text = f"{value:,.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:.4g}"
    return f"{text} {unit}" if unit not in ("", "fraction") else text
