"""A finished run of all stages on a small game, to be spoilt."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ptde_core.envs.small_games import GAMES
from ptde_core.storage.run_folder import RunFolder
from tests.pipelines import pipeline


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    run = RunFolder(tmp_path_factory.mktemp("finished") / "run")
    pipeline(run)
    return run


@pytest.fixture
def run(finished: RunFolder, tmp_path: Path) -> RunFolder:
    return RunFolder(shutil.copytree(finished.path, tmp_path / "run"))


@pytest.fixture
def another_world(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """The run, and a newer version of its game's rules."""
    game = GAMES["personal-signal"]
    monkeypatch.setattr(game, "spec", replace(game.spec, version="2"))
    return run
