"""marl-eval's curves and its warnings, CSV by seed, and runs whose curve is kept in the small form."""

import csv
import io
import json
from pathlib import Path

import pytest

from ptde_core.base.errors import PtdeError
from ptde_core.results.formats import render
from ptde_core.results.gather import report
from ptde_core.results.marl_eval import marl_eval_warnings
from ptde_core.storage.curve_file import metrics_of, read_curve, write_curve
from ptde_core.storage.run_folder import RunFolder
from tests.made_runs import RUNS, _in_an_empty_folder, add_run, entry, many_runs, one_run, pipeline  # noqa: F401  its fixture too


def log_tests(run: RunFolder, *tests: tuple[int, float]) -> None:
    lines = [{"env_steps": at, "test_win_rate": won, "test_return": 20 * won} for at, won in tests]
    run.metrics.write_text("".join(json.dumps(line) + "\n" for line in lines))


def two_maps() -> None:
    """Two algorithms, two seeds, two maps; one map has twice the steps and tests."""
    for map_name, steps in (("3m", (100, 205, 310)), ("8m", (100, 200, 300, 400, 500, 600))):
        for seed in (1, 2):
            facts = {"map": map_name, "train_seed": seed}
            log_tests(add_run(f"{map_name}-q{seed}", [entry("none", 10, **facts)]), *((at, at / 1000) for at in steps))
            run = add_run(f"{map_name}-s{seed}", pipeline(map_name, seed, 30, 40, 20))
            log_tests(run, *((at, at / 2000) for at in steps))


def test_curves_have_as_many_steps_in_every_run_and_end_where_all_have_come() -> None:
    two_maps()
    value = json.loads(render(report([RUNS]), "marl-eval", "curves"))["skirmish 1"]
    assert set(value) == {"3m", "8m"}
    for task, last in (("3m", 310), ("8m", 600)):
        assert set(value[task]) == {"QMIX", "QMIX_SGI"}, "z mean and students have no tests in training"
        for runs in value[task].values():
            for run in runs.values():
                assert list(run) == ["step_0", "step_1", "step_2", "absolute_metrics"]
                assert [run[f"step_{k}"]["step_count"] for k in range(3)] == [
                    round(last / 3),
                    round(2 * last / 3),
                    last,
                ]
                assert len(run["absolute_metrics"]["win_rate"]) == 320
    run = value["3m"]["QMIX"]["seed_1"]
    assert run["step_2"]["win_rate"] == [pytest.approx(0.31)]
    assert run["step_0"]["win_rate"] == [pytest.approx((310 / 3) / 1000)], "between the tests at 100 and at 205"
    assert run["step_0"]["return"] == [pytest.approx(20 * (310 / 3) / 1000)]


def test_marl_eval_itself_takes_them() -> None:
    marl_eval = pytest.importorskip("marl_eval.utils.diagnose_data_errors", reason="marl-eval is not installed")
    two_maps()
    value = json.loads(render(report([RUNS]), "marl-eval", "curves"))
    assert all(all(found.values()) for found in marl_eval.DiagnoseData(value).check_data().values())


def test_without_a_test_there_are_no_curves() -> None:
    one_run()
    run = RunFolder(RUNS / "3m")
    for tests in ((), ((100, float("nan")), (200, float("nan")))):  # undefined: no test that has a result
        log_tests(run, *tests)
        with pytest.raises(PtdeError, match="no run has logged a test in training; leave out --layout curves"):
            render(report([RUNS]), "marl-eval", "curves")


def test_unequal_seeds_and_algorithms_are_warned_of() -> None:
    two_maps()
    assert marl_eval_warnings(report([RUNS])) == []
    add_run("more", [entry("none", 10, map="3m", train_seed=3)])
    (seeds,) = marl_eval_warnings(report([RUNS]))
    assert seeds.startswith("unequal numbers of training seeds on skirmish (not SMAC), version 1, which marl-eval")
    assert "QMIX on 3m: 1, 2, 3" in seeds
    assert "QMIX on 8m: 1, 2" in seeds
    add_run("other", [entry("none", 10, map="2s3z")])
    assert any("not the same algorithms on all maps" in line for line in marl_eval_warnings(report([RUNS])))


def test_csv_by_seed_has_one_value_in_every_cell() -> None:
    many_runs()
    rows = list(csv.DictReader(io.StringIO(render(report([RUNS]), "csv", "per-seed"))))
    of_qmix = [row for row in rows if (row["algorithm"], row["map"]) == ("QMIX", "3s_vs_5z")]
    assert [(row["train_seed"], row["wins"], row["episodes"]) for row in of_qmix] == [
        ("1", "40", "320"),
        ("2", "0", "320"),
        ("3", "96", "320"),
    ]
    assert [row["win_rate"] for row in of_qmix] == ["0.125", "0", "0.3"]
    student = next(row for row in rows if row["policy"] == "student")
    assert (student["recipe"], student["fit_steps"], student["explained"]) == ("paper", "500000", "0.9")
    numbers = ("train_seed", "env_steps", "episodes", "win_rate", "mean_return", "inference_ms", "parameters")
    for row in rows:
        for column in numbers:
            float(row[column])


def test_a_layout_of_one_format_is_refused_with_another() -> None:
    one_run()
    for report_format, layout, sentence in (
        ("markdown", "per-seed", "per-seed is a layout of csv, not of markdown; add --format csv"),
        ("csv", "curves", "curves is a layout of marl-eval, not of csv; add --format marl-eval"),
        ("json", "per-run", "json holds all there is, it has no layout per-run"),
    ):
        with pytest.raises(PtdeError, match=sentence):
            render(report([RUNS]), report_format, layout)


def test_a_small_curve_holds_what_was_logged(tmp_path: Path) -> None:
    rows = [
        {"env_steps": 10.0, "test_win_rate": 1 / 3},
        {"env_steps": 20.0, "test_win_rate": 0.1, "td_loss": 1e-17},
        {"env_steps": 30.0, "td_loss": 12345.678901},
    ]
    path = tmp_path / "run" / "curve.csv.gz"
    write_curve(path, rows)
    assert read_curve(path) == rows == metrics_of(RunFolder(path.parent))
    first = path.read_bytes()
    write_curve(path, rows)
    assert path.read_bytes() == first
    assert metrics_of(RunFolder(tmp_path)) == []


@pytest.mark.parametrize("content", [b"", b"no gzip", None])
def test_a_broken_small_curve_is_told(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "curve.csv.gz"
    write_curve(path, [{"env_steps": 10.0, "test_win_rate": 0.5}])
    path.write_bytes(path.read_bytes()[:-9] if content is None else content)
    with pytest.raises(PtdeError, match="is not a curve of ptde"):
        read_curve(path)
