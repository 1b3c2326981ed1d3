"""What is kept of runs: whole copies with their sums, from which a report counts all that was evaluated."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ptde_core.base.errors import PtdeError
from ptde_core.experiments.sweeps import packing
from ptde_core.experiments.sweeps.cells import Cell
from ptde_core.experiments.sweeps.packing import pack, why_not_kept
from ptde_core.results.gather import report
from ptde_core.storage.cell_file import write_cell
from ptde_core.storage.run_folder import read_json
from ptde_core.storage.sums import read_sums, sha256_of
from tests.kept_runs import cells_below, kept_runs

__all__ = ["kept_runs"]  # the fixture
INNER = "game/personal-signal"


@pytest.fixture
def cells(kept_runs: Path, tmp_path: Path) -> list[Cell]:
    """The cells that the kept runs were copied from, to be spoilt."""
    shutil.copytree(kept_runs.with_name("runs"), tmp_path / "runs")
    return cells_below(tmp_path / "runs")


def test_every_file_has_its_sum_and_nothing_else_is_there(kept_runs: Path) -> None:
    files = {path.relative_to(kept_runs).as_posix(): path for path in kept_runs.rglob("*") if path.is_file()}
    assert {name: sha256_of(path.read_bytes()) for name, path in files.items() if name != "SHA256SUMS"} == read_sums(
        kept_runs
    )
    own = ["config.json", "curve.csv.gz", "evaluation.json", "provenance.json", "status.json", "teacher.pt"]
    assert sorted(path.name for path in (kept_runs / INNER / "QMIX/seed1").iterdir()) == own


def test_what_is_too_large_is_left_out_and_its_evaluation_still_counts(
    cells: list[Cell], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specific = next(cell.run for cell in cells if "SGI" in cell.algorithm)
    monkeypatch.setattr(packing, "LARGEST_CHECKPOINT", specific.teacher.stat().st_size - 1)
    pack(cells, tmp_path / "runs", tmp_path / "kept")
    copy = tmp_path / "kept" / INNER / "QMIX_SGI/seed1"
    assert read_json(copy / "left_out.json", "") == {"teacher.pt": specific.teacher.stat().st_size}
    assert not (copy / "teacher.pt").exists()
    before, after = (report([tmp_path / name]) for name in ("runs", "kept"))
    assert after.left_out == ()
    assert [score.name for score in after.sections[0].scores] == [score.name for score in before.sections[0].scores]
    assert "QMIX_SGI" in {score.name for score in after.sections[0].scores}
    (copy / "student.pt").unlink()
    (lost,) = report([tmp_path / "kept"]).left_out
    assert "student.pt was evaluated, and is not there any more" in lost.why


def test_a_newer_copy_takes_the_place_of_an_older_one_whole(cells: list[Cell], tmp_path: Path) -> None:
    target = tmp_path / "kept"
    (target / "README.md").parent.mkdir()
    (target / "README.md").write_text("mine")
    for _ in range(2):
        pack(cells, tmp_path / "runs", target)
        (target / INNER / "QMIX/seed1/odd").write_text("of an earlier time")
    pack(cells[:1], tmp_path / "runs", target)
    assert not (target / INNER / "QMIX/seed1/odd").exists()
    assert (target / "README.md").read_text() == "mine"
    assert not list(target.rglob("*unfinished*"))
    assert "odd" not in (target / "SHA256SUMS").read_text()


def test_what_is_no_copy_is_never_replaced(cells: list[Cell], kept_runs: Path, tmp_path: Path) -> None:
    """Runs of the same cells, copies of longer ones, a folder of something else, the runs themselves behind a link."""
    shutil.copytree(tmp_path / "runs", tmp_path / "other")
    (tmp_path / "notes" / INNER / "QMIX" / "seed1").mkdir(parents=True)
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "game").symlink_to(tmp_path / "runs" / "game")
    (tmp_path / "sums").mkdir()
    (tmp_path / "sums" / "SHA256SUMS").write_text("of something else")
    shutil.copytree(kept_runs, tmp_path / "kept")
    before = sorted(tmp_path.rglob("*"))
    for target, sentence in {
        "other": "other/game/personal-signal/QMIX/seed1 is there, and is no copy of a run",
        "notes": "notes/game/personal-signal/QMIX/seed1 is there, and is no copy of a run",
        "linked": "linked/game/personal-signal/QMIX/seed1 is there, and is no copy of a run",
        "runs/kept": "the folder of the runs, where a copy counts as a run",
        "sums": "is not a list of SHA-256 sums",
        "sums/SHA256SUMS": "not a directory",
    }.items():
        with pytest.raises(PtdeError, match=sentence):
            pack(cells, tmp_path / "runs", tmp_path / target)
    pipeline = cells[0].pipeline
    shorter = replace(pipeline, training=pipeline.training.model_copy(update={"steps": 9}))
    with pytest.raises(PtdeError, match="QMIX/seed1 is there, and was made with steps = 300, not 9"):
        pack([Cell(shorter, cells[0].run, "")], tmp_path / "runs", tmp_path / "kept")
    assert sorted(tmp_path.rglob("*")) == before


def test_only_what_is_done_is_kept(cells: list[Cell], tmp_path: Path) -> None:
    first, second = cells
    assert why_not_kept(first) == ""
    write_cell(first.run.cell, "done", "of an older ptde", 1)
    assert why_not_kept(first) == "", "a setting that is younger had its default then"
    write_cell(first.run.cell, "failed", first.digest, 1, "boom")
    assert why_not_kept(first) == "personal-signal QMIX seed 1 is failed"
    assert len(pack(cells, tmp_path / "runs", tmp_path / "kept")) == 1
    longer = replace(second.pipeline, training=second.pipeline.training.model_copy(update={"steps": 9}))
    assert "made with steps = 300, not 9" in why_not_kept(Cell(longer, second.run, ""))
    second.run.cell.unlink()
    with pytest.raises(PtdeError, match=r"no cell in .* is done; the first: personal-signal QMIX seed 1 is failed"):
        pack(cells, tmp_path / "runs", tmp_path / "kept")
    with pytest.raises(PtdeError, match="is the folder of the runs themselves"):
        pack(cells, tmp_path / "runs", tmp_path / "runs")
