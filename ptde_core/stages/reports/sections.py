"""The tables of a report, one file of ready texts for every format."""

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from ptde_core.base.errors import PtdeError, unknown
from ptde_core.scores.intervals import win_rate_interval
from ptde_core.scores.published import RETENTION_OF, benchmark_for
from ptde_core.stages.reports.collect import LeftOut, Report, Score, Section
from ptde_core.stages.reports.wording import (
    NOT_TO_BE_TAKEN_FOR,
    Z_TEXT,
    backend_name,
    backend_title,
    duration,
    interval_text,
    listed,
    mean_std_text,
    named,
    percent,
    recovery_notes,
    retention_notes,
    retention_text,
    row_label,
    sight_notes,
    steps_text,
    z_notes,
)
from ptde_core.stages.tables import NOTHING, PAPER_MARK, Row, Table
from ptde_core.storage.evaluation_file import TRAINING_ONLY, Inference, ZSource


def report_tables(report: Report, layout: str = "full") -> list[Table]:
    """The tables of one of `LAYOUTS`, per backend; then what is left out.

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

    Below each of our rows stands the paper's, with whether our mean lies inside its mean ± std.
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
        ours_row = (name, *(rate_cell(scores[m]) if m in scores else NOTHING for m in maps))
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


def per_run_table(section: Section) -> Table:
    """One row per policy and training seed: what was measured, before anything is averaged."""
    groups = []
    for map_name in maps_in_order(section):
        rows: list[Row] = []
        for score in (one for one in section.scores if one.map == map_name):
            for one in score.seeds:
                rate = f"{one.tally.rate:.3f} {interval_text(win_rate_interval(one.tally))}"
                rows.append(
                    (
                        map_name if not rows else "",
                        row_label(named(score.name, score.sight), score.variant),
                        Z_TEXT[score.z],
                        one.run,
                        str(one.train_seed),
                        str(one.tally),
                        rate,
                        f"{one.mean_return:.2f}",
                        f"{one.mean_length:.1f}",
                        f"{one.env_steps:,}",
                        NOTHING if one.train_seconds is None else duration(one.train_seconds),
                        one.code,
                    )
                )
        groups.append(tuple(rows))
    columns = (
        "Map", "Algorithm", "z", "Run", "Train seed", "Won", "Win rate, 95 % interval", "Return", "Length", "Env steps",
        "Training", "Code",
    )  # fmt: skip
    return Table(
        title=f"Every run: {backend_title(section.backend, section.version)}",
        columns=columns,
        groups=tuple(groups),
        text_columns=4,
        notes=("95 % interval: Wilson, over the episodes of this one policy. Length in env steps.",),
    )


def costs_table(section: Section) -> Table:
    """What each policy cost to make and to play: steps, wall time, speed, the student's error, time per step."""
    groups = []
    for map_name in maps_in_order(section):
        rows: list[Row] = []
        for score in (one for one in section.scores if one.map == map_name):
            timed = [one for one in score.seeds if one.train_seconds]
            seconds = [one.train_seconds or 0.0 for one in timed]
            fits = [one.distilled for one in score.seeds if one.distilled]
            fit_seconds = [fit["seconds"] for fit in fits if fit["seconds"] is not None]
            acting, restarts = inferences(score), restarts_of(score)
            row = (
                row_label(named(score.name, score.sight), score.variant),
                Z_TEXT[score.z],
                steps_text([one.env_steps for one in score.seeds]),
                duration(float(np.mean(seconds))) if seconds else "",
                f"{sum(one.env_steps for one in timed) / sum(seconds):,.0f}" if seconds else "",
                ", ".join(f"{step:,}" for step in dict.fromkeys(fit["steps"] for fit in fits)),
                duration(float(np.mean(fit_seconds))) if fit_seconds else "",
                _mean_of(reconstruction_errors(score), "{:.3g}"),
                _mean_of([fit["quality"].get("student_explained") for fit in fits], "{:.3f}"),
                _mean_of([one.ms_per_call for one in acting], "{:.2f}"),
                listed(one.side_by_side for one in acting),
                "" if restarts is None else str(restarts),
            )
            rows.append((map_name if not rows else "", *(cell or NOTHING for cell in row)))
        groups.append(tuple(rows))
    columns = (
        "Map", "Algorithm", "z", "Env steps", "Training", "Env steps/s", "Fit steps", "Fit", "Error of z'", "Explained",
        "ms per step", "Side by side", "Engine restarts",
    )  # fmt: skip
    return Table(
        title=f"What they cost: {backend_title(section.backend, section.version)}",
        columns=columns,
        groups=tuple(groups),
        text_columns=3,
        notes=(
            "Means over training seeds, engine restarts their sum. Training: wall time of the teacher's, over all "
            "sittings; a student is fitted after it (Fit).",
            "Error of z': the student's reconstruction error on held-out episodes, as its distillation measures it "
            "(mean squared, in units of z); Explained: 1 - that error / the variance of z.",
            "ms per step: wall time of the policy's networks alone for one step of as many episodes as are played "
            "side by side.",
            *_machine_notes(section),
        ),
    ).without_empty_columns()


def inferences(score: Score) -> list[Inference]:
    """What choosing actions cost, of the seeds where it was measured."""
    return [Inference.model_validate(one.inference) for one in score.seeds if one.inference]


def restarts_of(score: Score) -> int | None:
    """Engines that broke and were replaced in all its trainings; None where none can."""
    known = [one.engine_restarts for one in score.seeds if one.engine_restarts is not None]
    return sum(known) if known else None


def reconstruction_errors(score: Score) -> list[float]:
    """The held-out error of each seed's student; empty for a teacher."""
    qualities = [one.distilled["quality"] for one in score.seeds if one.distilled]
    return [quality["student_validation_loss"] for quality in qualities if "student_validation_loss" in quality]


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
    """How likely one algorithm beats another, over the maps that both have."""
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
            "P(X > Y): that a training seed of X wins more than one of Y on the same map, mean over maps, a tie half; "
            "bootstrap interval stratified by map. With 3 seeds a side it can hardly be sure.",
        ),
    )


LAYOUTS: Mapping[str, Callable[[Section], list[Table]]] = {
    "full": _full,
    "paper-table2": lambda section: paper_table(section, 2),
    "paper-table3": lambda section: paper_table(section, 3),
    "per-run": lambda section: [per_run_table(section)],
}


def _mean_of(values: Iterable[float | None], form: str) -> str:
    """Mean of those that are known; "" where none is."""
    known = [value for value in values if value is not None]
    return form.format(np.mean(known)) if known else ""


def _machine_notes(section: Section) -> list[str]:
    return [f"Machine: {'; '.join(sorted({one.machine for score in section.scores for one in score.seeds}))}."]


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
        prr_rows[0] = ("PRR", *prr_rows[0][1:])
        groups.append(prr_rows)
    return Table(
        title=f"Win rates on {backend_title(section.backend, section.version)}",
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


def win_rate_notes(section: Section) -> list[str]:
    """How to read the win rates and PRRs of a section."""
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
            notes.extend(recovery_notes(score.name, (one.distilled for one in score.seeds), f" on {score.map}"))
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
        notes.append(
            "95 % interval: Wilson, over all seeds' episodes together; it leaves out the luck of training. "
            "IQM: interquartile mean over seeds (below 4 seeds the mean), bootstrap interval over seeds."
        )
    notes.append(f"Code: ptde {listed(sorted({one.code for one in seeds}))}.")
    return [*notes, *_machine_notes(section)]
