"""Learning on games with a known optimum, in seconds: does each part do what it is there for?"""

import json
from pathlib import Path
from typing import Any

import pytest

from ptde_core.algorithms.training_settings import TrainTeacherSettings
from ptde_core.pipeline.train_teacher import train_teacher
from ptde_core.storage.run_folder import RunFolder
from tests.conftest import game_settings, mappo_game_settings


def last_test(settings: TrainTeacherSettings, folder: Path) -> dict[str, float]:
    run = RunFolder(folder)
    train_teacher(settings, run)
    found: dict[str, float] = json.loads(run.metrics.read_text().splitlines()[-1])
    return found


def trained_return(settings: TrainTeacherSettings, folder: Path) -> float:
    return last_test(settings, folder)["test_return"]


def last_test_return(folder: Path, **changes: Any) -> float:
    return trained_return(game_settings(**changes), folder)


@pytest.mark.parametrize(
    ("alg", "payoff"),
    [("qmix", 8.0), *(pytest.param(*one, marks=pytest.mark.slow) for one in (("qplex", 8.0), ("vdn", 7.0)))],
)
def test_qmix_finds_what_a_sum_of_values_cannot_represent(alg: str, payoff: float, tmp_path: Path) -> None:
    """The two-step game of the QMIX paper, under its conditions: full exploration and one-step targets."""
    found = last_test_return(
        tmp_path / "run", map="two-step", alg=alg, global_info="none", epsilon_end=1.0, td_lambda=0.0, steps=6000
    )
    assert found == payoff


def last_payoff(folder: Path, alg: str, seed: int, **changes: Any) -> float:
    """What a training on the non-monotonic game ends with, under full exploration."""
    conditions = {"epsilon_end": 1.0, "learning_rate": 3e-3, "updates_per_round": 4, "batch_episodes": 64}
    game = {"map": "non-monotonic", "global_info": "none", "steps": 3000}
    return last_test_return(folder, alg=alg, seed=seed, **game, **conditions, **changes)


@pytest.mark.slow
def test_qplex_finds_what_monotonic_mixing_cannot_represent(tmp_path: Path) -> None:
    """The best payoff is 6, among -12. QPLEX finds it from some starts (docs/explanation/algorithms/qplex.md)."""
    assert last_payoff(tmp_path / "qmix", "qmix", seed=1) == 0.0
    mixer = {"mixer_heads": 10, "mixer_layers": 3}
    assert any(last_payoff(tmp_path / f"qplex{seed}", "qplex", seed, **mixer) == 6.0 for seed in (1, 2, 3))


def test_qplex_can_use_agent_specific_information(tmp_path: Path) -> None:
    assert last_test_return(tmp_path / "run", map="personal-signal", alg="qplex") == 3.0


@pytest.mark.parametrize(
    ("game", "info", "low", "high"),
    [
        pytest.param("common-signal", "none", 0.7, 1.3, marks=pytest.mark.slow),
        ("common-signal", "unified", 3.0, 3.0),
        pytest.param("common-signal", "agent-specific", 3.0, 3.0, marks=pytest.mark.slow),
        ("personal-signal", "none", 0.7, 1.3),
        ("personal-signal", "unified", 1.3, 2.4),
        ("personal-signal", "agent-specific", 3.0, 3.0),
    ],
)
def test_who_can_use_which_global_information(game: str, info: str, low: float, high: float, tmp_path: Path) -> None:
    """Return 3 is the optimum, 1 is blind chance; unified information cannot tell two agents different things."""
    assert low <= last_test_return(tmp_path / "run", map=game, global_info=info) <= high


@pytest.mark.parametrize(
    ("game", "info", "low", "high"),
    [
        pytest.param("common-signal", "none", 0.7, 1.3, marks=pytest.mark.slow),
        pytest.param("common-signal", "unified", 3.0, 3.0, marks=pytest.mark.slow),
        pytest.param("common-signal", "agent-specific", 3.0, 3.0, marks=pytest.mark.slow),
        pytest.param("personal-signal", "unified", 1.3, 2.7, marks=pytest.mark.slow),
        ("personal-signal", "agent-specific", 3.0, 3.0),
    ],
)
def test_mappo_can_use_the_same(game: str, info: str, low: float, high: float, tmp_path: Path) -> None:
    """Unified information allows 2.5 at most on personal-signal (docs/explanation/algorithms/mappo.md)."""
    assert low <= trained_return(mappo_game_settings(map=game, global_info=info), tmp_path / "run") <= high


def test_four_matrices_are_enough_to_tell_two_agents_apart(tmp_path: Path) -> None:
    """Agent-specific information of rank 4 in place of 64."""
    assert last_test_return(tmp_path / "run", map="personal-signal", info_rank=4) == 3.0


@pytest.mark.parametrize("alg", ["csrl", "copa"])
@pytest.mark.parametrize(("every", "low", "high"), [(1, 3.0, 3.0), pytest.param(4, 1.0, 2.3, marks=pytest.mark.slow)])
def test_what_a_commander_and_a_coach_tell_is_used(
    alg: str, every: int, low: float, high: float, tmp_path: Path
) -> None:
    """Told at each step both solve the game; told once, at the first of its three steps, they know one target of three:
    return 1, and what blind chance gives later.
    """
    assert low <= last_test_return(tmp_path / "run", map="personal-signal", alg=alg, info_every=every) <= high


def test_ctds_solves_on_full_sight_what_its_student_cannot_see(tmp_path: Path) -> None:
    """The student's view shows nothing: it learns the mean of its teacher's values, which is blind chance."""
    found = last_test(game_settings(alg="ctds", map="personal-signal"), tmp_path / "run")
    assert found["test_return"] == 3.0
    assert 0.7 <= found["student_test_return"] <= 1.3


@pytest.mark.slow
def test_ctds_student_is_its_teacher_where_it_sees_enough(tmp_path: Path) -> None:
    full = {"epsilon_end": 1.0, "td_lambda": 0.0, "steps": 6000}  # full exploration, so that both see every branch
    found = last_test(game_settings(alg="ctds", map="two-step", **full), tmp_path / "run")
    assert (found["test_return"], found["student_test_return"]) == (8.0, 8.0)
    assert found["student_value_loss"] < 0.01
