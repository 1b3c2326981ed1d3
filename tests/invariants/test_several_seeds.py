"""Seeds trained at once are what they are one by one, interrupted or not; and what cannot be done so is refused."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from ptde_core.base.errors import PtdeError
from ptde_core.base.events import Event, Progress
from ptde_core.pipeline.evaluate import evaluate
from ptde_core.pipeline.train_teacher import train_teacher, train_teachers
from ptde_core.runs.stage_settings import EvaluateSettings
from ptde_core.storage.checkpoint import load_checkpoint
from ptde_core.storage.run_folder import RunFolder
from ptde_core.storage.status import read_state
from tests.conftest import game_settings
from tests.invariants.test_resume import assert_equal_runs

SMALL: dict[str, Any] = {
    "steps": 300,
    "replay_episodes": 60,
    "batch_episodes": 16,
    "test_every": 150,
    "test_episodes": 4,
}
NEEDS_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def trainings(folder: Path, seeds: tuple[int, ...], **changes: Any) -> list[tuple[Any, RunFolder]]:
    return [(game_settings(**SMALL | changes, seed=seed), RunFolder(folder / f"seed{seed}")) for seed in seeds]


def interrupt_at(steps: int) -> Any:
    def listen(event: Event) -> None:
        if isinstance(event, Progress) and event.done > steps:
            signal.raise_signal(signal.SIGINT)

    return listen


@pytest.mark.parametrize("decay", [0.0, 0.9])
def test_each_of_two_is_its_own_training_and_an_interruption_changes_nothing(decay: float, tmp_path: Path) -> None:
    train_teachers(trainings(tmp_path / "together", (1, 2), average_weights=decay))
    for settings, run in trainings(tmp_path / "alone", (2,), average_weights=decay):
        train_teacher(settings, run)
        other = RunFolder(tmp_path / "together" / run.path.name)
        assert read_state(other) == "finished"
        one, two = (load_checkpoint(folder.teacher, "teacher") for folder in (run, other))
        assert one["counters"] == two["counters"]
        assert ("last_networks" in one) == ("last_networks" in two) == (decay > 0)
        for name, tensor in one["networks"].items():
            # Adam makes full steps of gradients that are nothing but rounding, so some weights drift.
            drift = (tensor - two["networks"][name]).abs()
            assert drift.mean() < 1e-3, name
            assert drift.max() < 2e-2, name
        lines = [[json.loads(line) for line in folder.metrics.read_text().splitlines()] for folder in (run, other)]
        assert [line["env_steps"] for line in lines[0]] == [line["env_steps"] for line in lines[1]]
        for first, second in zip(*lines, strict=True):
            assert first.keys() == second.keys()
            assert first["epsilon"] == second["epsilon"]
            assert first.get("td_loss", 0.0) == pytest.approx(second.get("td_loss", 0.0), rel=1e-2)
    cut = trainings(tmp_path / "cut", (1, 2), average_weights=decay)
    with pytest.raises(KeyboardInterrupt):
        train_teachers(cut, listen=interrupt_at(350))
    assert [read_state(run) for _, run in cut] == ["interrupted", "interrupted"]
    train_teachers(cut, resume=True)
    for _, run in cut:
        assert_equal_runs(run, RunFolder(tmp_path / "together" / run.path.name))


def test_what_cannot_be_stacked_is_refused_before_a_folder_is_made(tmp_path: Path) -> None:
    for changes, told in (
        ({"alg": "copa"}, "copa is trained"),
        ({"alg": "csrl"}, "csrl is trained"),
    ):
        with pytest.raises(PtdeError, match=f"{told} neither several seeds at once nor on a GPU"):
            train_teachers(trainings(tmp_path, (1, 2), **changes))
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_told(tmp_path: Path, trained_run: RunFolder) -> None:
    with pytest.raises(PtdeError, match="torch finds no CUDA device here"):
        train_teachers(trainings(tmp_path, (1,), device="cuda"))
    with pytest.raises(PtdeError, match="torch finds no CUDA device here"):
        evaluate([trained_run.teacher], EvaluateSettings(episodes=4, device="cuda"))
    assert not list(tmp_path.iterdir())


@NEEDS_CUDA
def test_trained_on_cuda_evaluated_on_the_cpu(tmp_path: Path) -> None:
    train_teachers(trainings(tmp_path, (1, 2), device="cuda"))
    on_cpu = evaluate([tmp_path / "seed1" / "teacher.pt"], EvaluateSettings(episodes=4))
    on_cuda = evaluate([tmp_path / "seed1" / "teacher.pt"], EvaluateSettings(episodes=4, device="cuda"))
    assert on_cpu[0].episodes.seed == on_cuda[0].episodes.seed
