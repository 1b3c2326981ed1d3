"""The results of `ptde evaluate` as a table and as JSON."""

import json
from collections.abc import Sequence

import numpy as np

from ptde_core.base.printable import printable
from ptde_core.results.gather import retention_of
from ptde_core.results.performance import measure_of, performance_of
from ptde_core.results.score import Retention
from ptde_core.results.table import NOTHING, Row, Table
from ptde_core.results.wording import (
    Z_TEXT,
    averaged_notes,
    backend_title,
    listed,
    named,
    play_notes,
    play_text,
    recovery_notes,
    retention_notes,
    retention_text,
    retention_title,
    sight_notes,
    z_notes,
)
from ptde_core.storage.evaluation_file import EvaluationEntry

SCHEMA = 1


def evaluation_tables(entries: Sequence[EvaluationEntry], seed: int = 0) -> list[Table]:
    """The results of `ptde evaluate`: one table per map and backend, one row per policy and source of z.

    Args:
        entries: the evaluations to show, in their order.
        seed: decides the bootstrap's draws.
    """
    by_place: dict[tuple[str, str, str], list[EvaluationEntry]] = {}
    for entry in entries:
        by_place.setdefault((entry.backend, entry.backend_version, entry.map), []).append(entry)
    return [_evaluation_table(place, of_place, seed) for place, of_place in by_place.items()]


def _evaluation_table(place: tuple[str, str, str], entries: list[EvaluationEntry], seed: int) -> Table:
    backend, version, map_name = place
    several_seeds = len({entry.train_seed for entry in entries}) > 1
    rows: list[Row] = []
    measure = measure_of(entries)
    notes = [play_notes(measure)]
    for entry in entries:
        played = performance_of([entry], measure)
        shown = play_text(played.value, played.interval, measure)
        name = named(entry.name, entry.sight)
        of_seed = f", seed {entry.train_seed}" if several_seeds else ""
        prr = NOTHING
        kept = _kept(entry, entries, seed)
        if kept:
            notes.extend(retention_notes(kept, of_seed))
            prr = retention_text(kept)
        if entry.distilled is not None:
            notes.extend(recovery_notes(name, [entry.distilled.model_dump()], of_seed))
        rows.append(
            (
                f"{name}{of_seed}",
                Z_TEXT[entry.z],
                str(played.tally or NOTHING),
                shown if measure == "win rate" else NOTHING,
                f"{np.mean(entry.episodes.total_reward):.2f}" if measure == "win rate" else shown,
                f"{np.mean(entry.episodes.length):.1f}",
                prr,
            )
        )
        if entry.messages is not None:
            messages = entry.messages
            notes.append(
                f"{entry.name}{of_seed}, z {Z_TEXT[entry.z]}: the coach sent {messages.sent}/{messages.offered}"
                f" messages ({messages.sent / messages.offered:.3f}) at threshold {messages.threshold:g}."
            )
    counts = listed(len(entry.episodes.seed) for entry in entries)
    seeds = listed(entry.evaluation_seed for entry in entries)
    where = f"{map_name} on {backend_title(backend, version)}"
    return Table(
        title=f"{where}: {counts} greedy episodes each, evaluation seed {seeds}",
        columns=("Policy", "z", "Won", "Win rate", "Return", "Length", retention_title(measure)),
        groups=(tuple(rows),),
        text_columns=2,
        notes=(
            *notes,
            *z_notes({entry.z for entry in entries}),
            *sight_notes(entry.sight for entry in entries),
            *averaged_notes(entry.name for entry in entries),
        ),
    ).without_empty_columns()


def evaluation_json(entries: Sequence[EvaluationEntry], seed: int = 0) -> str:
    """The same as JSON: for each policy every episode, and the statistics; win rates and PRR as fractions."""
    policies = []
    for entry in entries:
        played, kept = performance_of([entry], measure_of([entry])), _kept(entry, entries, seed)
        tally, interval = played.tally, played.interval._asdict() if played.interval else None
        ratio = kept.ratio if kept else None
        kept_interval = kept.interval._asdict() if kept and kept.interval else None
        returns = kept is not None and kept.measure == "return"
        policies.append(
            {
                **entry.model_dump(),
                "wins": tally.wins if tally else None,
                "played": len(entry.episodes.seed),
                "win_rate": tally.rate if tally else None,
                "win_rate_interval": interval if tally else None,
                "mean_return": float(np.mean(entry.episodes.total_reward)),
                "mean_return_interval": None if tally else interval,
                "mean_length": float(np.mean(entry.episodes.length)),
                "prr": None if returns else ratio,
                "prr_interval": None if returns else kept_interval,
                "return_retention": ratio if returns else None,
                "return_retention_interval": kept_interval if returns else None,
            }
        )
    text = json.dumps({"schema_number": SCHEMA, "policies": policies}, ensure_ascii=False, allow_nan=False)
    return printable(text) + "\n"


def _kept(entry: EvaluationEntry, evaluated: Sequence[EvaluationEntry], seed: int) -> Retention | None:
    """PRR of one student; None for a teacher."""
    if entry.policy != "student":
        return None
    return retention_of([entry], evaluated, seed)
