"""Interrupted is uninterrupted: kill -9, Ctrl-C and resume give the tensors that an undisturbed training gives."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ptde_core.base.errors import PtdeError
from ptde_core.base.events import Event, Progress
from ptde_core.pipeline import student_fit
from ptde_core.pipeline.collect import collect
from ptde_core.pipeline.distill import distill
from ptde_core.pipeline.train_teacher import train_teacher
from ptde_core.runs.stage_settings import CollectSettings, DistillSettings
from ptde_core.storage.checkpoint import load_checkpoint
from ptde_core.storage.config_file import read_config, write_config
from ptde_core.storage.metrics_file import read_metrics
from ptde_core.storage.run_folder import RunFolder, read_json
from ptde_core.storage.status import read_state
from tests.conftest import game_settings, mappo_game_settings

SETTINGS: dict[str, Any] = {"steps": 2500, "checkpoint_seconds": 0.0, "replay_episodes": 300, "batch_episodes": 16}

PROGRAM = """
import sys, time
from ptde_core.pipeline.train_teacher import train_teacher
from ptde_core.storage.run_folder import RunFolder
from tests.conftest import game_settings
from tests.invariants.test_resume import SETTINGS
from pathlib import Path
run = RunFolder(Path(sys.argv[1]))
train_teacher(game_settings(**SETTINGS), run, resume=True, listen=lambda event: time.sleep(0.005))
"""


def networks(run: RunFolder) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = load_checkpoint(run.teacher, "teacher")["networks"]
    return found


def metrics_without_clocks(run: RunFolder) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in run.metrics.read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in ("env_steps_per_s", "play_share")} for line in lines]


def steps_in_tensorboard(run: RunFolder) -> list[int]:
    reader = EventAccumulator(str(run.tensorboard.parent))
    reader.Reload()
    return [event.step for event in reader.Scalars("play/test_win_rate (fraction)")]


def assert_equal_runs(one: RunFolder, other: RunFolder) -> None:
    first, second = networks(one), networks(other)
    assert all(torch.equal(first[key], second[key]) for key in first)
    last = [load_checkpoint(run.teacher, "teacher").get("last_networks", {}) for run in (one, other)]
    assert all(torch.equal(last[0][key], last[1][key]) for key in last[0] | last[1])
    assert metrics_without_clocks(one) == metrics_without_clocks(other)
    assert (
        steps_in_tensorboard(one)
        == steps_in_tensorboard(other)
        == [row["env_steps"] for row in read_metrics(one.metrics)]
    )


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    run = RunFolder(tmp_path_factory.mktemp("undisturbed") / "run")
    train_teacher(game_settings(**SETTINGS), run)
    return run


def test_the_same_seed_gives_the_same_teacher_bit_for_bit(undisturbed: RunFolder, tmp_path: Path) -> None:
    again = RunFolder(tmp_path / "again")
    train_teacher(game_settings(**SETTINGS), again)
    assert_equal_runs(undisturbed, again)
    other = RunFolder(tmp_path / "other")
    train_teacher(game_settings(**SETTINGS, seed=2), other)
    assert not torch.equal(networks(undisturbed)["trunk.encode.weight"], networks(other)["trunk.encode.weight"])


def test_the_same_seed_gives_the_same_teacher_on_skirmish(tmp_path: Path) -> None:
    runs = [RunFolder(tmp_path / name) for name in ("one", "other")]
    for run in runs:
        train_teacher(game_settings(env="skirmish", map="3m", steps=3000, test_episodes=4), run)
    assert_equal_runs(*runs)


def test_killed_and_resumed_is_undisturbed(undisturbed: RunFolder, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    root = Path(__file__).parents[2]
    for wanted in (3, 6):  # killed twice, each time once some metrics and states have been written
        process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(run.path)], cwd=root)
        state, saves, before = run.resume / "state.pt", 0, None
        deadline = time.monotonic() + 60
        while saves < wanted and process.poll() is None and time.monotonic() < deadline:
            now = state.stat().st_mtime_ns if state.exists() else None
            saves += now != before
            before = now
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert read_state(run) == "interrupted"
    train_teacher(game_settings(**SETTINGS), run, resume=True)
    assert read_state(run) == "finished"
    assert_equal_runs(undisturbed, run)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        pytest.param({"alg": "copa"}, marks=pytest.mark.slow),
        pytest.param({"average_weights": 0.9}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_ctrl_c_saves_and_resume_goes_on(changes: dict[str, Any], undisturbed: RunFolder, tmp_path: Path) -> None:
    run, of_alg = RunFolder(tmp_path / "run"), SETTINGS | changes
    if changes:
        undisturbed = RunFolder(tmp_path / "undisturbed")
        train_teacher(game_settings(**of_alg), undisturbed)

    def interrupt(event: Event) -> None:
        if isinstance(event, Progress) and event.done > 1000:
            signal.raise_signal(signal.SIGINT)

    settings = game_settings(**of_alg | {"checkpoint_seconds": 1000.0})
    with pytest.raises(KeyboardInterrupt):
        train_teacher(settings, run, listen=interrupt)
    assert read_state(run) == "interrupted"
    train_teacher(settings, run, resume=True)
    assert_equal_runs(undisturbed, run)


@pytest.mark.parametrize(
    ("every", "minibatches", "decay"), [(170, 1, 0.0), pytest.param(430, 3, 0.9, marks=pytest.mark.slow)]
)
def test_mappo_interrupted_between_updates_is_undisturbed(
    every: int, minibatches: int, decay: float, tmp_path: Path
) -> None:
    """Stopped again and again, each time with some episodes waiting, their noise of z with them."""
    changes = {"minibatches": minibatches, "average_weights": decay}
    settings = mappo_game_settings(steps=1500, rollout_steps=300, test_every=100, test_episodes=4, **changes)
    whole, run = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "run")
    train_teacher(settings, whole)
    stops = 0

    def interrupt(event: Event) -> None:
        if isinstance(event, Progress) and event.done >= every * (stops + 1):
            signal.raise_signal(signal.SIGINT)

    while read_state(run) != "finished" if run.status.exists() else True:
        try:
            train_teacher(settings, run, resume=True, listen=interrupt)
        except KeyboardInterrupt:
            stops += 1
    assert stops >= 3
    assert_equal_runs(whole, run)


def test_a_run_from_before_a_setting_goes_on_with_what_was_done_then(tmp_path: Path) -> None:
    """Its config.json lacks the younger settings, and has some of QPLEX, which QMIX had then too."""
    settings = game_settings(**SETTINGS | {"steps": 600})
    whole, cut = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "cut")
    train_teacher(settings, whole)

    def interrupt(event: Event) -> None:
        if isinstance(event, Progress):
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train_teacher(settings, cut, listen=interrupt)

    def older(held: Mapping[str, Any]) -> dict[str, Any]:
        younger = ("bootstrap_at_limit", "td_loss_factor")
        return {key: value for key, value in held.items() if key not in younger}

    config = read_config(cut.config)
    then = config.made_from.model_copy(update={"settings": older(config.made_from.settings)})
    write_config(cut.config, older(config.settings), then)
    changed = settings.model_copy(update={"bootstrap_at_limit": False})
    with pytest.raises(PtdeError, match="was trained with bootstrap_at_limit = True, not False"):
        train_teacher(changed, cut, resume=True)
    train_teacher(settings, cut, resume=True)
    assert_equal_runs(whole, cut)


@pytest.mark.parametrize("decay", [pytest.param(0.0, marks=pytest.mark.slow), 0.9])
def test_ctds_resumed_is_undisturbed_teacher_and_student(decay: float, tmp_path: Path) -> None:
    settings = game_settings(**SETTINGS | {"alg": "ctds", "checkpoint_seconds": 1000.0, "average_weights": decay})
    whole, cut = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "cut")
    train_teacher(settings, whole)

    def interrupt(event: Event) -> None:
        if isinstance(event, Progress) and event.done > 1000:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train_teacher(settings, cut, listen=interrupt)
    assert not cut.student.exists()
    train_teacher(settings, cut, resume=True)
    assert_equal_runs(whole, cut)
    one, other = (load_checkpoint(run.student, "student") for run in (whole, cut))
    assert all(torch.equal(one["networks"][key], other["networks"][key]) for key in one["networks"])
    assert one["teacher_id"] == other["teacher_id"] == load_checkpoint(whole.teacher, "teacher")["teacher_id"]


def test_a_folder_that_holds_a_run_is_left_alone(undisturbed: RunFolder) -> None:
    before = undisturbed.teacher.read_bytes()
    with pytest.raises(PtdeError, match="already holds a run"):
        train_teacher(game_settings(**SETTINGS), undisturbed)
    with pytest.raises(PtdeError, match=r"trained with gamma = 0\.99, not 0\.5"):
        train_teacher(game_settings(**SETTINGS, gamma=0.5), undisturbed, resume=True)
    assert undisturbed.teacher.read_bytes() == before
    assert read_json(undisturbed.status, "status")["state"] == "finished"


def test_a_training_that_fails_says_so(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")

    def fail(event: Event) -> None:
        if isinstance(event, Progress):
            raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError):
        train_teacher(game_settings(**SETTINGS), run, listen=fail)
    assert read_state(run) == "failed"
    assert read_json(run.status, "status")["reason"] == "RuntimeError: the disk is full"


VARIANTS: dict[str, dict[str, Any]] = {
    "paper": {},
    "sampled": {"target": "sampled"},
    "recurrent": {"student": "recurrent", "learning_rate_decay": "linear"},
    "values": {"loss": "values"},
    "dagger": {"dagger_rounds": 2, "dagger_episodes": 4},
    "early stopping": {"early_stopping": 30, "check_every": 10, "learning_rate": 3e-3},
    "all": {
        "target": "sampled",
        "student": "recurrent",
        "loss": "values",
        "dagger_rounds": 2,
        "dagger_episodes": 4,
        "early_stopping": 3,
        "check_every": 50,
        "learning_rate": 3e-3,
        "learning_rate_decay": "linear",
    },
}

FITTING = """
import sys, time
from pathlib import Path
from ptde_core.pipeline import student_fit
from ptde_core.pipeline.distill import distill
from ptde_core.runs.stage_settings import DistillSettings
student_fit.SAVE_SECONDS = 0.02
student_fit.SHOW_EVERY = 20
teacher, data, out = map(Path, sys.argv[1:4])
settings = DistillSettings.model_validate_json(sys.argv[4])
distill(teacher, settings, data, out, listen=lambda event: time.sleep(0.01))
"""


def assert_equal_students(one: Path, other: Path) -> None:
    first, second = (load_checkpoint(path, "student") for path in (one, other))
    assert all(torch.equal(first["networks"][key], second["networks"][key]) for key in first["networks"])
    assert first["quality"] == second["quality"]
    assert all(first["fitted"][key] == second["fitted"][key] for key in ("steps", "kept"))


class CrashError(Exception):
    """Stands in for whatever ends a process without warning."""


@pytest.mark.parametrize("variant", VARIANTS)
def test_distillation_that_crashed_twice_is_undisturbed(
    trained_run: RunFolder, tmp_path: Path, variant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = collect(trained_run.teacher, CollectSettings(episodes=20), tmp_path / "e.h5")
    settings = DistillSettings(steps=400, batch_rows=32, **VARIANTS[variant])
    whole = distill(trained_run.teacher, settings, data, tmp_path / "whole.pt")
    monkeypatch.setattr(student_fit, "SHOW_EVERY", 1)
    for crash_at in (135, 290):  # in the first and in a later phase of DAgger, between two checks and two epochs
        monkeypatch.setattr(student_fit, "SAVE_SECONDS", 1e9)

        def crash(event: Event, at: int = crash_at) -> None:
            if isinstance(event, Progress):
                # Saved once, a few steps before the end: what was done after it is lost, and must be done again alike.
                monkeypatch.setattr(student_fit, "SAVE_SECONDS", 0.0 if event.done == at - 7 else 1e9)
                if event.done == at:
                    raise CrashError

        with pytest.raises(CrashError):
            distill(trained_run.teacher, settings, data, tmp_path / "cut.pt", listen=crash)
        assert load_checkpoint(tmp_path / "cut.pt.resume", "distillation")["step"] == crash_at - 7
    assert_equal_students(whole, distill(trained_run.teacher, settings, data, tmp_path / "cut.pt"))
    assert not (tmp_path / "cut.pt.resume").exists()


def test_distillation_killed_is_undisturbed(trained_run: RunFolder, tmp_path: Path) -> None:
    data = collect(trained_run.teacher, CollectSettings(episodes=20), tmp_path / "e.h5")
    settings = DistillSettings(steps=600, batch_rows=32, **VARIANTS["all"])
    whole = distill(trained_run.teacher, settings, data, tmp_path / "whole.pt")
    out, state = tmp_path / "cut.pt", tmp_path / "cut.pt.resume"
    words = [str(trained_run.teacher), str(data), str(out), settings.model_dump_json()]
    process = subprocess.Popen([sys.executable, "-c", FITTING, *words], cwd=Path(__file__).parents[2])
    saves, before = 0, None
    deadline = time.monotonic() + 60
    while saves < 4 and process.poll() is None and time.monotonic() < deadline:
        now = state.stat().st_mtime_ns if state.exists() else None
        saves += now is not None and now != before
        before = now
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not out.exists()
    assert load_checkpoint(state, "distillation")["step"] > 0
    assert_equal_students(whole, distill(trained_run.teacher, settings, data, out))


def test_distillation_interrupted_is_undisturbed(trained_run: RunFolder, tmp_path: Path) -> None:
    data = collect(trained_run.teacher, CollectSettings(episodes=20), tmp_path / "e.h5")
    settings = DistillSettings(steps=1500, batch_rows=32)
    whole = distill(trained_run.teacher, settings, data, tmp_path / "whole.pt")

    def interrupt(event: Event) -> None:
        if isinstance(event, Progress) and event.done == 1000:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        distill(trained_run.teacher, settings, data, tmp_path / "cut.pt", listen=interrupt)
    assert not (tmp_path / "cut.pt").exists()
    resumed = distill(trained_run.teacher, settings, data, tmp_path / "cut.pt")
    assert_equal_students(whole, resumed)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cut.pt", "e.h5", "whole.pt"]
