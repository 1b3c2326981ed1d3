"""Football without its engine: names of maps, what agents see, the checkpoint reward. Worked out by hand."""

import importlib.util

import numpy as np
import pytest

from ptde_core.base.errors import PtdeError
from ptde_core.envs.engines.football.features import Features
from ptde_core.envs.engines.football.football_engine import build_football
from ptde_core.envs.engines.football.rewards import Checkpoints
from ptde_core.envs.engines.football.scenarios import FootballMap, measured_on, read_map
from ptde_core.runs.stage_settings import train_teacher_settings

# A keeper and one of ours against one: the engine's words.
RAW = {
    "left_team": np.array([[-1.0, 0.0], [0.5, 0.1]]),
    "left_team_direction": np.array([[0.0, 0.0], [0.01, -0.02]]),
    "left_team_tired_factor": np.array([0.0, 0.25]),
    "left_team_roles": np.array([0, 5]),
    "right_team": np.array([[0.75, -0.1]]),
    "right_team_direction": np.array([[-0.01, 0.0]]),
    "right_team_tired_factor": np.array([0.5]),
    "right_team_roles": np.array([1]),
    "ball": np.array([0.52, 0.1, 0.3]),
    "ball_direction": np.array([0.03, 0.0, -0.5]),
    "ball_rotation": np.array([0.0, 0.001, -0.002]),
    "ball_owned_team": 0,
    "ball_owned_player": 1,
}


def test_an_agents_view() -> None:
    features = Features(RAW, (1,))
    out = np.zeros((1, len(features.obs_names)), np.float32)
    features.observe(RAW, out)
    seen = dict(zip(features.obs_names, out[0].tolist(), strict=True))
    wanted = {
        "own_x": 0.5,
        "own_y": 0.1,
        "own_speed_x": 1.0,
        "own_speed_y": -2.0,
        "left_0_rel_x": -1.5,
        "left_0_rel_y": -0.1,
        "left_0_rel_speed_x": -1.0,
        "left_0_rel_speed_y": 2.0,
        "left_1_rel_x": 0.0,
        "left_1_rel_y": 0.0,
        "left_1_rel_speed_x": 0.0,
        "left_1_rel_speed_y": 0.0,
        "right_0_rel_x": 0.25,
        "right_0_rel_y": -0.2,
        "right_0_rel_speed_x": -2.0,
        "right_0_rel_speed_y": 2.0,
        "ball_x": 0.52,
        "ball_y": 0.1,
        "ball_z": 0.03,
        "ball_of_nobody": 0,
        "ball_of_left": 1,
        "ball_of_right": 0,
    }
    assert seen == pytest.approx(wanted)


def test_the_state() -> None:
    features = Features(RAW, (1,))
    out = np.zeros(len(features.state_names), np.float32)
    features.state(RAW, out)
    said = dict(zip(features.state_names, out.tolist(), strict=True))
    assert len(said) == 3 * (5 + 3) + 9 + 3 + 3
    assert [said[f"left_1_{name}"] for name in ("x", "y", "speed_x", "speed_y", "tired")] == pytest.approx(
        [0.5, 0.1, 1.0, -2.0, 0.25]
    )
    assert [name for name, value in said.items() if "role" in name and value] == [
        "left_0_role_GK",
        "left_1_role_CM",
        "right_0_role_CB",
    ]
    assert [said[f"ball_speed_{axis}"] for axis in "xyz"] == pytest.approx([3.0, 0.0, -0.5])
    assert [said[f"ball_rotation_{axis}"] for axis in "xyz"] == pytest.approx([0.0, 0.1, -0.2])
    assert [name for name, value in said.items() if "ball_of" in name and value] == ["ball_of_left", "ball_of_left_1"]
    features.state(RAW | {"ball_owned_team": 1, "ball_owned_player": 0}, out)
    assert out[-6:].tolist() == [0, 0, 1, 0, 0, 1]
    features.state(RAW | {"ball_owned_team": -1, "ball_owned_player": -1}, out)
    assert out[-6:].tolist() == [1, 0, 0, 0, 0, 0]


def test_checkpoints_pay_once_and_a_goal_pays_the_rest() -> None:
    checkpoints = Checkpoints()

    def at(x: float, team: int = 0, scored: bool = False) -> float:
        return checkpoints.reward({"ball": [x, 0.0, 0.0], "ball_owned_team": team}, scored)

    assert at(0.0) == 0.0  # 1.0 from the goal, the first checkpoint is at 0.99
    assert at(0.62) == pytest.approx(0.7)  # 0.38 from it: those at 0.99, 0.901, ... 0.457
    assert at(0.62) == 0.0
    assert at(0.9, team=1) == 0.0
    assert at(0.9, team=-1) == 0.0
    assert at(1.0, scored=True) == pytest.approx(0.3)
    checkpoints.reset()
    assert at(1.0, team=-1, scored=True) == pytest.approx(1.0)


def test_a_map_and_its_options() -> None:
    assert read_map("academy_counterattack_easy") == FootballMap("academy_counterattack_easy", False, 150)
    whole = "academy_3_vs_1_with_keeper:checkpoints:limit=400"
    assert read_map(whole) == FootballMap("academy_3_vs_1_with_keeper", True, 400)
    assert measured_on(whole) == "academy_3_vs_1_with_keeper:limit=400"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("academy_3_vs_1", "did you mean 'academy_3_vs_1_with_keeper'"),
        ("academy_3_vs_1_with_keeper:checkpoint", "'checkpoint' is no option"),
        ("academy_3_vs_1_with_keeper:limit=0", "'limit=0' is no option"),
        ("academy_3_vs_1_with_keeper:limit=401", "STEPS from 1 to 400"),
    ],
)
def test_a_wrong_map_is_refused(name: str, says: str) -> None:
    with pytest.raises(PtdeError) as told:
        read_map(name)
    assert says in f"{told.value.problem} {told.value.fix}"


def test_without_gfootball_the_way_to_get_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(PtdeError, match="gfootball is not installed") as told:
        build_football("academy_3_vs_1_with_keeper", 1)
    assert "apt-get install -y build-essential" in told.value.fix
    assert "--no-build-isolation gfootball==2.10.2" in told.value.fix


def test_a_map_with_options_has_the_preset_of_its_scenario() -> None:
    plain = train_teacher_settings({"env": "football", "map": "academy_3_vs_2_with_keeper"})
    assert (plain.steps, plain.n_envs) == (10_000_000, 8)
    assert train_teacher_settings({"map": "academy_3_vs_2_with_keeper:limit=200"}).steps == 10_000_000
