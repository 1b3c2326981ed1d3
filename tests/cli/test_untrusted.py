"""Commands given files of others, numbers without a bound, and trainings that go wrong."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks.fuzz import teacher_content
from ptde_core.base.made_from import KEY, MadeFrom, World
from ptde_core.storage.checkpoint import save_checkpoint
from ptde_core.storage.config_file import write_config
from tests.cli.conftest import Type
from tests.cli.test_errors import assert_one_sentence

EVIL = "open('ran', 'w').close()\ndef parallel_env():\n    open('called', 'w').close()\n"
GAME = ("--env", "game", "--map", "personal-signal", "--steps", "600", "--set", "batch_episodes=8")


@pytest.fixture
def evil(tmp_path: Path) -> dict[str, str]:
    """A module beside the user that leaves a trace if it is imported; the settings that name it."""
    (tmp_path / "evil.py").write_text(EVIL)
    return {"env": "pettingzoo", "map": "evil:parallel_env"}


def made_from(settings: Mapping[str, Any]) -> MadeFrom:
    """What a teacher of these settings would say of itself."""
    world = World(environment=settings["env"], version="1", map=settings["map"])
    return MadeFrom(stage="train-teacher", world=world, settings=dict(settings))


@pytest.mark.parametrize("command", ["evaluate", "collect", "distill"])
def test_a_checkpoint_chooses_no_code(command: str, evil: dict[str, str], ptde: Type, tmp_path: Path) -> None:
    content = teacher_content()
    content["settings"] = content["settings"] | evil
    content["env"] = content["env"] | {"backend": evil["env"], "map": evil["map"]}
    content[KEY] = made_from(content["settings"]).plain()
    save_checkpoint(tmp_path / "teacher.pt", "teacher", content)
    ended = ptde(command, "teacher.pt", "--quiet")
    assert_one_sentence(ended, "evil:parallel_env", "--trust")
    assert not (tmp_path / "ran").exists()
    assert "--trust" not in ptde(command, "teacher.pt", "--quiet", "--trust").err
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("place", ["settings", "config"])
def test_settings_in_files_choose_no_code(place: str, evil: dict[str, str], ptde: Type, tmp_path: Path) -> None:
    if place == "settings":
        (tmp_path / "s.toml").write_text("\n".join(f"{key} = '{value}'" for key, value in evil.items()))
        words = ("--config", "s.toml")
    else:
        (tmp_path / "out").mkdir()
        settings = teacher_content()["settings"] | evil
        write_config(tmp_path / "out" / "config.json", settings, made_from(settings))
        words = ("--resume", "--out", "out")
    assert_one_sentence(ptde("train-teacher", *words), "evil:parallel_env", "--trust")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("train-teacher --config /dev/zero", ("/dev/zero is a device",)),
        ("train-teacher --set n_envs=1000000", ("n_envs = 1000000", "less than or equal to 4096")),
        ("train-teacher --seed 18446744073709551615", ("seed = ", "less than or equal to 4294967295")),
        ("train-teacher --seeds 100000000000", ("--seeds",)),
        ("train-teacher --seeds 100000", ("--seeds", "1000")),
        ("train-teacher --set learning_rate=inf", ("learning_rate = inf", "finite")),
        ("train-teacher --set updates_per_round=10000", ("updates_per_round = 10000", "less than or equal to 100")),
        ("train-teacher --alg mappo --set epochs=1000", ("epochs = 1000", "less than or equal to 100")),
        ("train-teacher --alg mappo --set minibatches=10000", ("minibatches = 10000", "less than or equal to 100")),
        ("train-teacher --set hidden_size=1000000000", ("hidden_size", "4096")),
        ("evaluate --episodes 100000000000 t.pt", ("episodes", "less than or equal to 1000000")),
        ("collect --episodes 100000000000 t.pt", ("episodes", "less than or equal to 1000000")),
        ("evaluate --set episodes=nan t.pt", ("episodes = nan",)),
    ],
)
def test_no_number_is_without_a_bound(line: str, parts: tuple[str, ...], ptde: Type) -> None:
    assert_one_sentence(ptde(*line.split()), *parts)


@pytest.mark.parametrize("rate", ["1e6", "1e38"])
def test_weights_that_are_not_finite_stop_the_training(rate: str, ptde: Type, tmp_path: Path) -> None:
    given = (*GAME, "--set", f"learning_rate={rate}", "--set", "gradient_clip=1e30")
    ended = ptde("train-teacher", *given, "--out", "out", "--quiet")
    assert_one_sentence(ended, "weights are not finite at", "env steps", "smaller learning_rate")
    status = json.loads((tmp_path / "out" / "status.json").read_text())
    assert status["state"] == "failed"
    assert "not finite" in status["reason"]
    assert not (tmp_path / "out" / "teacher.pt").exists()


def test_a_teacher_that_has_learned_nothing_is_told_below_its_results(ptde: Type, tmp_path: Path) -> None:
    few = ("--set", "collect.episodes=2", "--set", "distill.steps=5", "--set", "evaluate.episodes=2")
    told = ptde("run", *GAME[:4], "--steps", "20", *few, "--recipe", "paper", "--out", "out", "--quiet")
    assert told.code == 0, told.err
    assert re.search(r"^out/teacher\.pt has learned nothing in \d+ episodes: .*; give more --steps$", told.out, re.M)
    again = ptde("distill", "out", "--steps", "5", "--episodes", "2")
    assert "out/teacher.pt has learned nothing" in again.out
    assert "out/teacher.pt has learned nothing" in again.err


def test_a_fit_that_is_not_finite_saves_no_student(ptde: Type, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "teacher.pt", "teacher", teacher_content())
    given = ("--set", "learning_rate=1e38", "--steps", "200", "--no-evaluate", "--quiet")
    assert_one_sentence(ptde("distill", "teacher.pt", *given), "weights are not finite by step 100")
    assert not (tmp_path / "student.pt").exists()


def test_what_does_not_fit_into_memory_is_not_begun(
    ptde: Type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ptde_core.base.machine_memory.available_bytes", lambda: 50_000_000)
    ended = ptde("train-teacher", *GAME, "--steps", "1000000000", "--set", "replay_episodes=10000000", "--out", "out")
    assert_one_sentence(ended, "can take", "0.1 GB are free", "replay_episodes")
    assert not (tmp_path / "out").exists()


def test_names_of_files_move_no_cursor(ptde: Type, tmp_path: Path) -> None:
    ended = ptde("evaluate", "a\x1b[2J\u202e\nb.pt")
    assert_one_sentence(ended, r"a\u001b[2J\u202e\nb.pt")


@pytest.mark.slow
def test_a_sweeps_file_chooses_no_code(evil: dict[str, str], ptde: Type, tmp_path: Path) -> None:
    settings = "\n".join(f"{key} = '{value}'" for key, value in evil.items())
    (tmp_path / "s.toml").write_text(f"[settings]\n{settings}\nsteps = 10\n")
    assert_one_sentence(ptde("sweep", "s.toml", "--quiet"), "evil:parallel_env", "--trust")
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "runs").exists()
    assert "--trust" not in ptde("sweep", "s.toml", "--quiet", "--trust").err
    assert (tmp_path / "ran").exists()
