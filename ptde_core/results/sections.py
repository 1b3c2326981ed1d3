"""The tables of a report as ready texts, the same for every format."""

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from ptde_core.base.errors import PtdeError, unknown
from ptde_core.results.costs import costs_table, machine_notes, maps_in_order, sizes_table
from ptde_core.results.found_runs import LeftOut
from ptde_core.results.gather import Report, Section
from ptde_core.results.paper_table import paper_table
from ptde_core.results.per_run import per_run_table
from ptde_core.results.score import Score
from ptde_core.results.table import NOTHING, PAPER_MARK, Row, Table
from ptde_core.results.win_rate_texts import over_seeds_text, rate_cell, win_rate_notes
from ptde_core.results.wording import (
    Z_TEXT,
    backend_name,
    backend_title,
    interval_text,
    listed,
    mean_std_text,
    named,
    percent,
    play_text,
    retention_text,
    retention_title,
    row_label,
    steps_text,
)
from ptde_core.scores.published import benchmark_for
from ptde_core.storage.evaluation_file import ZSource


def report_tables(report: Report, layout: str = "full") -> list[Table]:
    """The tables of a layout for each backend, then one of the runs that are left out.

    Raises:
        PtdeError: a layout that is not in `LAYOUTS`, or one of the paper's tables with no run of its benchmark.
    """
    if layout not in LAYOUTS:
        raise unknown("layout", layout, LAYOUTS)
    tables = [table for section in report.sections for table in LAYOUTS[layout](section)]
    if report.sections and not tables:
        held = ", ".join(backend_name(section.backend) for section in report.sections)
        raise PtdeError(f"no counted run belongs in {layout}: they are of {held}", "choose --layout full or per-run")
    if report.left_out:
        tables.append(left_out_table("Not counted", report.left_out))
    return tables


def left_out_table(title: str, left_out: Iterable[LeftOut]) -> Table:
    """The runs that a report or a picture leaves out, and why."""
    rows = tuple((one.run, one.state, one.why) for one in left_out)
    return Table(title, ("Run", "State", "Why"), (rows,), text_columns=3)


def _full(section: Section) -> list[Table]:
    tables = [win_rate_table(section), parts_table(section), costs_table(section), sizes_table(section)]
    over_maps = [aggregate_table(section)] if section.aggregates else []
    pairs = [improvement_table(section)] if section.improvements else []
    return [*tables, *over_maps, *pairs]


def aggregate_table(section: Section) -> Table:
    """Each algorithm over all its maps."""
    rows = tuple(
        (
            row_label(named(one.name, one.sight), one.variant),
            Z_TEXT[one.z],
            ", ".join(one.maps),
            str(one.runs),
            str(one.tally),
            f"{one.mean:.3f}",
            f"{one.iqm:.3f} {interval_text(one.iqm_interval)}" if one.iqm_interval else NOTHING,
        )
        for one in section.aggregates
    )
    return Table(
        title=f"Over maps: {backend_title(section.backend, section.version)}",
        columns=("Algorithm", "z", "Maps", "Runs", "Won", "Mean", "IQM, 95 % interval"),
        groups=(rows,),
        text_columns=3,
        notes=(
            "Rows compare only where their maps are the same. Mean: of the maps' means. IQM: mean of the middle half "
            "of all runs, with a bootstrap interval stratified by map; — where a map has one training seed.",
        ),
    ).without_empty_columns()


def improvement_table(section: Section) -> Table:
    """The probability that one algorithm beats another, over the maps that both have."""
    more = "wins more" if section.measure == "win rate" else "has a higher mean return"
    rows = tuple(
        (
            one.better,
            one.than,
            ", ".join(one.maps),
            f"{one.probability:.2f}",
            f"[{one.interval.low:.2f}, {one.interval.high:.2f}]" if one.interval else NOTHING,
        )
        for one in section.improvements
    )
    return Table(
        title=f"Probability of improvement: {backend_title(section.backend, section.version)}",
        columns=("X", "Y", "Maps", "P(X > Y)", "95 % interval"),
        groups=(rows,),
        text_columns=3,
        notes=(
            f"P(X > Y): that a training seed of X {more} than one of Y on the same map, mean over maps, a tie half; "
            "bootstrap interval stratified by map. With 3 seeds a side it can hardly be sure.",
        ),
    )


LAYOUTS: Mapping[str, Callable[[Section], list[Table]]] = {
    "full": _full,
    "paper-table2": lambda section: paper_table(section, 2),
    "paper-table3": lambda section: paper_table(section, 3),
    "per-run": lambda section: [per_run_table(section)],
}


def win_rate_table(section: Section) -> Table:
    """Win rates as in the paper's Table 2: algorithms down, maps across, PRR last; the paper's figures below ours."""
    maps = maps_in_order(section)
    benchmark = benchmark_for(section.backend)
    paper_label = PAPER_MARK + benchmark.label if benchmark else ""
    groups: list[list[Row]] = []
    for execution in ("centralized", "decentralized"):
        rows: list[Row] = []
        for (name, z, variant), scores in by_row(s for s in section.scores if s.execution == execution):
            cells = {score.map: rate_cell(score) for score in scores}
            rows.append(("", row_label(name, variant), Z_TEXT[z], *(cells.get(name_, NOTHING) for name_ in maps)))
            paper = {s.map: mean_std_text(s.paper) for s in scores if s.paper}
            if paper:
                rows.append(("", paper_label, "", *(paper.get(name_, NOTHING) for name_ in maps)))
        if rows:
            rows[0] = (execution, *rows[0][1:])
            groups.append(rows)
    prr_rows: list[Row] = []
    for (name, z, variant), scores in by_row(score for score in section.scores if score.retention):
        found = {score.map: score.retention for score in scores if score.retention}
        teachers = (named(one.teacher_name, one.teacher_sight) for one in found.values() if one.teacher_name)
        pair = f"{name} / {next(teachers, 'teacher')}"
        ours = {map_name: retention_text(one) for map_name, one in found.items()}
        over = NOTHING if z == "none" else f"{Z_TEXT[z]} / {Z_TEXT['sampled']}"
        prr_rows.append(("", row_label(pair, variant), over, *(ours.get(m, NOTHING) for m in maps)))
        printed = {score.map: percent(score.paper_retention) for score in scores if score.paper_retention is not None}
        if printed:
            prr_rows.append(("", paper_label, "", *(printed.get(m, NOTHING) for m in maps)))
    if prr_rows:
        prr_rows[0] = (retention_title(section.measure), *prr_rows[0][1:])
        groups.append(prr_rows)
    return Table(
        title=f"{section.measure.capitalize()}s on {backend_title(section.backend, section.version)}",
        columns=("Execution", "Algorithm", "z", *maps),
        groups=tuple(map(tuple, groups)),
        text_columns=3,
        notes=tuple(win_rate_notes(section)),
    )


def parts_table(section: Section) -> Table:
    """What each win rate is made of: episodes, seeds, and every statistic over them; one row per map and algorithm."""
    groups = []
    for map_name in maps_in_order(section):
        rows: list[Row] = []
        for score in (one for one in section.scores if one.map == map_name):
            seeds = [one.train_seed for one in score.seeds]
            episodes = [one.episodes for one in score.seeds]
            iqm = "" if score.iqm_interval is None else play_text(score.iqm, score.iqm_interval, score.measure)
            row = (
                row_label(named(score.name, score.sight), score.variant),
                Z_TEXT[score.z],
                ", ".join(map(str, seeds)),
                str(score.tally or ""),
                f"{score.tally.rate:.3f}" if score.tally else "",
                score_interval_text(score),
                over_seeds_text(score),
                iqm,
                f"{np.average([one.mean_return for one in score.seeds], weights=episodes):.2f}",
                f"{np.average([one.mean_length for one in score.seeds], weights=episodes):.1f}",
                steps_text([one.env_steps for one in score.seeds]),
            )
            rows.append((map_name if not rows else "", *(cell or NOTHING for cell in row)))
        groups.append(tuple(rows))
    columns = (
        "Map", "Algorithm", "z", "Train seeds", "Won", "Win rate", "95 % interval", "Mean ± std", "IQM, 95 % interval",
        "Return", "Length", "Trained for",
    )  # fmt: skip
    table = Table(
        title=f"What these {section.measure}s are made of: {backend_title(section.backend, section.version)}",
        columns=columns,
        groups=tuple(groups),
        text_columns=3,
        notes=tuple(_parts_notes(section)),
    )
    return table.without_empty_columns()


def by_row(scores: Iterable[Score]) -> list[tuple[tuple[str, ZSource, str], list[Score]]]:
    """Scores that share a row across maps, in their order."""
    rows: dict[tuple[str, ZSource, str], list[Score]] = {}
    for score in scores:
        rows.setdefault((named(score.name, score.sight), score.z, score.variant), []).append(score)
    return list(rows.items())


def score_interval_text(score: Score) -> str:
    """The interval of the pooled episodes alone; "" where there is none."""
    if score.interval is None:
        return ""
    digits = 3 if score.measure == "win rate" else 2
    return f"[{score.interval.low:.{digits}f}, {score.interval.high:.{digits}f}]"


def _parts_notes(section: Section) -> list[str]:
    seeds = [one for score in section.scores for one in score.seeds]
    evaluation_seeds = listed(sorted({one.evaluation_seed for one in seeds}))
    notes = [f"Evaluation seed {evaluation_seeds}. Length and training in env steps."]
    if any(score.over_seeds for score in section.scores):
        kind = "Wilson" if section.measure == "win rate" else "Student's t"
        notes.append(
            f"95 % interval: {kind}, over all seeds' episodes together; it leaves out the luck of training. "
            "IQM: interquartile mean over seeds (below 4 seeds the mean), bootstrap interval over seeds."
        )
    notes.append(f"Code: ptde {listed(sorted({one.code for one in seeds}))}.")
    return [*notes, *machine_notes(section)]
