"""CSV and JSON are for programs: a float is read back as it was, and what a table shows is there."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ptde_core.results.compare_runs import compare_runs, comparison_json
from ptde_core.results.evaluation_table import evaluation_json
from ptde_core.results.formats import CSV_COLUMNS, render
from ptde_core.results.gather import report
from ptde_core.results.per_seed import COLUMNS
from ptde_core.results.sections import costs_table, parts_table
from ptde_core.results.wording import fraction
from ptde_core.storage.evaluation_file import Distilled, EvaluationEntry, Inference
from ptde_core.storage.metrics_file import read_metrics
from ptde_core.storage.run_folder import RunFolder
from ptde_core.storage.training_log import TrainingLog
from tests.made_runs import RUNS, _in_an_empty_folder, add_run, distilled, entry, played  # noqa: F401  its fixture too

THIRD = 1 / 3
TINY = 1.2345678901234567e-17


def odd_entries(seed: int = 1) -> list[EvaluationEntry]:
    """A teacher and its student whose every number has all the digits that a float can have."""
    episodes = played(107, 321)
    odd = episodes.model_copy(update={"total_reward": [THIRD] * 321})
    quality = {**distilled().quality, "student_validation_loss": TINY, "student_explained": THIRD}
    made: Distilled = distilled().model_copy(update={"seconds": THIRD, "quality": quality})
    facts: dict[str, Any] = {
        "train_seed": seed,
        "teacher_id": f"odd {seed}",
        "episodes": odd,
        "inference": Inference(seconds=THIRD, calls=1000, side_by_side=32, threads=1),
    }
    return [entry("sampled", 0, **facts), entry("student", 0, distilled=made, **facts)]


def numbers_in(value: Any) -> Iterator[float]:
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from numbers_in(one)
    elif isinstance(value, float):
        yield value


@pytest.mark.parametrize("value", [THIRD, TINY, 0.1, 1.0, 12345678.123456789, -2 / 3])
def test_a_number_for_machines_is_read_back_as_it_was(value: float) -> None:
    assert float(fraction(value)) == value


def test_the_report_as_csv() -> None:
    add_run("odd", odd_entries())
    teacher, student = sorted(csv.DictReader(io.StringIO(render(report([RUNS]), "csv"))), key=lambda row: row["z"])
    for row in (teacher, student):
        assert [float(row[name]) for name in ("win_rate", "return", "length")] == [THIRD, THIRD, 107 * 30 / 321 + 40]
        assert float(row["inference_ms"]) == THIRD
        assert float(row["env_steps_per_second"]) == 150_020 / 300.0
    assert float(student["reconstruction_errors"]) == TINY
    assert float(student["explained"]) == float(student["fit_seconds"]) == THIRD
    assert student["fit_steps"] == "500000"
    assert set(student) == set(CSV_COLUMNS)


def test_the_report_as_csv_by_seed() -> None:
    add_run("odd", odd_entries())
    for row in csv.DictReader(io.StringIO(render(report([RUNS]), "csv", "per-seed"))):
        assert set(row) == set(COLUMNS)
        assert [float(row[name]) for name in ("win_rate", "mean_return", "inference_ms")] == [THIRD] * 3
        if row["policy"] == "student":
            assert float(row["reconstruction_error"]) == TINY
            assert float(row["explained"]) == float(row["fit_seconds"]) == THIRD


@pytest.mark.parametrize("form", ["json", "marl-eval"])
def test_the_report_as_json(form: str) -> None:
    add_run("odd", odd_entries())
    text = render(report([RUNS]), form)
    assert THIRD in set(numbers_in(json.loads(text)))
    if form == "json":
        assert TINY in set(numbers_in(json.loads(text)))
        assert json.loads(text)["sections"][0]["scores"][0]["value"] == THIRD


def test_a_comparison_and_an_evaluation_as_json() -> None:
    runs = [add_run(f"odd{seed}", odd_entries(seed)) for seed in (1, 2)]
    found = json.loads(comparison_json(compare_runs(*runs)))
    assert found["outcomes"][0]["one"]["value"] == THIRD
    assert TINY in set(numbers_in(found["costs"]))
    first = json.loads(evaluation_json(odd_entries()))["policies"][1]
    assert (first["win_rate"], first["mean_return"]) == (THIRD, THIRD)
    assert first["distilled"]["quality"]["student_validation_loss"] == TINY


def test_a_log_of_metrics(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    TrainingLog(run, {}).add(10, {"test_win_rate": THIRD, "test_return": TINY})
    assert read_metrics(run.metrics) == [{"env_steps": 10.0, "test_win_rate": THIRD, "test_return": TINY}]


TABLE_COLUMNS = {
    "Map": "map", "Algorithm": "algorithm", "z": "z", "Train seeds": "train_seeds", "Won": "wins",
    "Win rate": "win_rate", "95 % interval": "win_rate_low", "Mean ± std": "std", "IQM, 95 % interval": "iqm",
    "Return": "return", "Length": "length", "Trained for": "env_steps", "Env steps": "env_steps",
    "Training": "train_seconds", "Env steps/s": "env_steps_per_second", "Fit steps": "fit_steps", "Fit": "fit_seconds",
    "Error of z'": "reconstruction_errors", "Explained": "explained", "ms per step": "inference_ms",
    "Side by side": "inference_side_by_side", "Engine restarts": "engine_restarts",
}  # fmt: skip


def test_every_column_of_the_tables_is_one_of_the_csv() -> None:
    for seed in (1, 2):
        add_run(f"odd{seed}", odd_entries(seed))
    found = report([RUNS])
    row = list(csv.DictReader(io.StringIO(render(found, "csv"))))[-1]
    for table in (parts_table(found.sections[0]), costs_table(found.sections[0])):
        for column in table.columns:
            assert row[TABLE_COLUMNS[column]] != "", column
