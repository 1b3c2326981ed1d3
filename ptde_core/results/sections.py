"""The tables of a report as ready texts, the same for every format."""

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from ptde_core.base.errors import PtdeError, unknown
from ptde_core.results.costs import costs_table, machine_notes, maps_in_order, sizes_table
from ptde_core.results.found_runs import LeftOut
from ptde_core.results.gather import Report, Section
from ptde_core.results.per_run import per_run_table
from ptde_core.results.score import Score
from ptde_core.results.shortfall import shortfall
from ptde_core.results.table import NOTHING, PAPER_MARK, Row, Table
from ptde_core.results.unequal_settings import unequal_notes, unequal_settings
from ptde_core.results.wording import (
    NOT_TO_BE_TAKEN_FOR,
    RETURN_RETENTION,
    Z_TEXT,
    averaged_notes,
    backend_name,
    backend_title,
    interval_text,
    listed,
    mean_std_text,
    named,
    percent,
    play_text,
    recovery_notes,
    retention_notes,
    retention_text,
    retention_title,
    row_label,
    sight_notes,
    steps_text,
    z_notes,
)
from ptde_core.scores.published import RETENTION_OF, benchmark_for
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


def paper_table(section: Section, number: int) -> list[Table]:
    """The paper's Table 2 or 3 with our figures in it: its rows, its maps, its order; empty for another benchmark.

    Below each of our rows is the paper's, which says whether our mean lies inside its mean ± std.
    """
    benchmark = benchmark_for(section.backend)
    if benchmark is None or benchmark.table != number:
        return []
    maps = list(benchmark.win_rates)
    ours = {(score.map, score.name): score for score in section.scores if score.z != "mean" and not score.variant}
    several = sorted({score.name for score in section.scores if score.variant})
    groups: list[tuple[Row, ...]] = []
    for name in dict.fromkeys(name for rates in benchmark.win_rates.values() for name in rates):
        scores = {map_name: ours[map_name, name] for map_name in maps if (map_name, name) in ours}
        printed = {map_name: rates[name] for map_name, rates in benchmark.win_rates.items() if name in rates}
        ours_row = (name, *(rate_cell(scores[m]) + shortfall(scores[m]) if m in scores else NOTHING for m in maps))
        beside = {m: f", ours {scores[m].beside_paper}" if m in scores else "" for m in maps}
        papers = (mean_std_text(printed[m]) + beside[m] if m in printed else NOTHING for m in maps)
        groups.append((ours_row, (PAPER_MARK + benchmark.label, *papers)))
    kept = {m: ours[m, RETENTION_OF].retention for m in maps if (m, RETENTION_OF) in ours}
    prr = (retention_text(found) if (found := kept.get(m)) else NOTHING for m in maps)
    papers = (percent(benchmark.retention[m]) for m in maps)
    groups.append((("PRR", *prr), (PAPER_MARK + benchmark.label, *papers)))
    notes = win_rate_notes(section)
    if several:
        notes.append(
            f"Left out, for their settings differ in more than the seed: {listed(several)}; see --layout full."
        )
    return [
        Table(
            title=f"The paper's Table {number} on {backend_title(section.backend, section.version)}",
            columns=("Algorithm", *maps),
            groups=tuple(groups),
            text_columns=1,
            notes=tuple(notes),
        )
    ]


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
            paper = {s.map: f"{mean_std_text(s.paper)}, ours {s.beside_paper}" for s in scores if s.paper}
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


def rate_cell(score: Score) -> str:
    """Mean ± std over seeds; with one seed, the win rate (or mean return) and its interval."""
    return over_seeds_text(score) or play_text(score.value, score.interval, score.measure)


def over_seeds_text(score: Score) -> str:
    """Mean ± std over training seeds; "" below two."""
    if score.over_seeds is None:
        return ""
    if score.measure == "win rate":
        return mean_std_text(score.over_seeds)
    return f"{score.over_seeds.mean:.2f} ± {score.over_seeds.std:.2f}"


def score_interval_text(score: Score) -> str:
    """The interval of the pooled episodes alone; "" where there is none."""
    if score.interval is None:
        return ""
    digits = 3 if score.measure == "win rate" else 2
    return f"[{score.interval.low:.{digits}f}, {score.interval.high:.{digits}f}]"


def win_rate_notes(section: Section) -> list[str]:
    """How to read the win rates and PRRs of a section."""
    scores = section.scores
    one_seed = any(score.over_seeds is None for score in scores)
    more_seeds = any(score.over_seeds is not None for score in scores)
    wins = section.measure == "win rate"
    if wins:
        notes = ["Win rate of greedy play over a fixed list of episodes."]
    else:
        notes = ["This game cannot be won: mean return of greedy play over a fixed list of episodes."]
    if one_seed:
        kind = ("win rate", "Wilson") if wins else ("return", "Student's t")
        notes.append(
            f"In brackets after a {kind[0]}: 95 % {kind[1]} interval over the episodes of one trained policy; "
            "training again may differ more."
        )
    if more_seeds:
        notes.append("±: standard deviation over training seeds (the sample's, divided by n - 1).")
    if any(score.retention for score in scores) and not wins:
        notes.append(f"{RETURN_RETENTION} In brackets its 95 % bootstrap interval over paired episodes.")
    if any(score.retention for score in scores) and wins:
        notes.append(
            "PRR = student's win rate / teacher's win rate on the same episodes"
            + (", teacher's z sampled" if any(score.retention and score.retention.has_z for score in scores) else "")
            + "; in brackets its 95 % bootstrap interval over paired episodes"
            + (", seeds pooled, without the luck of training." if more_seeds else ".")
        )
    notes.extend(z_notes({score.z for score in scores}))
    notes.extend(sight_notes(score.sight for score in scores))
    notes.extend(averaged_notes(score.name for score in scores))
    for score in scores:
        if score.retention:
            where = f"{row_label('', score.variant)} on {score.map}"
            notes.extend(retention_notes(score.retention, where))
            notes.extend(recovery_notes(score.name, (one.distilled for one in score.seeds), where))
    notes.extend(unequal_notes(unequal_settings(scores)))
    benchmark = benchmark_for(section.backend)
    if benchmark and any(score.paper or score.paper_retention for score in scores):
        notes.append(f"{benchmark.label}: {benchmark.source}. Ours is inside where our mean lies in its mean ± std.")
    if section.backend in NOT_TO_BE_TAKEN_FOR:
        real = NOT_TO_BE_TAKEN_FOR[section.backend]
        notes.append(
            f"{section.backend} is ptde's own simulator: its numbers are not {real}'s and do not compare with them."
        )
    return notes


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
