"""A report as text in every format of `FORMATS`; the command line's `table` shows the same tables."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ptde_core.base.errors import PtdeError
from ptde_core.base.printable import printable
from ptde_core.results.costs import (
    acting_parameters,
    explained_shares,
    inferences,
    reconstruction_errors,
    restarts_of,
    training_speed,
)
from ptde_core.results.gather import Report, Section
from ptde_core.results.marl_eval import marl_eval, marl_eval_curves
from ptde_core.results.per_seed import csv_cell, csv_per_seed
from ptde_core.results.score import Score
from ptde_core.results.sections import report_tables
from ptde_core.results.table import Table, html_page, latex, markdown
from ptde_core.results.wording import fraction
from ptde_core.scores.intervals import Interval, MeanStd
from ptde_core.scores.published import benchmark_for

SCHEMA = 6  # of `--format json`; report.schema.json beside this file says what is in it
JSON_SCHEMA = Path(__file__).with_name("report.schema.json")


def render(report: Report, report_format: str, layout: str = "full") -> str:
    """The report as text, ending in a newline.

    Args:
        report: what to write.
        report_format: one of `FORMATS`.
        layout: one of `sections.LAYOUTS`; a format of `DATA_FORMATS` always holds everything, or has layouts of its
            own, `DATA_LAYOUTS`.

    Raises:
        PtdeError: a format or layout that does not exist, or a layout for a format that holds no tables.
    """
    if found := DATA_LAYOUTS.get(layout):
        if found[0] != report_format:
            raise PtdeError(f"{layout} is a layout of {found[0]}, not of {report_format}", f"add --format {found[0]}")
        return found[1](report)
    if report_format in TABLE_FORMATS:
        return TABLE_FORMATS[report_format](report_tables(report, layout))
    if report_format not in DATA_FORMATS:
        raise PtdeError(f"no report format named {report_format!r}", f"choose from {', '.join(FORMATS)}")
    if layout != "full":
        raise PtdeError(
            f"{report_format} holds all there is, it has no layout {layout}",
            f"leave --layout out, or choose from {', '.join(TABLE_FORMATS)}",
        )
    return DATA_FORMATS[report_format](report)


def _markdown(tables: Sequence[Table]) -> str:
    return "\n".join(markdown(table) for table in tables)


def _html(tables: Sequence[Table]) -> str:
    return html_page("ptde report", tables)


def _latex(tables: Sequence[Table]) -> str:
    head = "% Made by `ptde report --format latex`. In the preamble: \\usepackage{booktabs}\n"
    return head + "\n".join(latex(table) for table in tables)


def _json(report: Report) -> str:
    value = {"schema_number": SCHEMA, **plain(report)}
    return printable(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False), lines=True) + "\n"


def plain(value: Any) -> Any:
    """Dataclasses and named tuples as dicts, tuples as lists; floats keep all their digits."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Interval | MeanStd):
        return {name: plain(one) for name, one in value._asdict().items()}
    if isinstance(value, Mapping):
        return {name: plain(one) for name, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, tuple) else value


def _csv(report: Report) -> str:
    """One line per backend, map, algorithm and source of z; win rates and PRRs as fractions; empty = undefined."""
    lines = [_csv_line(section, score) for section in report.sections for score in section.scores]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for line in lines:
        writer.writerow([csv_cell(line[column]) for column in CSV_COLUMNS])
    return text.getvalue()


CSV_COLUMNS = (
    "backend", "backend_version", "map", "algorithm", "variant", "execution", "z", "sight", "train_seeds", "env_steps",
    "evaluation_seeds", "measure", "wins", "episodes", "win_rate", "win_rate_low", "win_rate_high",
    "return", "return_low", "return_high", "length", "mean", "std", "iqm", "iqm_low", "iqm_high",
    "prr", "prr_low", "prr_high", "prr_std", "prr_teacher",
    "return_retention", "return_retention_low", "return_retention_high", "return_retention_std",
    "paper_benchmark", "paper_mean", "paper_std", "paper_prr",
    "train_seconds", "env_steps_per_second", "fit_steps", "fit_seconds", "reconstruction_errors", "explained",
    "inference_ms", "inference_side_by_side", "engine_restarts",
    "parameters", "parameters_by_network", "code", "machine",
)  # fmt: skip


def _csv_line(section: Section, score: Score) -> dict[str, object]:
    over, iqm, kept, paper = score.over_seeds, score.iqm_interval, score.retention, score.paper
    wins = score.measure == "win rate"
    between = kept.interval if kept else None
    prr, returns = (between, None) if wins else (None, between)
    ratio = kept.ratio if kept else None
    spread = kept.over_seeds.std if kept and kept.over_seeds else None
    low, high = (score.interval.low, score.interval.high) if score.interval else (None, None)
    episodes = [one.episodes for one in score.seeds]
    benchmark = benchmark_for(section.backend)
    fits = [one.distilled for one in score.seeds if one.distilled]
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
        "measure": score.measure,
        "wins": score.tally.wins if score.tally else "",
        "episodes": sum(episodes),
        "win_rate": fraction(score.tally.rate if score.tally else None),
        "win_rate_low": fraction(low if wins else None),
        "win_rate_high": fraction(high if wins else None),
        "return": fraction(float(np.average([one.mean_return for one in score.seeds], weights=episodes))),
        "return_low": fraction(None if wins else low),
        "return_high": fraction(None if wins else high),
        "length": fraction(float(np.average([one.mean_length for one in score.seeds], weights=episodes))),
        "mean": fraction(over.mean if over else None),
        "std": fraction(over.std if over else None),
        "iqm": fraction(score.iqm if iqm else None),
        "iqm_low": fraction(iqm.low if iqm else None),
        "iqm_high": fraction(iqm.high if iqm else None),
        "prr": fraction(ratio if wins else None),
        "prr_low": fraction(prr.low if prr else None),
        "prr_high": fraction(prr.high if prr else None),
        "prr_std": fraction(spread if wins else None),
        "return_retention": fraction(None if wins else ratio),
        "return_retention_low": fraction(returns.low if returns else None),
        "return_retention_high": fraction(returns.high if returns else None),
        "return_retention_std": fraction(None if wins else spread),
        "prr_teacher": kept.teacher_name if kept else "",
        "paper_benchmark": benchmark.label if benchmark and (paper or score.paper_retention) else "",
        "paper_mean": fraction(paper.mean if paper else None),
        "paper_std": fraction(paper.std if paper else None),
        "paper_prr": fraction(score.paper_retention),
        "train_seconds": " ".join(fraction(one.train_seconds) for one in score.seeds if one.train_seconds is not None),
        "env_steps_per_second": fraction(training_speed(score)),
        "fit_steps": " ".join(str(one["steps"]) for one in fits),
        "fit_seconds": " ".join(fraction(one["seconds"]) for one in fits if one["seconds"] is not None),
        "reconstruction_errors": " ".join(fraction(error) for error in reconstruction_errors(score)),
        "explained": " ".join(fraction(share) for share in explained_shares(score)),
        "inference_ms": " ".join(fraction(one.ms_per_call) for one in inferences(score)),
        "inference_side_by_side": " ".join(str(one.side_by_side) for one in inferences(score)),
        "engine_restarts": "" if (restarts := restarts_of(score)) is None else restarts,
        "parameters": acting_parameters(score),
        "parameters_by_network": " ".join(f"{name.replace(' ', '_')}={n}" for name, n in score.parameters.items()),
        "code": "; ".join(sorted({one.code for one in score.seeds})),
        "machine": "; ".join(sorted({one.machine for one in score.seeds})),
    }


TABLE_FORMATS: Mapping[str, Callable[[Sequence[Table]], str]] = {
    "markdown": _markdown,
    "latex": _latex,
    "html": _html,
}
DATA_FORMATS: Mapping[str, Callable[[Report], str]] = {
    "csv": _csv,
    "json": _json,
    "marl-eval": marl_eval,
}
DATA_LAYOUTS: Mapping[str, tuple[str, Callable[[Report], str]]] = {
    "per-seed": ("csv", csv_per_seed),
    "curves": ("marl-eval", marl_eval_curves),
}
"""Layouts of one data format: its name, and what writes it."""
FORMATS = (*TABLE_FORMATS, *DATA_FORMATS)
