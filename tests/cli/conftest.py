"""How tests type commands: in this process where possible, in one of their own where a user's process matters."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from ptde_cli.app import main

ROOT = Path(__file__).parents[2]
TINY_RUN = (
    *("run", "--map", "3m", "--steps", "600"),
    *("--set", "batch_episodes=8", "--set", "test_every=300", "--set", "test_episodes=4", "--set", "average_weights=0"),
    *("--set", "collect.episodes=4", "--set", "distill.steps=200", "--set", "evaluate.episodes=8"),
)
TINY_FOLDER = Path("runs/skirmish/3m/QMIX_SGI/seed1")


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


Type = Callable[..., Ended]


@pytest.fixture
def ptde(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Type:
    """Type a command in an empty folder, in this process."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str | Path) -> Ended:
        with pytest.raises(SystemExit) as stop:
            main([str(word) for word in words])
        shown = capsys.readouterr()
        assert isinstance(stop.value.code, int)
        return Ended(stop.value.code, shown.out, shown.err)

    return run


def spawn(*words: str, cwd: Path, **environment: str) -> Ended:
    """Type a command in a process of its own, as a user does."""
    done = subprocess.run(
        [sys.executable, "-m", "ptde_cli", *words],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class Pipeline:
    """A finished `ptde run` and the folder it was typed in."""

    cwd: Path
    ended: Ended

    @property
    def run(self) -> Path:
        """Its run folder."""
        return self.cwd / TINY_FOLDER


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """`ptde run` on 3m with tiny settings, once for all tests. They must not write into its run folder."""
    cwd = tmp_path_factory.mktemp("pipeline")
    return Pipeline(cwd, spawn(*TINY_RUN, cwd=cwd))
