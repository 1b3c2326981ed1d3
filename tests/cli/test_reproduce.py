"""`ptde reproduce` as typed: mistakes, a plan, and the whole of Table 2 at a thousandth of the paper's steps."""

import resource
import shutil
from pathlib import Path

import pytest

from ptde_core.experiments.sweeps.packing import LARGEST_CHECKPOINT
from ptde_core.storage.run_folder import find_runs
from tests.cli.conftest import Type, spawn
from tests.kept_runs import SWEEP, kept_runs

__all__ = ["kept_runs"]  # the fixture


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("table1",), "no table or figure named 'table1'"),
        (("table2", "--budget", "0"), "--budget 0 is no share of the paper's steps; give more than 0, and at most 1"),
        (("table2", "--budget", "1.5"), "--budget 1.5 is no share"),
        (("table2", "--budget", "nan"), "--budget nan is no share"),
        (("table2", "--seeds", "0"), "--seeds"),
        (("table2", "--maps", "3m"), "no map in it named '3m'"),
        (("table2", "--maps", ","), "--maps ',' has no name in it"),
        (("table2", "--algorithms", " ,"), "--algorithms ' ,' has no name in it"),
        (("table2", "--keep", "reproduction/kept"), "is in reproduction, the folder of the runs"),
        (("table2", "--out", "runs", "--keep", "runs"), "runs is the folder of the runs themselves"),
        (("table2", "--algorithms", "QMIX_ASGKD"), "name its teacher, QMIX_SGI"),
        (("table2", "--from", "nowhere", "--dry-run"), "--from trains nothing"),
        (("table2", "--from", "nowhere"), "no folder at nowhere"),
        (("table2", "--slurm-option", "a=1"), "--slurm-option a=1 does nothing here"),
        (("table2", "--ray", "auto", "--processes", "2"), "--processes and --ray are both there"),
    ],
)
def test_mistakes_are_told_and_leave_nothing(ptde: Type, tmp_path: Path, words: tuple[str, ...], sentence: str) -> None:
    ended = ptde("reproduce", *words)
    assert (ended.code, ended.out) == (2, "")
    assert sentence in ended.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [("--out", "runs"), ("--from", "runs"), ("--page", "runs/reproduction.md")])
@pytest.mark.parametrize(("name", "sentence"), [("reproduction.md", "is a directory"), ("figures", "it is a link")])
def test_a_page_that_cannot_be_written_is_told_before_the_training(
    ptde: Type, tmp_path: Path, words: tuple[str, str], name: str, sentence: str
) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / name).symlink_to(tmp_path / "outside")
    ended = ptde("reproduce", "table2", *words)
    assert (ended.code, ended.out) == (2, "")
    assert f"cannot use runs/{name}: {sentence}" in ended.err
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [name]


def test_what_is_done_by_now_is_kept_without_training(ptde: Type, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    ended = ptde("reproduce", "table2", "--from", "runs", "--keep", "kept")
    assert (ended.code, ended.out) == (2, "")
    assert "no cell in runs is done; the first: 3s_vs_5z CSRL seed 1 is not begun" in ended.err
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


def test_a_sweep_keeps_its_runs(ptde: Type, kept_runs: Path, tmp_path: Path) -> None:
    shutil.copytree(kept_runs.with_name("runs"), tmp_path / "runs")
    (tmp_path / "mine.toml").write_text(SWEEP)
    ended = ptde("sweep", "mine.toml", "--keep", "kept", "--quiet")
    assert ended.code == 0, ended.err
    again = tmp_path / "kept/game/personal-signal/QMIX_SGI/seed1"
    assert (again / "student.pt").read_bytes() == (
        kept_runs / again.relative_to(tmp_path / "kept") / "student.pt"
    ).read_bytes()
    assert ptde("sweep", "status", "mine.toml", "--keep", "kept").code == 2


def test_a_plan_of_the_papers_experiments(ptde: Type, tmp_path: Path) -> None:
    ended = ptde("reproduce", "table2", "--dry-run", "--maps", "3s_vs_5z,6h_vs_8z", "--seeds", "2")
    assert ended.code == 0
    assert ended.out.count(" pending ") == 2 * 6 * 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_table_2_at_a_thousandth_of_the_papers_steps(tmp_path: Path) -> None:
    words = ("table2", "--budget", "0.001", "--seeds", "1")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = spawn("reproduce", *words, "--keep", "kept", "--quiet", cwd=tmp_path)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert ended.code == 0, ended.err
    took = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    assert took < 2 * 15 * 60, "fifteen minutes of two cores, whoever else uses them meanwhile"
    assert "The paper's Table 2 on skirmish (not SMAC)" in ended.out
    assert "(1 of 3 seeds, 2k of 2.00M steps)" in ended.out
    assert [f"RQ{number}: " in ended.out for number in range(1, 6)] == [True] * 5
    page = tmp_path / "reproduction-0.001" / "reproduction.md"
    assert "# Research questions" in page.read_text()
    kept = find_runs([tmp_path / "kept"])
    assert len(kept) == 36
    for run in kept:
        assert run.curve.exists()
        assert not run.metrics.exists()
        assert all(path.stat().st_size <= LARGEST_CHECKPOINT for path in run.path.rglob("*.pt"))
    shutil.rmtree(tmp_path / "reproduction-0.001")
    again = spawn("reproduce", *words, "--from", "kept", "--page", "page/r.md", "--quiet", cwd=tmp_path)
    assert again.code == 0, again.err
    assert again.out.splitlines()[-5:] == ended.out.splitlines()[-5:], "what is kept says the same"
    assert (tmp_path / "page" / "r.md").exists()
