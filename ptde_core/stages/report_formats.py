"""A report as tables, and as text in every format; and the small table that ends `ptde evaluate`.

`FORMATS` is the one list of text formats. The command line's `table` format draws the same `report_tables` with Rich.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from ptde_core.base.errors import PtdeError
from ptde_core.scores.intervals import Interval, MeanStd, win_rate_interval
from ptde_core.scores.published import benchmark_for
from ptde_core.scores.tally import Tally
from ptde_core.stages.report import Report, Retention, Score, Section, retention_of
from ptde_core.stages.tables import NOTHING, PAPER_MARK, Row, Table, latex, markdown
from ptde_core.storage.evaluation_file import TRAINING_ONLY, EvaluationEntry, ZSource

SCHEMA = 1

# What a reader could take this backend's numbers for, and must not.
NOT_TO_BE_TAKEN_FOR = {"skirmish": "SMAC"}
Z_TEXT: Mapping[ZSource, str] = {
    "none": NOTHING,
    "sampled": "sampled",
    "mean": "mean",
    "exact": "exact",
    "student": "student",
}


def render(report: Report, report_format: str) -> str:
    """The report as text, ending in a newline.

    Raises:
        PtdeError: a format that is not in `FORMATS`.
    """
    if report_format not in FORMATS:
        raise PtdeError(f"no report format named {report_format!r}", f"choose from {', '.join(FORMATS)}")
    return FORMATS[report_format](report)


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
    maps = _maps_in_order(section)
    benchmark = benchmark_for(section.backend)
    paper_label = PAPER_MARK + benchmark.label if benchmark else ""
    groups: list[list[Row]] = []
    for execution in ("centralized", "decentralized"):
        rows: list[Row] = []
        for (name, z, variant), scores in _by_row(s for s in section.scores if s.execution == execution):
            cells = {score.map: _rate_cell(score) for score in scores}
            rows.append(("", _label(name, variant), Z_TEXT[z], *(cells.get(name_, NOTHING) for name_ in maps)))
            paper = {score.map: _mean_std(score.paper) for score in scores if score.paper}
            if paper:
                rows.append(("", paper_label, "", *(paper.get(name_, NOTHING) for name_ in maps)))
        if rows:
            rows[0] = (execution, *rows[0][1:])
            groups.append(rows)
    prr_rows: list[Row] = []
    for (name, z, variant), scores in _by_row(score for score in section.scores if score.retention):
        found = {score.map: score.retention for score in scores if score.retention}
        teachers = (_named(one.teacher_name, one.teacher_sight) for one in found.values() if one.teacher_name)
        pair = f"{name} / {next(teachers, 'teacher')}"
        ours = {map_name: retention_text(one) for map_name, one in found.items()}
        over = NOTHING if z == "none" else f"{Z_TEXT[z]} / {Z_TEXT['sampled']}"
        prr_rows.append(("", _label(pair, variant), over, *(ours.get(m, NOTHING) for m in maps)))
        printed = {score.map: _percent(score.paper_retention) for score in scores if score.paper_retention is not None}
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
    for map_name in _maps_in_order(section):
        rows: list[Row] = []
        for score in (one for one in section.scores if one.map == map_name):
            seeds = [one.train_seed for one in score.seeds]
            episodes = [one.tally.episodes for one in score.seeds]
            iqm = "" if score.iqm_interval is None else f"{score.iqm:.3f} {interval_text(score.iqm_interval)}"
            row = (
                _label(_named(score.name, score.sight), score.variant),
                Z_TEXT[score.z],
                ", ".join(map(str, seeds)),
                str(score.tally),
                f"{score.tally.rate:.3f}",
                interval_text(score.interval),
                _mean_std(score.over_seeds) if score.over_seeds else "",
                iqm,
                f"{np.average([one.mean_return for one in score.seeds], weights=episodes):.2f}",
                f"{np.average([one.mean_length for one in score.seeds], weights=episodes):.1f}",
                _steps([one.env_steps for one in score.seeds]),
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
    networks = _in_order(network for score in scores for network in score.parameters)
    groups = []
    for map_name in _maps_in_order(section):
        rows: list[Row] = []
        for score in (one for one in scores if one.map == map_name):
            counts = (score.parameters.get(network) for network in networks)
            label = _label(_named(score.name, score.sight), score.variant)
            numbers = (*counts, _acting(score), score.parameters.get(TRAINING_ONLY))
            rows.append((map_name if not rows else "", label, *(f"{n:,}" if n else NOTHING for n in numbers)))
        groups.append(tuple(rows))
    return Table(
        title=f"Parameters of the networks: {backend_title(section.backend, section.version)}",
        columns=("Map", "Algorithm", *networks, "all that act", TRAINING_ONLY),
        groups=tuple(groups),
        text_columns=2,
        notes=(f"{TRAINING_ONLY}: mixer, critic and the like; they stay behind when the policy plays.",),
    ).without_empty_columns()


def _in_order(names: Iterable[str]) -> list[str]:
    """The networks that act, in the order of what flows through them; others after these."""
    order = ("trunk", "information", "student", "head")
    known = dict.fromkeys(name for name in names if name != TRAINING_ONLY)
    return sorted(known, key=lambda name: order.index(name) if name in order else len(order))


def _acting(score: Score) -> int:
    return sum(count for network, count in score.parameters.items() if network != TRAINING_ONLY)


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
        name = _named(entry.name, entry.sight)
        prr = NOTHING
        kept = _kept(entry, entries, seed)
        if kept:
            notes.extend(retention_notes(kept, ""))
            prr = retention_text(kept)
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
    counts = _listed(len(entry.episodes.seed) for entry in entries)
    seeds = _listed(entry.evaluation_seed for entry in entries)
    where = f"{map_name} on {backend_title(backend, version)}"
    return Table(
        title=f"{where}: {counts} greedy episodes each, evaluation seed {seeds}",
        columns=("Policy", "z", "Won", "Win rate", "Return", "Length", "PRR"),
        groups=(tuple(rows),),
        text_columns=2,
        notes=(*notes, *_z_notes({entry.z for entry in entries}), *_sight_notes(entry.sight for entry in entries)),
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


def backend_title(backend: str, version: str) -> str:
    """How a table's title names a backend: "skirmish (not SMAC), version 1"."""
    return f"{backend_name(backend)}, version {version}"


def backend_name(backend: str) -> str:
    """A backend's name with what it must not be taken for: "skirmish (not SMAC)"."""
    mistaken = NOT_TO_BE_TAKEN_FOR.get(backend)
    return f"{backend} (not {mistaken})" if mistaken else backend


def _markdown(report: Report) -> str:
    return "\n".join(markdown(table) for table in report_tables(report))


def _latex(report: Report) -> str:
    head = "% Made by `ptde report --format latex`. In the preamble: \\usepackage{booktabs}\n"
    return head + "\n".join(latex(table) for table in report_tables(report))


def _json(report: Report) -> str:
    value = {"schema_number": SCHEMA, **_plain(report)}
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    """Dataclasses and named tuples as dicts, tuples as lists, floats to the sixth decimal."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Interval | MeanStd):
        return {name: _plain(one) for name, one in value._asdict().items()}
    if isinstance(value, float):
        return round(value, 6)
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def _csv(report: Report) -> str:
    """One line per backend, map, algorithm and source of z; win rates and PRRs as fractions; empty = undefined."""
    lines = [_csv_line(section, score) for section in report.sections for score in section.scores]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for line in lines:
        writer.writerow([line[column] for column in CSV_COLUMNS])
    return text.getvalue()


CSV_COLUMNS = (
    "backend", "backend_version", "map", "algorithm", "variant", "execution", "z", "sight", "train_seeds", "env_steps",
    "evaluation_seeds", "wins", "episodes", "win_rate", "win_rate_low", "win_rate_high", "mean", "std",
    "iqm", "iqm_low", "iqm_high", "prr", "prr_low", "prr_high", "prr_teacher",
    "paper_benchmark", "paper_mean", "paper_std", "paper_prr", "parameters", "parameters_by_network", "code", "machine",
)  # fmt: skip


def _csv_line(section: Section, score: Score) -> dict[str, object]:
    over, iqm, kept, paper = score.over_seeds, score.iqm_interval, score.retention, score.paper
    prr = kept.interval if kept else None
    benchmark = benchmark_for(section.backend)
    return {
        "backend": section.backend,
        "backend_version": section.version,
        "map": score.map,
        "algorithm": score.name,
        "variant": score.variant,
        "execution": score.execution,
        "z": score.z,
        "sight": score.sight,
        "train_seeds": " ".join(str(one.train_seed) for one in score.seeds),
        "env_steps": " ".join(str(one.env_steps) for one in score.seeds),
        "evaluation_seeds": " ".join(map(str, sorted({one.evaluation_seed for one in score.seeds}))),
        "wins": score.tally.wins,
        "episodes": score.tally.episodes,
        "win_rate": _fraction(score.tally.rate),
        "win_rate_low": _fraction(score.interval.low),
        "win_rate_high": _fraction(score.interval.high),
        "mean": _fraction(over.mean if over else None),
        "std": _fraction(over.std if over else None),
        "iqm": _fraction(score.iqm if iqm else None),
        "iqm_low": _fraction(iqm.low if iqm else None),
        "iqm_high": _fraction(iqm.high if iqm else None),
        "prr": _fraction(kept.ratio if kept else None),
        "prr_low": _fraction(prr.low if prr else None),
        "prr_high": _fraction(prr.high if prr else None),
        "prr_teacher": kept.teacher_name if kept else "",
        "paper_benchmark": benchmark.label if benchmark and (paper or score.paper_retention) else "",
        "paper_mean": _fraction(paper.mean if paper else None),
        "paper_std": _fraction(paper.std if paper else None),
        "paper_prr": _fraction(score.paper_retention),
        "parameters": _acting(score),
        "parameters_by_network": " ".join(f"{name.replace(' ', '_')}={n}" for name, n in score.parameters.items()),
        "code": "; ".join(sorted({one.code for one in score.seeds})),
        "machine": "; ".join(sorted({one.machine for one in score.seeds})),
    }


FORMATS: Mapping[str, Callable[[Report], str]] = {
    "markdown": _markdown,
    "csv": _csv,
    "json": _json,
    "latex": _latex,
}


def _by_row(scores: Iterable[Score]) -> list[tuple[tuple[str, ZSource, str], list[Score]]]:
    """Scores that share a row across maps, in their order."""
    rows: dict[tuple[str, ZSource, str], list[Score]] = {}
    for score in scores:
        rows.setdefault((_named(score.name, score.sight), score.z, score.variant), []).append(score)
    return list(rows.items())


def _maps_in_order(section: Section) -> list[str]:
    """Maps that the paper does not have by name, then the paper's in its order."""
    benchmark = benchmark_for(section.backend)
    of_paper = list(benchmark.win_rates) if benchmark else []
    maps = sorted({score.map for score in section.scores})
    return sorted(maps, key=lambda name: of_paper.index(name) if name in of_paper else -1)


def _named(name: str, sight: str) -> str:
    """A policy's name, and how far it sees where that tells policies apart: "CTDS, sight 9"."""
    return f"{name}, sight {sight}" if sight else name


def _label(name: str, variant: str) -> str:
    return f"{name} ({variant})" if variant else name


def _rate_cell(score: Score) -> str:
    """Mean ± std over seeds; with one seed, the rate and its interval."""
    if score.over_seeds:
        return _mean_std(score.over_seeds)
    return f"{score.tally.rate:.3f} {interval_text(score.interval)}"


def retention_text(kept: Retention) -> str:
    """A PRR with its interval, for people: "96.2 % [93.7, 98.1]"."""
    if kept.ratio is None or kept.interval is None:
        return NOTHING
    return f"{_percent(kept.ratio)} {_percent_interval(kept.interval)}"


def _mean_std(value: MeanStd) -> str:
    return f"{value.mean:.3f} ± {value.std:.3f}"


def interval_text(interval: Interval) -> str:
    """Both ends of a win rate's interval: "[0.951, 0.987]"."""
    return f"[{interval.low:.3f}, {interval.high:.3f}]"


def _percent(ratio: float) -> str:
    return f"{100 * ratio:.1f} %"


def _percent_interval(interval: Interval) -> str:
    return f"[{100 * interval.low:.1f}, {100 * interval.high:.1f}]"


def _fraction(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _steps(counts: Sequence[int]) -> str:
    """Env steps for people: "150k", "2.00M", "150k to 152k"."""
    low, high = (f"{n / 1e6:.2f}M" if n >= 1_000_000 else f"{n / 1000:.0f}k" for n in (min(counts), max(counts)))
    return low if low == high else f"{low} to {high}"


def _listed(values: Iterable[object]) -> str:
    """Distinct values in their order, joined by commas."""
    return ", ".join(map(str, dict.fromkeys(values)))


def _z_notes(sources: set[ZSource]) -> list[str]:
    """What the z column says, for the sources in use."""
    meaning = {
        "sampled": "sampled = drawn from the teacher's Gaussian, as the paper plays its teachers",
        "mean": "mean = the Gaussian's mean",
        "student": "student = predicted from the agent's local input alone",
    }
    used = [meaning[source] for source in Z_TEXT if source in sources and source in meaning]
    return [f"z, where the global information comes from: {'; '.join(used)}."] if used else []


def _sight_notes(sights: Iterable[str]) -> list[str]:
    """What a sight in a name says, where there is one."""
    meaning = "Sight: how far the agents see, in cells; all = everything, own = what the environment gives them."
    return [meaning] if any(sights) else []


def retention_notes(kept: Retention, where: str) -> list[str]:
    """Why a PRR is missing, wholly or for some seeds."""
    notes = []
    if kept.unpaired:
        seeds, how = _listed(kept.unpaired), " with z sampled" if kept.has_z else ""
        notes.append(
            f"No PRR for {kept.student_name}{where}, training seed {seeds}: "
            f"its teacher was not evaluated{how} on the same episodes."
        )
    if kept.teacher and kept.ratio is None:
        notes.append(
            f"No PRR for {kept.student_name}{where}: its teacher won none of {kept.teacher.episodes} episodes."
        )
    return notes


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
    notes.extend(_z_notes({score.z for score in scores}))
    notes.extend(_sight_notes(score.sight for score in scores))
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
    evaluation_seeds = _listed(sorted({one.evaluation_seed for one in seeds}))
    notes = [f"Evaluation seed {evaluation_seeds}. Length and training in env steps."]
    if any(score.over_seeds for score in section.scores):
        notes.append(
            "95 % interval: Wilson, over all seeds' episodes together; it leaves out the luck of training. "
            "IQM: interquartile mean over seeds (below 4 seeds the mean), bootstrap interval over seeds."
        )
    notes.append(f"Code: ptde {_listed(sorted({one.code for one in seeds}))}.")
    notes.append(f"Machine: {'; '.join(sorted({one.machine for one in seeds}))}.")
    return notes
