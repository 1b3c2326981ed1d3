"""Sizes, rewards and index orders of all maps against smac-contract#unit-order, #sizes."""

from dataclasses import replace

import numpy as np
import pytest

from ptde_core.envs.skirmish.layout import build_roster
from ptde_core.envs.skirmish.map_constants import REWARD_SCALE, max_reward
from ptde_core.envs.skirmish.map_files import load_map, map_names
from ptde_core.envs.skirmish.skirmish import Skirmish
from ptde_core.envs.skirmish.spec import VERSION, build_spec

# map: agents, enemies, limit, type bits, actions, obs, state, max reward, divisor (smac-contract#sizes)
SIZES = {
    "3m": (3, 3, 60, 0, 9, 30, 48, 365, 18.25),
    "8m": (8, 8, 120, 0, 14, 80, 168, 640, 32),
    "25m": (25, 25, 150, 0, 31, 250, 950, 1575, 78.75),
    "5m_vs_6m": (5, 6, 70, 0, 12, 55, 98, 530, 26.5),
    "8m_vs_9m": (8, 9, 120, 0, 15, 85, 179, 695, 34.75),
    "10m_vs_11m": (10, 11, 150, 0, 17, 105, 243, 805, 40.25),
    "27m_vs_30m": (27, 30, 180, 0, 36, 285, 1170, 1850, 92.5),
    "MMM": (10, 10, 150, 3, 16, 160, 290, 1015, 50.75),
    "MMM2": (10, 12, 180, 3, 18, 176, 322, 1205, 60.25),
    "2s3z": (5, 5, 120, 2, 11, 80, 120, 1020, 51),
    "3s5z": (8, 8, 150, 2, 14, 128, 216, 1510, 75.5),
    "3s5z_vs_3s6z": (8, 9, 170, 2, 15, 136, 230, 1670, 83.5),
    "3s_vs_3z": (3, 3, 150, 0, 9, 36, 54, 680, 34),
    "3s_vs_4z": (3, 4, 200, 0, 10, 42, 61, 840, 42),
    "3s_vs_5z": (3, 5, 250, 0, 11, 48, 68, 1000, 50),
    "1c3s5z": (9, 9, 180, 3, 15, 162, 270, 1870, 93.5),
    "2m_vs_1z": (2, 1, 150, 0, 7, 16, 26, 360, 18),
    "corridor": (6, 24, 400, 0, 30, 156, 282, 1280, 64),
    "6h_vs_8z": (6, 8, 150, 0, 14, 78, 140, 1480, 74),
    "2s_vs_1sc": (2, 1, 300, 0, 7, 17, 27, 510, 25.5),
    "so_many_baneling": (7, 32, 100, 0, 38, 202, 397, 1480, 74),
    "bane_vs_bane": (24, 24, 200, 2, 30, 336, 984, 1260, 63),
    "2c_vs_64zg": (2, 64, 400, 0, 70, 332, 342, 3080, 154),
    "3s_vs_8z": (3, 8, 350, 0, 14, 66, 89, 1480, 74),
    "3s5z_vs_3s7z": (8, 10, 170, 2, 16, 144, 244, 1830, 91.5),
}

ORDER = {
    "MMM": ["marauder"] * 2 + ["marine"] * 7 + ["medivac"],
    "1c3s5z": ["colossus"] + ["stalker"] * 3 + ["zealot"] * 5,
    "bane_vs_bane": ["baneling"] * 4 + ["zergling"] * 20,
    "2s3z": ["stalker"] * 2 + ["zealot"] * 3,
}


def test_the_table_names_every_map() -> None:
    assert set(map_names()) == set(SIZES)


@pytest.mark.parametrize("name", SIZES)
def test_sizes(name: str) -> None:
    facts = load_map(name)
    spec = build_spec(facts, "skirmish", VERSION)
    agents, enemies, limit, bits, actions, obs, state, most, divisor = SIZES[name]
    assert (spec.n_agents, facts.n_enemies, spec.episode_limit) == (agents, enemies, limit)
    assert (len(facts.ally_type_bits), spec.n_actions) == (bits, actions)
    assert (spec.obs_size, spec.state_size) == (obs, state)
    assert spec.state_one_hot == spec.n_agents * spec.n_actions
    assert max_reward(facts) == most
    assert max_reward(facts) / REWARD_SCALE == divisor


@pytest.mark.parametrize("name", map_names())
def test_start_is_packed_without_overlap(name: str) -> None:
    roster = build_roster(load_map(name))
    gap = np.array([unit.separation for unit in roster.units])
    layer = [set(unit.collides) for unit in roster.units]
    for i in range(len(gap)):
        for j in range(i):
            if layer[i] & layer[j]:
                away = np.hypot(roster.x[i] - roster.x[j], roster.y[i] - roster.y[j])
                assert away >= gap[i] + gap[j] - 1e-9


@pytest.mark.parametrize("name", ORDER)
def test_agents_are_sorted_by_type_then_position(name: str) -> None:
    facts = load_map(name)
    roster = build_roster(facts)
    allies = range(facts.n_agents)
    assert [roster.units[i].name for i in allies] == ORDER[name]
    keys = [(roster.units[i].name, roster.x[i], roster.y[i]) for i in allies]
    assert keys == sorted(keys)


def test_first_unit_of_a_group_stands_on_its_point() -> None:
    roster = build_roster(load_map("8m"))
    spots = set(zip(roster.x.tolist(), roster.y.tolist(), strict=True))
    assert {(9.0, 16.0), (23.0, 16.0)} <= spots


@pytest.mark.parametrize("loops", [0, 2])
def test_head_start(loops: int) -> None:
    """The enemy has walked straight at the allies' spawn point for so many loops of 2.25 / 16 each."""
    facts = load_map("3m")
    env = Skirmish(replace(facts, switches=replace(facts.switches, head_start_loops=loops)), 1)
    env.reset(np.array([5], np.uint64))
    raw = env.raw_units()[0]
    assert np.array_equal(raw["x"][:3], env._roster.x[:3])
    walked = np.hypot(raw["x"] - env._roster.x, raw["y"] - env._roster.y)[3:]
    assert walked.max() == pytest.approx(loops * 2.25 / 16)
