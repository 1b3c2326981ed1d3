"""The tables of a report, one file of ready texts for every format."""

from collections.abc import Iterable

import numpy as np

from ptde_core.scores.published import benchmark_for
from ptde_core.stages.reports.collect import Report, Score, Section
from ptde_core.stages.reports.wording import (
    NOT_TO_BE_TAKEN_FOR,
    Z_TEXT,
    backend_title,
    interval_text,
    listed,
    mean_std_text,
    named,
    percent,
    retention_notes,
    retention_text,
    row_label,
    sight_notes,
    steps_text,
    z_notes,
)
from ptde_core.stages.tables import NOTHING, PAPER_MARK, Row, Table
from ptde_core.storage.evaluation_file import TRAINING_ONLY, ZSource


def report_tables(report: Report) -> list[Table]:
    """All tables: win rates in the paper's layout, what they are made of, sizes, per backend; then what is left out."""
    kinds = (win_rate_table, parts_table, sizes_table)
    tables = [table(section) for section in report.sections for table in kinds]
    if report.left_out:
        rows = tuple((one.run, one.state, one.why) for one in report.left_out)
        tables.append(Table("Not counted", ("Run", "State", "Why"), (rows,), text_columns=3))
    return tables


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
            paper = {score.map: mean_std_text(score.paper) for score in scores if score.paper}
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
        prr_rows[0] = ("PRR", *prr_rows[0][1:])
        groups.append(prr_rows)
    return Table(
        title=f"Win rates on {backend_title(section.backend, section.version)}",
        columns=("Execution", "Algorithm", "z", *maps),
        groups=tuple(map(tuple, groups)),
        text_columns=3,
        notes=tuple(_win_rate_notes(section)),
    )


def parts_table(section: Section) -> Table:
    """What each win rate is made of: episodes, seeds, and every statistic over them; one row per map and algorithm."""
    groups = []
    for map_name in maps_in_order(section):
        rows: list[Row] = []
        for score in (one for one in section.scores if one.map == map_name):
            seeds = [one.train_seed for one in score.seeds]
            episodes = [one.tally.episodes for one in score.seeds]
            iqm = "" if score.iqm_interval is None else f"{score.iqm:.3f} {interval_text(score.iqm_interval)}"
            row = (
                row_label(named(score.name, score.sight), score.variant),
                Z_TEXT[score.z],
                ", ".join(map(str, seeds)),
                str(score.tally),
                f"{score.tally.rate:.3f}",
                interval_text(score.interval),
                mean_std_text(score.over_seeds) if score.over_seeds else "",
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
        title=f"What these win rates are made of: {backend_title(section.backend, section.version)}",
        columns=columns,
        groups=tuple(groups),
        text_columns=3,
        notes=tuple(_parts_notes(section)),
    )
    return table.without_empty_columns()


def sizes_table(section: Section) -> Table:
    """Parameters of the networks: a row per map and policy; a teacher is one, wherever its z comes from."""
    scores = [score for score in section.scores if score.z != "mean"]
    networks = in_order(network for score in scores for network in score.parameters)
    groups = []
    for map_name in maps_in_order(section):
        rows: list[Row] = []
        for score in (one for one in scores if one.map == map_name):
            counts = (score.parameters.get(network) for network in networks)
            label = row_label(named(score.name, score.sight), score.variant)
            numbers = (*counts, acting_parameters(score), score.parameters.get(TRAINING_ONLY))
            rows.append((map_name if not rows else "", label, *(f"{n:,}" if n else NOTHING for n in numbers)))
        groups.append(tuple(rows))
    return Table(
        title=f"Parameters of the networks: {backend_title(section.backend, section.version)}",
        columns=("Map", "Algorithm", *networks, "all that act", TRAINING_ONLY),
        groups=tuple(groups),
        text_columns=2,
        notes=(f"{TRAINING_ONLY}: mixer, critic and the like; they stay behind when the policy plays.",),
    ).without_empty_columns()


def in_order(names: Iterable[str]) -> list[str]:
    """The networks that act, in the order of what flows through them; others after these."""
    order = ("trunk", "information", "student", "head")
    known = dict.fromkeys(name for name in names if name != TRAINING_ONLY)
    return sorted(known, key=lambda name: order.index(name) if name in order else len(order))


def acting_parameters(score: Score) -> int:
    """All parameters of the networks that act."""
    return sum(count for network, count in score.parameters.items() if network != TRAINING_ONLY)


def by_row(scores: Iterable[Score]) -> list[tuple[tuple[str, ZSource, str], list[Score]]]:
    """Scores that share a row across maps, in their order."""
    rows: dict[tuple[str, ZSource, str], list[Score]] = {}
    for score in scores:
        rows.setdefault((named(score.name, score.sight), score.z, score.variant), []).append(score)
    return list(rows.items())


def maps_in_order(section: Section) -> list[str]:
    """Maps that the paper does not have by name, then the paper's in its order."""
    benchmark = benchmark_for(section.backend)
    of_paper = list(benchmark.win_rates) if benchmark else []
    maps = sorted({score.map for score in section.scores})
    return sorted(maps, key=lambda name: of_paper.index(name) if name in of_paper else -1)


def rate_cell(score: Score) -> str:
    """Mean ± std over seeds; with one seed, the rate and its interval."""
    if score.over_seeds:
        return mean_std_text(score.over_seeds)
    return f"{score.tally.rate:.3f} {interval_text(score.interval)}"


def _win_rate_notes(section: Section) -> list[str]:
    scores = section.scores
    one_seed = any(score.over_seeds is None for score in scores)
    more_seeds = any(score.over_seeds is not None for score in scores)
    notes = ["Win rate of greedy play over a fixed list of episodes."]
    if one_seed:
        notes.append(
            "In brackets after a win rate: 95 % Wilson interval over the episodes of one trained policy; "
            "training again may differ more."
        )
    if more_seeds:
        notes.append("±: standard deviation over training seeds (the sample's, divided by n - 1).")
    if any(score.retention for score in scores):
        notes.append(
            "PRR = student's win rate / teacher's win rate on the same episodes"
            + (", teacher's z sampled" if any(score.retention and score.retention.has_z for score in scores) else "")
            + "; in brackets its 95 % bootstrap interval over paired episodes"
            + (", seeds pooled, without the luck of training." if more_seeds else ".")
        )
    notes.extend(z_notes({score.z for score in scores}))
    notes.extend(sight_notes(score.sight for score in scores))
    for score in scores:
        if score.retention:
            notes.extend(retention_notes(score.retention, f" on {score.map}"))
    benchmark = benchmark_for(section.backend)
    if benchmark and any(score.paper or score.paper_retention for score in scores):
        notes.append(f"{benchmark.label}: {benchmark.source}.")
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
        notes.append(
            "95 % interval: Wilson, over all seeds' episodes together; it leaves out the luck of training. "
            "IQM: interquartile mean over seeds (below 4 seeds the mean), bootstrap interval over seeds."
        )
    notes.append(f"Code: ptde {listed(sorted({one.code for one in seeds}))}.")
    notes.append(f"Machine: {'; '.join(sorted({one.machine for one in seeds}))}.")
    return notes
