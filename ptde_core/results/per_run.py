"""The table of every run: what was measured, before anything is averaged."""

from ptde_core.results.costs import maps_in_order
from ptde_core.results.gather import Section
from ptde_core.results.table import NOTHING, Row, Table
from ptde_core.results.wording import (
    Z_TEXT,
    backend_title,
    duration,
    named,
    percent,
    play_text,
    retention_title,
    row_label,
)
from ptde_core.scores.intervals import win_rate_interval


def per_run_table(section: Section) -> Table:
    """One row per policy and training seed: what was measured, before anything is averaged."""
    groups = []
    for map_name in maps_in_order(section):
        rows: list[Row] = []
        for score in (one for one in section.scores if one.map == map_name):
            for one in score.seeds:
                won = one.tally is not None
                kept = score.retention.of_seed(one.train_seed) if score.retention else None
                rate = play_text(one.tally.rate, win_rate_interval(one.tally), "win rate") if one.tally else NOTHING
                rows.append(
                    (
                        map_name if not rows else "",
                        row_label(named(score.name, score.sight), score.variant),
                        Z_TEXT[score.z],
                        one.run,
                        str(one.train_seed),
                        str(one.tally) if won else NOTHING,
                        rate,
                        NOTHING if kept is None else percent(kept),
                        f"{one.mean_return:.2f}",
                        f"{one.mean_length:.1f}",
                        f"{one.env_steps:,}",
                        NOTHING if one.train_seconds is None else duration(one.train_seconds),
                        one.code,
                    )
                )
        groups.append(tuple(rows))
    columns = (
        "Map", "Algorithm", "z", "Run", "Train seed", "Won", "Win rate, 95 % interval",
        retention_title(section.measure), "Return", "Length", "Env steps", "Training", "Code",
    )  # fmt: skip
    wilson = "95 % interval: Wilson, over the episodes of this one policy. " if section.measure == "win rate" else ""
    return Table(
        title=f"Every run: {backend_title(section.backend, section.version)}",
        columns=columns,
        groups=tuple(groups),
        text_columns=4,
        notes=(wilson + "Length in env steps.",),
    ).without_empty_columns()
