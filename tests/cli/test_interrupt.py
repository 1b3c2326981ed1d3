import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

import pytest

from ptde_cli.app import Command, main
from tests.cli.conftest import ROOT, Type

GAME = ("--env", "game", "--map", "two-step", "--set", "batch_episodes=8", "--set", "test_episodes=4")
RUN = Path("runs/game/two-step/QMIX_SGI/seed1")
SENTENCE = re.compile(r"ptde: interrupted; to go on, type: (ptde .*)")
DEADLINE = 60.0


def begin(*words: str, cwd: Path, stderr: int) -> subprocess.Popen[str]:
    """Start a command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "ptde_cli", *words],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100", "TERM": "xterm-256color"},
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        preexec_fn=_heed,  # noqa: PLW1509  the tests have no threads that could hold a lock
    )


def _heed() -> None:
    """Take no signal for ignored: a shell's background jobs are born ignoring SIGINT, those of nohup SIGHUP."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def wait_until_it_learns(run: Path) -> None:
    """Until the first line of metrics is there."""
    deadline = time.monotonic() + DEADLINE
    while not (run / "metrics.jsonl").exists():
        assert time.monotonic() < deadline, "the training did not begin"
        time.sleep(0.02)


def test_ctrl_c_tells_the_command_that_goes_on(ptde: Type, tmp_path: Path) -> None:
    process = begin("train-teacher", *GAME, "--steps", "1000000", cwd=tmp_path, stderr=subprocess.PIPE)
    wait_until_it_learns(tmp_path / RUN)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=DEADLINE)
    assert process.returncode == 130
    assert out == ""
    assert "Traceback" not in err
    told = SENTENCE.fullmatch(err.splitlines()[-1])
    assert told
    words = shlex.split(told[1])
    assert words == ["ptde", "train-teacher", *GAME, "--steps", "1000000", "--resume"]
    short = ptde(*words[1:-3], "--steps", "500", "--resume")
    assert (short.code, short.out) == (2, ""), "a resumed run keeps its settings"

    resumed = begin(*words[1:], cwd=tmp_path, stderr=subprocess.PIPE)
    assert resumed.stderr
    begun = next(line for line in resumed.stderr if line.startswith("train-teacher: "))
    resumed.send_signal(signal.SIGINT)
    _, err = resumed.communicate(timeout=DEADLINE)
    assert re.search(r", [\d,]+ done before\)", begun), "it goes on where it was stopped"
    assert err.count("--resume") == 1
    assert resumed.returncode == 130


def test_ctrl_c_while_a_command_is_imported_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(Command, "load", interrupted)
    with pytest.raises(SystemExit, match="130"):
        main(["report"])
    assert capsys.readouterr().err == "ptde: interrupted; to go on, type: ptde report\n"


@pytest.mark.parametrize("number", [pytest.param(signal.SIGTERM, marks=pytest.mark.slow), signal.SIGHUP], ids=str)
def test_a_closed_terminal_or_a_request_to_end_is_like_ctrl_c(number: signal.Signals, tmp_path: Path) -> None:
    process = begin("train-teacher", *GAME, "--steps", "1000000", cwd=tmp_path, stderr=subprocess.PIPE)
    wait_until_it_learns(tmp_path / RUN)
    assert process.stderr
    if number == signal.SIGHUP:
        process.stderr.close()  # nobody can be told any more
    process.send_signal(number)
    process.wait(timeout=DEADLINE)
    for stream in (process.stdout, process.stderr):
        assert stream
        stream.close()
    assert process.returncode == 130
    status = json.loads((tmp_path / RUN / "status.json").read_text())
    assert (status["state"], status["reason"]) == ("interrupted", "stopped by the user")
    assert (tmp_path / RUN / "resume" / "state.pt").exists()


@pytest.mark.slow
def test_ctrl_c_during_run_tells_the_same_command(tmp_path: Path) -> None:
    process = begin("run", *GAME, "--steps", "1000000", cwd=tmp_path, stderr=subprocess.PIPE)
    wait_until_it_learns(tmp_path / RUN)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=DEADLINE)
    assert process.returncode == 130
    told = SENTENCE.fullmatch(err.splitlines()[-1])
    assert told
    assert shlex.split(told[1]) == ["ptde", "run", *GAME, "--steps", "1000000"]


def test_a_terminal_shows_a_bar_with_speed_win_rate_and_time_left(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    process = begin("train-teacher", *GAME, "--steps", "1000", cwd=tmp_path, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:  # how a pseudo-terminal of Linux says that the other side is closed
        pass
    os.close(ours)
    out, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0
    assert out == f"distill it with: ptde distill {RUN}/teacher.pt\n"
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert re.search(r"train-teacher ━+[╸╺━]* +\d+% [\d,]+ env steps/s  won \d+%.*  \d+ s left", text)
    assert re.search(r"train-teacher ━+ 100% .*took \d+ s", text)
