"""`PTDE_KERNELS=off`: a training by torch's operations alone gives the weights that the compiled kernels give."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ptde_core.kernels import arrays
from ptde_core.pipeline.train_teacher import train_teacher
from ptde_core.policies import policy as acting
from ptde_core.policies.policy import Exploration, choose
from ptde_core.storage.checkpoint import load_checkpoint
from ptde_core.storage.run_folder import RunFolder
from tests.conftest import game_settings, mappo_game_settings

SMALL: dict[str, Any] = {
    "steps": 300,
    "batch_episodes": 8,
    "test_episodes": 0,
    "epsilon_steps": 200,
    "learning_rate": 1e-3,
}
TRAININGS = {
    **{f"QMIX, {info}": game_settings(global_info=info, **SMALL) for info in ("none", "unified", "agent-specific")},
    "QMIX, rank 2": game_settings(info_rank=2, **SMALL),
    **{alg: game_settings(alg=alg, **SMALL) for alg in ("vdn", "qplex", "csrl", "copa", "ctds")},
    "mappo": mappo_game_settings(steps=300, test_episodes=0, rollout_steps=50),
}


@pytest.mark.parametrize("name", TRAININGS)
def test_a_training_without_kernels_gives_the_same_weights(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for on in (True, False):
        monkeypatch.setattr(arrays, "_ON", on)
        run = RunFolder(tmp_path / str(on))
        train_teacher(TRAININGS[name], run)
        content = load_checkpoint(run.teacher, "teacher")
        assert content["counters"]["updates"] > 10
        found.append(content["networks"])
    with_kernels, without = found
    for key, weights in with_kernels.items():
        torch.testing.assert_close(
            without[key], weights, atol=1e-4, rtol=1e-4, msg=lambda told, key=key: f"{key}: {told}"
        )


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**31), epsilon=st.sampled_from([0.0, 0.3, 1.0]))
def test_actions_are_chosen_alike(seed: int, epsilon: float) -> None:
    rng = np.random.default_rng(seed)
    values = torch.from_numpy(rng.integers(0, 4, (3, 2, 5)).astype(np.float32))  # ties happen
    available = rng.random((3, 2, 5)) < 0.5
    available[..., 2] = True
    found = []
    for on in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(arrays, "_ON", on)
            chance = {k: np.random.default_rng(seed + k) for k in range(3)}
            found.append(choose(values, available, Exploration(), np.full(3, epsilon), chance))
    assert np.array_equal(*found)


def test_with_kernels_off_none_is_called(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refused(*_: object) -> None:
        raise AssertionError("a kernel was called")

    from ptde_core import kernels

    monkeypatch.setattr(arrays, "_ON", False)
    for name in kernels.__all__:
        kernel = getattr(kernels, name)
        if callable(kernel) and name not in ("are_on", "can_take", "array", "traced"):
            monkeypatch.setattr(kernels, name, refused)
    assert acting.kernels.choose is refused
    for number, one in enumerate(TRAININGS.values()):
        train_teacher(one.model_copy(update={"steps": 60}), RunFolder(tmp_path / str(number)))


@pytest.mark.parametrize(("value", "on"), [("on", "True"), ("off", "False")])
def test_the_environment_switches_them(value: str, on: str) -> None:
    told = _python("from ptde_core import kernels; print(kernels.are_on())", value)
    assert told.stdout.strip() == on


def test_another_word_is_refused() -> None:
    told = _python(
        "from ptde_cli.app import main; main()", "no", "run", "--env", "game", "--map", "two-step", "--out", "x"
    )
    assert told.returncode == 2
    assert "PTDE_KERNELS is 'no', which is neither on nor off" in told.stderr
    assert "Traceback" not in told.stderr


def _python(program: str, value: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *words],
        env=os.environ | {"PTDE_KERNELS": value},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
