"""The lock of a run folder: one process at work, others told who, nothing left of it, and the state that it proves."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.fuzz import teacher_content
from ptde_core.base.errors import PtdeError
from ptde_core.pipeline.collect import collect
from ptde_core.pipeline.distill import distill
from ptde_core.pipeline.evaluate import evaluate
from ptde_core.pipeline.train_teacher import train_teacher
from ptde_core.runs.stage_settings import CollectSettings, DistillSettings, EvaluateSettings
from ptde_core.storage.checkpoint import save_checkpoint
from ptde_core.storage.run_folder import RunFolder, read_json
from ptde_core.storage.run_lock import is_held, locked, locked_output
from ptde_core.storage.status import read_state, write_status
from tests.conftest import game_settings


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


HOLD = """
import sys, time
from pathlib import Path
from ptde_core.storage.run_folder import RunFolder
from ptde_core.storage.run_lock import locked
with locked(RunFolder(Path(sys.argv[1])), "train-teacher"):
    print("held", flush=True)
    time.sleep(1000)
"""


def hold(folder: Path) -> subprocess.Popen[str]:
    """Another process that is at work in the folder."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    return process


def test_the_second_is_told_who_is_at_work_and_changes_nothing(trained_run: RunFolder, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    other = hold(run.path)
    try:
        assert is_held(run)
        told = rf"another process is at work in .*run \(process {other.pid} on .*, train-teacher\); wait until"
        with pytest.raises(PtdeError, match=told):
            train_teacher(game_settings(), run)
        run.config.write_text("{}")  # now it is a run, and its own teacher's copy lies in it
        run.teacher.write_bytes(trained_run.teacher.read_bytes())
        for stage in (
            lambda: collect(run.teacher, CollectSettings(episodes=2)),
            lambda: distill(run.teacher, DistillSettings(steps=1)),
        ):
            with pytest.raises(PtdeError, match="another process is at work"):
                stage()
        assert names(run.path) == [".lock", "config.json", "teacher.pt"]
    finally:
        other.kill()
        other.communicate()
    assert is_held(run) is False
    with locked(run, "distill"), locked(run, "evaluate"):
        assert is_held(run)
        assert run.lock.read_text().split()[::2] == [str(os.getpid()), "distill"]
    assert is_held(run) is False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_status_says_running_only_while_somebody_is_at_work(number: int, tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    other = hold(run.path)
    write_status(run, "running")  # by the id of this process, which lives on
    assert read_state(run) == "running"
    other.send_signal(number)
    other.communicate()
    assert read_state(run) == "interrupted"


def test_a_full_disk_does_not_keep_the_state_from_being_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = RunFolder(tmp_path)
    write_status(run, "running", env_steps=123456789)

    def no_room(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("ptde_core.storage.whole_file.os.fsync", no_room)
    write_status(run, "failed", "no space left on device")
    assert read_state(run) == "failed"
    assert read_json(run.status, "status")["reason"] == "no space left on device"


def test_what_was_made_only_for_the_lock_goes_with_it(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "a" / "b" / "run")
    with pytest.raises(ZeroDivisionError), locked(run, "train-teacher"):
        raise ZeroDivisionError
    assert names(tmp_path) == []
    with locked(run, "train-teacher"):
        run.config.write_text("{}")
    assert names(run.path) == [".lock", "config.json"]


def test_leftovers_of_killed_writers_go_when_somebody_begins(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.students.mkdir()
    for folder in (run.path, run.students):
        (folder / ".x.pt.01234567.partial").touch()
    with locked(run, "distill"):
        assert names(run.path) == [".lock", "students"]
        assert names(run.students) == []


WRITTEN = ("resume", "checkpoints", "students", "replays", "figures", "tensorboard", "wandb")


@pytest.mark.parametrize("name", [*WRITTEN, "stale-0123abcd", "stale-0123abcd/students", "until-0000300"])
def test_a_folder_of_a_run_that_is_a_link_is_left_alone(name: str, tmp_path: Path) -> None:
    """Stages delete in their folders what they do not need any more."""
    elsewhere, run = tmp_path / "elsewhere", RunFolder(tmp_path / "run")
    elsewhere.mkdir()
    mine = elsewhere / ".episodes-000001.npz.partial-1"
    mine.write_text("mine")
    (run.path / name).parent.mkdir(parents=True)
    (run.path / name).symlink_to(elsewhere)
    with pytest.raises(PtdeError, match=f"{name}: it is a link"), locked(run, "train-teacher"):
        pytest.fail("it was locked")
    save_checkpoint(run.path / "teacher.pt", "teacher", teacher_content())
    with pytest.raises(PtdeError, match=f"{name}: it is a link"):
        evaluate([run.teacher], EvaluateSettings(episodes=1))
    assert mine.read_text() == "mine"


@pytest.mark.parametrize("kind", ["hard link", "link", "folder"])
def test_a_lock_that_is_something_else_is_refused_and_left_alone(kind: str, tmp_path: Path) -> None:
    run, mine = RunFolder(tmp_path / "run"), tmp_path / "mine"
    run.path.mkdir()
    mine.write_text("mine")
    if kind == "folder":
        run.lock.mkdir()
    elif kind == "link":
        run.lock.symlink_to(mine)
    else:
        run.lock.hardlink_to(mine)
    with pytest.raises(PtdeError, match=r"\.lock as a lock.*; move it away"), locked(run, "train-teacher"):
        pytest.fail("it was locked")
    assert mine.read_text() == "mine"


def test_a_file_outside_a_run_has_a_lock_that_goes(tmp_path: Path) -> None:
    out = tmp_path / "new" / "student.pt"
    with locked_output(out, "distill"):
        assert names(out.parent) == [".student.pt.lock"]
    assert names(tmp_path) == []


def test_a_lock_that_says_nonsense_is_not_repeated(tmp_path: Path) -> None:
    other = hold(tmp_path)
    RunFolder(tmp_path).lock.write_text("\x1b[2J 1 2")
    with pytest.raises(PtdeError) as told, locked(RunFolder(tmp_path), "run"):
        raise AssertionError
    other.kill()
    other.communicate()
    assert str(told.value) == f"another process is at work in {tmp_path}; wait until it is done, or give another folder"
