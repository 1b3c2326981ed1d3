"""A report as text in every format. `FORMATS` is the one list; the command line's `table` draws the same tables."""

import csv
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from ptde_core.base.errors import PtdeError
from ptde_core.scores.intervals import Interval, MeanStd
from ptde_core.scores.published import benchmark_for
from ptde_core.stages.reports.collect import Report, Score, Section
from ptde_core.stages.reports.sections import (
    acting_parameters,
    report_tables,
)
from ptde_core.stages.reports.wording import fraction
from ptde_core.stages.tables import latex, markdown

SCHEMA = 1


def render(report: Report, report_format: str) -> str:
    """The report as text, ending in a newline.

    Raises:
        PtdeError: a format that is not in `FORMATS`.
    """
    if report_format not in FORMATS:
        raise PtdeError(f"no report format named {report_format!r}", f"choose from {', '.join(FORMATS)}")
    return FORMATS[report_format](report)


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
        "win_rate": fraction(score.tally.rate),
        "win_rate_low": fraction(score.interval.low),
        "win_rate_high": fraction(score.interval.high),
        "mean": fraction(over.mean if over else None),
        "std": fraction(over.std if over else None),
        "iqm": fraction(score.iqm if iqm else None),
        "iqm_low": fraction(iqm.low if iqm else None),
        "iqm_high": fraction(iqm.high if iqm else None),
        "prr": fraction(kept.ratio if kept else None),
        "prr_low": fraction(prr.low if prr else None),
        "prr_high": fraction(prr.high if prr else None),
        "prr_teacher": kept.teacher_name if kept else "",
        "paper_benchmark": benchmark.label if benchmark and (paper or score.paper_retention) else "",
        "paper_mean": fraction(paper.mean if paper else None),
        "paper_std": fraction(paper.std if paper else None),
        "paper_prr": fraction(score.paper_retention),
        "parameters": acting_parameters(score),
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
