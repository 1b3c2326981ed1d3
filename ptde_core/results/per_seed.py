"""A report as CSV with one row per policy and training seed, one value in every cell: for data frames."""

import csv
import io
from collections.abc import Mapping
from typing import Any

from ptde_core.base.printable import printable
from ptde_core.results.costs import acting_parameters
from ptde_core.results.gather import Report, Section
from ptde_core.results.score import Score, SeedScore
from ptde_core.results.wording import fraction
from ptde_core.scores.intervals import win_rate_interval

COLUMNS = (
    "backend", "backend_version", "map", "algorithm", "variant", "policy", "execution", "z", "sight", "train_seed",
    "env_steps", "evaluation_seed", "measure", "wins", "episodes", "win_rate", "win_rate_low", "win_rate_high",
    "mean_return", "mean_length", "prr", "return_retention", "run", "checkpoint", "train_seconds",
    "env_steps_per_second", "engine_restarts", "recipe", "fit_steps", "fit_seconds", "reconstruction_error",
    "explained", "inference_ms", "inference_side_by_side", "parameters", "code", "machine",
)  # fmt: skip


def csv_per_seed(report: Report) -> str:
    """One line per backend, map, algorithm, source of z and training seed; fractions; empty = undefined."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for section in report.sections:
        for score in section.scores:
            lines = (_line(section, score, one) for one in score.seeds)
            writer.writerows({column: csv_cell(value) for column, value in line.items()} for line in lines)
    return text.getvalue()


def csv_cell(value: object) -> object:
    """The value, unless a spreadsheet would take it for a formula: a text that begins like one, and is no number."""
    text = printable(str(value))
    if text[:1] not in FORMULAS:
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text


FORMULAS = ("=", "+", "-", "@")


def _line(section: Section, score: Score, one: SeedScore) -> Mapping[str, Any]:
    interval = win_rate_interval(one.tally) if one.tally else None
    fit, acting = one.distilled or {}, one.inference or {}
    quality = fit.get("quality", {})
    kept = score.retention.of_seed(one.train_seed) if score.retention else None
    wins = score.measure == "win rate"
    return {
        "backend": section.backend,
        "backend_version": section.version,
        "map": score.map,
        "algorithm": score.name,
        "variant": score.variant,
        "policy": score.policy,
        "execution": score.execution,
        "z": score.z,
        "sight": score.sight,
        "train_seed": one.train_seed,
        "env_steps": one.env_steps,
        "evaluation_seed": one.evaluation_seed,
        "measure": score.measure,
        "wins": one.tally.wins if one.tally else "",
        "episodes": one.episodes,
        "win_rate": fraction(one.tally.rate if one.tally else None),
        "win_rate_low": fraction(interval.low if interval else None),
        "win_rate_high": fraction(interval.high if interval else None),
        "mean_return": fraction(one.mean_return),
        "mean_length": fraction(one.mean_length),
        "prr": fraction(kept if wins else None),
        "return_retention": fraction(None if wins else kept),
        "run": one.run,
        "checkpoint": one.checkpoint,
        "train_seconds": fraction(one.train_seconds),
        "env_steps_per_second": fraction(one.env_steps / one.train_seconds if one.train_seconds else None),
        "engine_restarts": "" if one.engine_restarts is None else one.engine_restarts,
        "recipe": fit["settings"].get("recipe", "") if fit else "",
        "fit_steps": fit.get("steps", ""),
        "fit_seconds": fraction(fit.get("seconds")),
        "reconstruction_error": fraction(quality.get("student_validation_loss")),
        "explained": fraction(quality.get("student_explained")),
        "inference_ms": fraction(1000 * acting["seconds"] / acting["calls"] if acting else None),
        "inference_side_by_side": acting.get("side_by_side", ""),
        "parameters": acting_parameters(score),
        "code": one.code,
        "machine": one.machine,
    }
