"""Errors in an environment of the user's own, as people meet them: one sentence, and the whole traceback in a file."""

import os
import time
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, spawn

pytest.importorskip("pettingzoo")

GAME = """
import os
from pathlib import Path

from tests.leaving_game import Leaving

class Faulty(Leaving):
    def __init__(self):
        self.fault("build")

    def fault(self, where):
        plan = Path(__file__).with_name(where)
        if not plan.exists():
            return
        if plan.read_text() == "once":
            plan.unlink()
            os._exit(3)
        raise KeyError("reward table")

    def reset(self, seed=None, options=None):
        self.fault("reset" if seed else "build")
        return super().reset(seed)

    def step(self, actions):
        if self.t == 1:
            self.fault("step")
        return super().step(actions)

parallel_env = Faulty
"""
TINY = ("--env", "pettingzoo", "--map", "faulty", "--steps", "12", "--set", "n_envs=1", "--set", "test_episodes=0")
RUN = ("--out", "run", *TINY)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the user's module."""
    (tmp_path / "faulty.py").write_text(GAME)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("where", ["build", "reset", "step"])
def test_an_error_that_comes_back_ends_at_once_and_is_kept_whole(where: str, folder: Path) -> None:
    (folder / where).write_text("always")
    began = time.monotonic()
    ended = spawn("train-teacher", *RUN, cwd=folder)
    assert ended.code == 2
    told = ended.err.splitlines()[-1]
    assert told.startswith(
        "ptde: the environment's own code raises an error, each time at the same place (KeyError: 'r"
    )
    assert "the whole traceback is in run/error.txt" in told
    assert "Traceback" not in ended.err
    trace = (folder / "run" / "error.txt").read_text()
    assert f'{folder / "faulty.py"}", line ' in trace
    assert "KeyError: 'reward table'" in trace
    assert time.monotonic() - began < 120.0, "no row of restarts"
    (folder / where).unlink()
    again = ("--resume",) if (folder / "run" / "config.json").exists() else ()
    assert spawn("train-teacher", *RUN, *again, cwd=folder).code == 0, "mended, it goes on"


@pytest.mark.slow
def test_engines_that_break_are_told_of_wherever_they_play(folder: Path) -> None:
    for words in (
        ("train-teacher", *RUN),
        ("collect", "run/teacher.pt", "--episodes", "2", "--trust"),
        ("evaluate", "run/teacher.pt", "--trust"),
    ):
        (folder / "step").write_text("once")
        more = ("--episodes", "2") if words[0] == "evaluate" else ()
        ended = spawn(*words, *more, cwd=folder, PTDE_ENGINE_SECONDS="60", OMP_NUM_THREADS="1")
        assert ended.code == 0, ended.err
        assert "an engine broke and was started anew (1 in all): it died" in ended.err
        assert not (folder / "step").exists()
    assert not (folder / "run" / "error.txt").exists()
    assert os.fspath(ROOT) not in ended.err
