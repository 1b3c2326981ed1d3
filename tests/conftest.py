"""Fixtures that several kinds of tests use: small settings and small trained runs on the built-in games."""

import os

# Networks this small gain nothing from threads, and lose much where tests share the cores. Before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from pathlib import Path
from typing import Any

import pytest

from ptde_core.algorithms.training_settings import TrainTeacherSettings
from ptde_core.pipeline.train_teacher import train_teacher
from ptde_core.runs.stage_settings import train_teacher_settings
from ptde_core.storage.run_folder import RunFolder


def game_settings(**changes: Any) -> TrainTeacherSettings:
    """Settings that learn a small game within seconds."""
    values = {
        "env": "game",
        "map": "personal-signal",
        "steps": 3000,
        "batch_episodes": 32,
        "epsilon_steps": 2000,
        "test_every": 1000,
        "target_every_episodes": 50,
        "learning_rate": 3e-3,
    }
    return train_teacher_settings(values | changes)


def mappo_game_settings(**changes: Any) -> TrainTeacherSettings:
    """The same for MAPPO: rollouts of some 64 episodes, and larger steps than on battles."""
    values = {
        "alg": "mappo",
        "env": "game",
        "map": "personal-signal",
        "steps": 3000,
        "n_envs": 16,
        "rollout_steps": 190,
        "learning_rate": 3e-3,
        "epochs": 8,
        "test_every": 1000,
    }
    return train_teacher_settings(values | changes)


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A finished teacher with agent-specific information on personal-signal. Tests must not write into it."""
    run = RunFolder(Path(tmp_path_factory.mktemp("trained")) / "run")
    train_teacher(game_settings(), run)
    return run
