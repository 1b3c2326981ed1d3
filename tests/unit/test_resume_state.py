"""The state that a training goes on from is checked where it is read: one sentence for each number that cannot be."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from ptde_core.base.errors import PtdeError
from ptde_core.pipeline.train_teacher import train_teacher, train_teachers
from ptde_core.storage.run_folder import RunFolder
from tests.conftest import game_settings

NAN = float("nan")
SMALL: dict[str, Any] = {"steps": 200, "replay_episodes": 50, "batch_episodes": 8}
RECENT = {"episodes": 0, "won": 0, "reward": 0.0, "length": 0}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    run = RunFolder(tmp_path_factory.mktemp("run"))
    train_teacher(game_settings(**SMALL), run, keep_state=True)
    return run


@pytest.mark.parametrize(
    ("where", "value", "why"),
    [
        ("counters.recent", {"episodes": 0.0}, "other counters of the last rounds"),
        ("counters.recent", RECENT | {"more": 1.0}, "other counters of the last rounds"),
        ("counters.recent", RECENT | {"reward": NAN}, "recent.reward: Input should be"),
        ("counters.recent", RECENT | {"won": 3}, "counters of the last rounds that cannot be"),
        ("counters.seconds", NAN, "seconds: .*no time that something can take"),
        ("counters.env_steps", 2**62, "env steps, and its training ends before"),
        ("counters.episodes", 2**63 - 3, "episodes in .* env steps"),
        ("counters.next_test", -1, "next_test: Input should be"),
        ("log", {"nonsense": 1.0}, "no metric named 'nonsense'"),
        ("log", {"td_loss": 1e80}, "td_loss = 1e"),
        ("learner.updates", -(2**63), "updates: Input should be"),
        ("learner.average", {"x": torch.zeros(1)}, "an average of weights, where none is kept"),
    ],
)
def test_a_state_that_cannot_be_is_refused(trained: RunFolder, where: str, value: object, why: str) -> None:
    whole = trained.state.read_bytes()
    state = held = torch.load(trained.state, weights_only=True)
    *parts, last = where.split(".")
    for part in parts:
        held = held[part]
    held[last] = value
    torch.save(state, trained.state)
    try:
        with pytest.raises(PtdeError, match=rf"is not the state of this training \(.*{why}.*; train it anew"):
            train_teacher(game_settings(**SMALL | {"steps": 300}), trained, resume=True, keep_state=True)
    finally:
        trained.state.write_bytes(whole)


def test_so_is_one_of_several_seeds(trained: RunFolder, tmp_path: Path) -> None:
    one = RunFolder(shutil.copytree(trained.path, tmp_path / "seed1"))
    state = torch.load(one.state, weights_only=True)
    state["learner"]["updates"] = "many"
    torch.save(state, one.state)
    both = [
        (game_settings(**SMALL | {"steps": 300, "seed": 1}), one),
        (game_settings(**SMALL | {"steps": 300, "seed": 2}), RunFolder(tmp_path / "seed2")),
    ]
    with pytest.raises(PtdeError, match=r"is not the state of this training \(updates: Input should be"):
        train_teachers(both, resume=True)


def test_a_whole_state_is_gone_on_from(trained: RunFolder) -> None:
    train_teacher(game_settings(**SMALL | {"steps": 400}), trained, resume=True, keep_state=True)
    assert json.loads(trained.status.read_text())["env_steps"] >= 400
