"""How commands end where the machine is the trouble: streams, disks, folders that go, files that were deleted."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from ptde_core.base.errors import StorageError
from ptde_core.pipeline.train_teacher import train_teacher
from ptde_core.storage.run_folder import RunFolder
from ptde_core.storage.status import read_state
from tests.cli.conftest import ROOT, Pipeline, Type
from tests.conftest import game_settings


def shell(line: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A line as typed into a shell; `ptde` is this one."""
    ptde = f"'{sys.executable}' -m ptde_cli"
    variables: Mapping[str, str] = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(
        ["bash", "-c", line.replace("ptde", ptde, 1)],
        cwd=cwd,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("ptde settings >&-", 0),
        ("ptde settings 2>&-", 0),
        ("ptde settings >&- 2>&- <&-", 0),
        ("ptde collect nowhere.pt 2>&-", 2),
        ("ptde settings | true; exit ${PIPESTATUS[0]}", 1),
        ("ptde settings > /dev/full", 2),
    ],
)
def test_streams_that_are_closed_full_or_not_read(line: str, code: int, tmp_path: Path) -> None:
    ended = shell(line, tmp_path)
    assert ended.returncode == code or (code == 1 and ended.returncode == 0), "a fast reader may have read it all"
    assert "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr
    assert ended.stderr.count("\n") <= 1
    assert not list(tmp_path.iterdir())


def test_a_full_standard_output_is_called_so_after_the_work_too(trained_run: RunFolder, tmp_path: Path) -> None:
    own = shutil.copytree(trained_run.path, tmp_path / "run")
    ended = shell(f"ptde evaluate '{own}/teacher.pt' --episodes 2 --quiet > /dev/full", tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.startswith("ptde: cannot use standard output or the current folder: no space left")


def test_an_empty_word_is_no_folder(ptde: Type, tmp_path: Path) -> None:
    ended = ptde("train-teacher", "--env", "game", "--map", "two-step", "--out", "")
    assert (ended.code, ended.out) == (2, "")
    assert "one of the words typed is empty" in ended.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_without_our_characters(encoding: str, tmp_path: Path) -> None:
    ended = shell("ptde settings evaluate", tmp_path, PYTHONIOENCODING=encoding)
    assert ended.returncode == 0
    assert "\\u2265 1" in ended.stdout


def test_a_folder_that_no_longer_exists(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    ended = shell("cd gone && rmdir ../gone && ptde maps", tmp_path)
    assert ended.returncode == 2
    assert ended.stderr == "ptde: the current folder no longer exists; cd to another one\n"


@pytest.mark.parametrize("command", ["report", "curves --out", "compare"])
def test_an_output_that_cannot_be_is_told_before_the_work(command: str, ptde: Type, pipeline: Pipeline) -> None:
    Path("taken").write_text("")
    words = {
        "report": ("report", pipeline.cwd, "--out", "taken/report.txt"),
        "curves --out": ("curves", pipeline.cwd, "--out", "taken/curves.png"),
        "compare": ("compare", pipeline.run, pipeline.run, "--out", "taken/compare.txt"),
    }[command]
    ended = ptde(*words)
    assert ended.code == 2
    assert ended.err == "ptde: cannot use taken: not a directory; give another path\n"


def test_a_report_replaces_an_older_one_whole_and_makes_its_folder(ptde: Type, pipeline: Pipeline) -> None:
    for _ in range(2):
        assert ptde("report", pipeline.cwd, "--out", "new/report.txt").code == 0
        assert [path.name for path in Path("new").iterdir()] == ["report.txt"]
    assert "Win rates" in Path("new/report.txt").read_text()


def test_a_teacher_that_was_deleted_is_written_again(ptde: Type, pipeline: Pipeline) -> None:
    shutil.copytree(pipeline.run, "run")
    before = Path("run/teacher.pt").read_bytes()
    Path("run/teacher.pt").unlink()
    refused = ptde("evaluate", "run/teacher.pt")
    assert "`ptde train-teacher --resume --out run` writes its teacher again" in refused.err
    assert ptde("train-teacher", "--resume", "--out", "run").code == 0
    assert len(Path("run/teacher.pt").read_bytes()) == len(before)
    assert ptde("evaluate", "run/teacher.pt", "--episodes", "2").code == 0
    Path("run/teacher.pt").unlink()
    shutil.rmtree("run/resume")
    told = ptde("train-teacher", "--resume", "--out", "run")
    assert told.code == 2
    assert "its teacher.pt is gone, and so is what it could be written from; bring the file back, or train" in told.err


@pytest.mark.parametrize("moment", [1, 4, 9, 15])
def test_a_training_whose_disk_is_full_at_any_moment_goes_on(
    moment: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every file that is synced from that moment on fails."""
    run, settings = RunFolder(tmp_path / "run"), game_settings(steps=300, test_every=100, checkpoint_seconds=0.0)
    sync, synced = os.fsync, 0

    def full(descriptor: int) -> None:
        nonlocal synced
        synced += 1
        if synced > moment:
            raise OSError(28, os.strerror(28))
        sync(descriptor)

    monkeypatch.setattr("ptde_core.storage.whole_file.os.fsync", full)
    with pytest.raises(StorageError, match="no space left on device"):
        train_teacher(settings, run)
    monkeypatch.setattr("ptde_core.storage.whole_file.os.fsync", sync)
    assert not run.status.exists() or read_state(run) in {"failed", "interrupted"}
    assert not list(run.path.rglob("*.partial"))
    train_teacher(settings, run, resume=True)
    assert read_state(run) == "finished"


OWN_FILES = (
    "teacher.pt",
    "student.pt",
    "evaluation.json",
    "config.json",
    "metrics.jsonl",
    "episodes.h5",
    "status.json",
)


@pytest.mark.parametrize("name", ["replays", "students-best", "checkpoints"])
def test_no_table_takes_the_place_of_a_folder_that_a_run_may_need(name: str, ptde: Type, pipeline: Pipeline) -> None:
    shutil.copytree(pipeline.run, "run")
    before = sorted(Path("run").iterdir())
    ended = ptde("report", "run", "--out", f"run/{name}")
    assert (ended.code, ended.out) == (2, "")
    assert sorted(Path("run").iterdir()) == before


@pytest.mark.parametrize("name", [*OWN_FILES, "gate.toml"])
def test_no_table_takes_the_place_of_what_a_run_is_made_of(name: str, ptde: Type, pipeline: Pipeline) -> None:
    shutil.copytree(pipeline.run, "run")
    Path("run/gate.toml").write_text("limit = 3\n")
    before = Path("run", name).read_bytes()
    for words in (
        ("report", "run"),
        ("compare", "run", pipeline.run),
        ("calibrate", "--map", "3m"),
    ):
        ended = ptde(*words, "--out", f"run/{name}")
        assert (ended.code, ended.out) == (2, "")
        assert f"run/{name} is there, and is none of the texts" in ended.err
    ended = ptde("reproduce", "table2", "--from", "run", "--page", f"run/{name}", "--quiet")
    assert ended.code == 2
    assert "is there, and is none of the texts" in ended.err
    assert Path("run", name).read_bytes() == before
