"""What is kept of runs: whole copies with their sums, from which a report counts all that was evaluated."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ptde_core.base.errors import PtdeError, StorageError
from ptde_core.base.events import Event, Note
from ptde_core.experiments.sweeps import packing
from ptde_core.experiments.sweeps.cells import Cell
from ptde_core.experiments.sweeps.packing import pack, why_not_kept
from ptde_core.results.gather import report
from ptde_core.storage import curve_file, sums
from ptde_core.storage.cell_file import write_cell
from ptde_core.storage.run_folder import RunFolder, find_runs, read_json
from ptde_core.storage.sums import read_sums, sha256_of, update_sums
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
        (target / INNER / "QMIX/seed1/students").mkdir()
        (target / INNER / "QMIX/seed1/students/odd.pt").write_text("of an earlier time")
        (target / INNER / "QMIX/seed1/.lock").touch()
    pack(cells[:1], tmp_path / "runs", target)
    assert not (target / INNER / "QMIX/seed1/students").exists()
    assert (target / "README.md").read_text() == "mine"
    assert not list(target.rglob("*unfinished*"))
    assert "odd" not in (target / "SHA256SUMS").read_text()


@pytest.mark.parametrize("mine", ["notes.txt", "figures/win_rate.svg", "mine.pt", ".hidden"])
def test_a_copy_that_holds_something_of_the_users_is_not_replaced(cells: list[Cell], tmp_path: Path, mine: str) -> None:
    (_, last) = pack(cells, tmp_path / "runs", tmp_path / "kept")
    (last / mine).parent.mkdir(exist_ok=True)
    (last / mine).write_text("mine")
    before = held(tmp_path / "kept")
    with pytest.raises(PtdeError, match=f"seed1 is there, and holds {mine}, which is not of a copy and would be lost"):
        pack(cells, tmp_path / "runs", tmp_path / "kept")
    assert held(tmp_path / "kept") == before


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


def held(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def agrees_with_its_sums(folder: Path) -> bool:
    found = {name: sha256_of(data) for name, data in held(folder).items() if name != "SHA256SUMS"}
    return found == read_sums(folder)


SPOILT = {
    "a link": "provenance.json is a link, and only a run's own files are copied; put there what it leads to",
    "a student that is a link": "extra.pt is a link",
    "a student that is a second name": "extra.pt",
    "students elsewhere": "students: it is a link",
    "an endless device": "provenance.json is a link",
    "a pipe": "provenance.json is a device or a pipe, where a provenance of a run should be",
    "too large": "provenance.json has 134,217,728 bytes, and a provenance of a run has at most 67,108,864",
    "another text": "provenance.json is not a readable provenance of a run",
}


def spoil(run: RunFolder, how: str, secret: Path) -> None:
    run.provenance.unlink()
    match how:
        case "a link":
            run.provenance.symlink_to(secret)
        case "an endless device":
            run.provenance.symlink_to("/dev/zero")
        case "a pipe":
            os.mkfifo(run.provenance)
        case "too large":
            run.provenance.touch()
            os.truncate(run.provenance, 2**27)
        case "another text":
            run.provenance.write_text(secret.read_text())


def spoil_students(run: RunFolder, how: str, secret: Path) -> None:
    if how == "students elsewhere":
        run.students.symlink_to(secret.parent)
        return
    run.students.mkdir()
    extra = run.students / "extra.pt"
    if how == "a student that is a link":
        extra.symlink_to(secret)
    else:
        extra.hardlink_to(secret)


@pytest.mark.parametrize("how", SPOILT)
def test_nothing_but_the_runs_own_files_is_copied(cells: list[Cell], tmp_path: Path, how: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    secret = tmp_path / "elsewhere/secret.pt"
    secret.write_text("the secret")
    (spoil_students if "student" in how else spoil)(cells[1].run, how, secret)
    with pytest.raises(PtdeError, match=SPOILT[how]):
        pack(cells, tmp_path / "runs", tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_a_folder_among_the_students_is_no_student(cells: list[Cell], tmp_path: Path) -> None:
    (cells[1].run.students / "d.pt").mkdir(parents=True)
    assert cells[1].run.student in cells[1].run.all_students
    assert len(pack(cells, tmp_path / "runs", tmp_path / "kept")) == 2


@pytest.mark.parametrize("cut", ["while it writes", "while it puts in place"])
def test_a_packing_that_fails_leaves_what_was_there(
    cells: list[Cell], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: str
) -> None:
    """At the second run: no unfinished copy stays, and all that is there agrees with its sums."""
    target = tmp_path / "kept"
    pack(cells, tmp_path / "runs", target)
    before = held(target)
    cells[0].run.status.write_text(cells[0].run.status.read_text() + "\n")  # the first copy would be another
    done: list[packing._Copy] = []

    def full(self: packing._Copy) -> None:
        if done:
            raise OSError(28, "No space left on device")
        done.append(self)
        really(self)

    name = "write" if cut == "while it writes" else "put_in_place"
    really = getattr(packing._Copy, name)
    monkeypatch.setattr(packing._Copy, name, full)
    with pytest.raises(StorageError, match="no space left on device; make room there"):
        pack(cells, tmp_path / "runs", target)
    assert agrees_with_its_sums(target)
    assert (held(target) == before) == (cut == "while it writes")
    assert not list(target.rglob("*unfinished*"))


def test_a_packing_that_was_killed_is_mended_by_the_next_one(cells: list[Cell], tmp_path: Path) -> None:
    """What it leaves is hidden, no run, and goes; a user's folder of another name stays."""
    target = tmp_path / "kept"
    pack(cells, tmp_path / "runs", target)
    place = target / INNER / "QMIX/seed1"
    left = place.with_name(".ptde-unfinished-seed1")
    shutil.copytree(place, left / "new")
    place.rename(left / "old")
    mine = place.with_name("seed1.unfinished")
    mine.mkdir()
    (mine / "notes.txt").write_text("mine")
    assert [run.path for run in find_runs([target])] == [target / INNER / "QMIX_SGI/seed1"]
    pack(cells, tmp_path / "runs", target)
    assert sorted(path.name for path in place.parent.iterdir()) == ["seed1", "seed1.unfinished"]
    assert (mine / "notes.txt").read_text() == "mine"
    shutil.rmtree(mine)
    assert agrees_with_its_sums(target)


def test_links_are_refused_before_anything_is_copied(cells: list[Cell], tmp_path: Path) -> None:
    """In the place of the second copy: to an earlier copy, and under the name of an unfinished one."""
    target = tmp_path / "kept"
    (last,) = pack(cells[1:], tmp_path / "runs", target)
    last.rename(tmp_path / "moved")
    for place, sentence in (
        (last, "seed1 is there, and is a link"),
        (last.with_name(".ptde-unfinished-seed1"), "seed1 is there, and is no unfinished copy; move it away"),
    ):
        place.symlink_to(tmp_path / "moved")
        with pytest.raises(PtdeError, match=sentence):
            pack(cells, tmp_path / "runs", target)
        assert not (target / INNER / "QMIX").exists()
        place.unlink()


@pytest.mark.parametrize("lost", ["provenance.json", "status.json"])
def test_a_cell_that_lacks_a_file_is_named_and_the_others_are_kept(
    cells: list[Cell], tmp_path: Path, lost: str
) -> None:
    (cells[0].run.path / lost).unlink()
    heard: list[Event] = []
    assert len(pack(cells, tmp_path / "runs", tmp_path / "kept", listen=heard.append)) == 1
    (told,) = [event.text for event in heard if isinstance(event, Note)]
    assert told.startswith(f"not kept: personal-signal QMIX seed 1 has no {lost} any more; bring it back")


def test_a_list_of_sums_that_is_written_can_be_read(
    cells: list[Cell], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names with other ends of lines than the list's are read; what it cannot hold is refused before it is copied."""
    odd = tmp_path / "odd"
    odd.mkdir()
    (odd / "SHA256SUMS").write_text(f"{'0' * 64}  a\u2028b/c\r\n", newline="")
    assert read_sums(odd) == {"a\u2028b/c\r": "0" * 64}
    (odd / "d").mkdir()
    for name in ("e\nf", "e\u2028f", os.fsdecode(b"e\xfff")):
        (odd / "d" / name).touch()
        with pytest.raises(PtdeError, match="cannot stand in SHA256SUMS"):
            update_sums(odd, [odd / "d"])
        (odd / "d" / name).unlink()
    assert sums.LIST_BYTES > 10_000 * 10 * (64 + 3 + 160), "runs of ten files with names of such a length"
    monkeypatch.setattr(sums, "LIST_BYTES", 500)
    with pytest.raises(PtdeError, match=r"SHA256SUMS would have [0-9,]* bytes, and at most 500 are read; keep fewer"):
        pack(cells, tmp_path / "runs", tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_a_curve_that_is_too_large_to_be_read_is_not_written(
    cells: list[Cell], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curve_file, "LARGEST", 100)
    with pytest.raises(PtdeError, match=r"curve.csv.gz would have [0-9,]* bytes, and at most 100 are read"):
        pack(cells, tmp_path / "runs", tmp_path / "kept")
    assert held(tmp_path / "kept") == {}
