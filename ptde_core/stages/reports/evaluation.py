"""What `ptde evaluate` measured, as the small table that ends it, and as JSON."""

import json
from collections.abc import Sequence

import numpy as np

from ptde_core.scores.intervals import win_rate_interval
from ptde_core.scores.tally import Tally
from ptde_core.stages.reports.collect import Retention, retention_of
from ptde_core.stages.reports.wording import (
    Z_TEXT,
    backend_title,
    interval_text,
    listed,
    named,
    recovery_notes,
    retention_notes,
    retention_text,
    sight_notes,
    z_notes,
)
from ptde_core.stages.tables import NOTHING, Row, Table
from ptde_core.storage.evaluation_file import EvaluationEntry

SCHEMA = 1


def evaluation_tables(entries: Sequence[EvaluationEntry], seed: int = 0) -> list[Table]:
    """What `ptde evaluate` measured: one table per map and backend, one row per policy and source of z.

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
    notes = [
        "In brackets: 95 % intervals over episodes, Wilson's for win rates, bootstrap over paired episodes for the PRR."
    ]
    for entry in entries:
        tally = Tally.of(entry.episodes.won)
        name = named(entry.name, entry.sight)
        prr = NOTHING
        kept = _kept(entry, entries, seed)
        if kept:
            notes.extend(retention_notes(kept, ""))
            prr = retention_text(kept)
        if entry.distilled is not None:
            notes.extend(recovery_notes(name, [entry.distilled.model_dump()], ""))
        rows.append(
            (
                f"{name}, seed {entry.train_seed}" if several_seeds else name,
                Z_TEXT[entry.z],
                str(tally),
                f"{tally.rate:.3f} {interval_text(win_rate_interval(tally))}",
                f"{np.mean(entry.episodes.total_reward):.2f}",
                f"{np.mean(entry.episodes.length):.1f}",
                prr,
            )
        )
        if entry.messages is not None:
            told = entry.messages
            notes.append(
                f"{entry.name}, z {Z_TEXT[entry.z]}: the coach sent {told.sent}/{told.offered} messages"
                f" ({told.sent / told.offered:.3f}) at threshold {told.threshold:g}."
            )
    counts = listed(len(entry.episodes.seed) for entry in entries)
    seeds = listed(entry.evaluation_seed for entry in entries)
    where = f"{map_name} on {backend_title(backend, version)}"
    return Table(
        title=f"{where}: {counts} greedy episodes each, evaluation seed {seeds}",
        columns=("Policy", "z", "Won", "Win rate", "Return", "Length", "PRR"),
        groups=(tuple(rows),),
        text_columns=2,
        notes=(*notes, *z_notes({entry.z for entry in entries}), *sight_notes(entry.sight for entry in entries)),
    ).without_empty_columns()


def evaluation_json(entries: Sequence[EvaluationEntry], seed: int = 0) -> str:
    """The same as JSON: per policy every episode, and what follows from them; win rates and PRR as fractions."""
    policies = []
    for entry in entries:
        tally, kept = Tally.of(entry.episodes.won), _kept(entry, entries, seed)
        policies.append(
            {
                **entry.model_dump(),
                "wins": tally.wins,
                "played": tally.episodes,
                "win_rate": tally.rate,
                "win_rate_interval": win_rate_interval(tally)._asdict(),
                "mean_return": float(np.mean(entry.episodes.total_reward)),
                "mean_length": float(np.mean(entry.episodes.length)),
                "prr": kept.ratio if kept else None,
                "prr_interval": kept.interval._asdict() if kept and kept.interval else None,
            }
        )
    return json.dumps({"schema_number": SCHEMA, "policies": policies}, ensure_ascii=False, allow_nan=False) + "\n"


def _kept(entry: EvaluationEntry, evaluated: Sequence[EvaluationEntry], seed: int) -> Retention | None:
    """PRR of one student; None for a teacher."""
    if entry.policy != "student":
        return None
    return retention_of([entry], evaluated, seed)
