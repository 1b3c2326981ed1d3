"""Hand-worked availability, observations, states and rewards of crafted battles.

Source: smac-contract#availability, #views, #reward, #ends.
"""

import numpy as np
import pytest
from numpy.typing import NDArray

from ptde_core.base.errors import PtdeError
from ptde_core.envs.skirmish.map_files import build_map, load_map
from ptde_core.envs.skirmish.skirmish import Skirmish


def ready(name: str, seed: int = 0) -> tuple[Skirmish, NDArray[np.void]]:
    env = Skirmish(name, 1)
    env.reset(np.array([seed], np.uint64))
    return env, env.raw_units()


def test_marines_by_hand() -> None:
    env, raw = ready("3m")
    unit = raw[0]
    unit["x"] = [10.0, 13.0, 10.0, 16.0, 18.9, 19.0]
    unit["y"] = [10.0, 14.0, 22.5, 10.0, 10.0, 10.0]
    unit["health"] = [45.0, 9.0, 45.0, 30.0, 45.0, 45.0]
    unit["cooldown"] = [7.5, 0.0, 0.0, 0.0, 0.0, 0.0]
    env.set_units(raw)
    assert env.available[0, 0].tolist() == [False, True, True, True, True, True, True, False, False]
    assert env.available[0, 2, 2:6].tolist() == [True, True, True, True]  # y 23.5: still a cell of the band
    expected = np.zeros(30)
    expected[:4] = 1
    expected[4:9] = [1, 6 / 9, 6 / 9, 0, 30 / 45]  # 6.0 away: attack offered
    expected[9:14] = [0, 8.9 / 9, 8.9 / 9, 0, 1]  # seen, too far to attack
    # enemy 2 is exactly 9.0 away: not seen (strict)
    expected[19:24] = [1, 5 / 9, 3 / 9, 4 / 9, 9 / 45]
    expected[29] = 1.0
    # ally 2 is 12.5 away: zeros
    np.testing.assert_allclose(env.obs[0, 0], expected, atol=1e-6)
    state = np.zeros(48)
    state[0:4] = [1, 7.5 / 15, -6 / 32, -6 / 32]
    state[4:8] = [9 / 45, 0, -3 / 32, -2 / 32]
    state[8:12] = [1, 0, -6 / 32, 6.5 / 32]
    state[12:15] = [30 / 45, 0, -6 / 32]
    state[15:18] = [1, 2.9 / 32, -6 / 32]
    state[18:21] = [1, 3 / 32, -6 / 32]
    np.testing.assert_allclose(env.state[0], state, atol=1e-6)


def test_dead_units_are_zeros_and_may_only_do_nothing() -> None:
    env, raw = ready("3m")
    raw["alive"][0, [1, 4]] = False
    env.set_units(raw)
    assert env.available[0, 1].tolist() == [True] + [False] * 8
    assert not env.obs[0, 1].any()
    assert not env.state[0, 4:8].any()
    assert not env.state[0, 15:18].any()
    env.step(np.array([[1, 0, 2]]))
    last = env.state[0, 21:].reshape(3, 9)
    assert last.argmax(axis=1).tolist() == [1, 0, 2]
    assert last.sum() == 3


def test_last_actions_are_empty_at_reset() -> None:
    env, _ = ready("2s3z")
    assert not env.state[0, -55:].any()


def test_swapped_enemy_type_bits_and_shields() -> None:
    env, raw = ready("2s3z")
    raw["x"][0] = [10, 11, 10, 11, 12, 14, 30, 30, 15, 30]
    raw["y"][0] = [10, 12, 14, 14, 14, 10, 10, 12, 10, 14]
    raw["shield"][0, 5] = 20.0
    env.set_units(raw)
    types = [env._roster.units[5 + e].name for e in range(5)]
    assert types == ["stalker"] * 2 + ["zealot"] * 3
    row = env.obs[0, 0, 4 : 4 + 8]
    np.testing.assert_allclose(row, [1, 4 / 9, 4 / 9, 0, 1, 20 / 80, 0, 1], atol=1e-6)  # stalker: bit 1 among enemies
    zealot = env.obs[0, 0, 4 + 3 * 8 : 4 + 4 * 8]
    np.testing.assert_allclose(zealot, [1, 5 / 9, 5 / 9, 0, 1, 1, 1, 0], atol=1e-6)
    np.testing.assert_allclose(env.obs[0, 0, -4:], [1, 1, 1, 0], atol=1e-6)  # own: stalker is bit 0 among allies
    np.testing.assert_allclose(env.state[0, :7], [1, 0, -6 / 32, -6 / 32, 1, 1, 0], atol=1e-6)


def test_medivac_heals_by_index_and_its_column_shows_it() -> None:
    env, raw = ready("MMM2")
    raw["x"][0, :10] = [10, 11, 12, 13, 14, 15, 16, 17, 30, 10]
    raw["y"][0, :10] = 12.0
    raw["x"][0, 10:], raw["y"][0, 10:] = np.linspace(1, 5, 12), 22.0
    raw["energy"][0, 9] = 80.0
    env.set_units(raw)
    offered = env.available[0, 9]
    assert offered[6:16].tolist() == [True] * 7 + [False] * 3  # 17 is 7 away, itself never
    assert not offered[16:].any()
    available = env.obs[0, 9, 4 : 4 + 12 * 8].reshape(12, 8)[:, 0]
    seen = np.hypot(raw["x"][0, 10:] - 10, 10.0) < 9
    assert not available[~seen].any()
    env.step(np.array([[1, 1, 1, 1, 1, 1, 1, 1, 1, 6]]))
    row = env.state[0, 9 * 7 : 10 * 7]
    assert row[1] == pytest.approx((80.0 + 8 * 0.5625 / 16) / 200)  # nothing to heal: only the energy's growth


def test_medivac_column_shows_heal_of_ally_with_the_enemys_index() -> None:
    env, raw = ready("MMM")
    raw["x"][0, :10], raw["y"][0, :10] = [10, 11, 12, 13, 14, 15, 15.5, 25, 26, 10], 12.0
    raw["x"][0, 10:], raw["y"][0, 10:] = 12.0, np.linspace(13, 20, 10)
    env.set_units(raw)
    column = env.obs[0, 9, 4 : 4 + 80].reshape(10, 8)[:, 0]
    assert column.tolist() == [1, 1, 1, 1, 1, 1, 1, 0, 0, 0]


@pytest.mark.parametrize("name", ["3m", "3s_vs_5z", "6h_vs_8z", "corridor", "MMM", "2s3z", "bane_vs_bane"])
def test_reward_is_the_absolute_change_of_the_enemies(name: str) -> None:
    env, raw = ready(name, seed=3)
    n = env.spec.n_agents
    generator = np.random.default_rng(3)
    scale = (200 + sum(u.health + u.shield + 10 for u in env.facts.facts(1))) / 20
    while not (env.terminated | env.truncated)[0]:
        env.step(np.where(env.available, generator.random(env.available.shape), -1.0).argmax(axis=-1))
        now = env.raw_units()
        before, after = raw[0, n:], now[0, n:]
        worth = before["health"] + before["shield"] - after["health"] - after["shield"]
        total = worth.sum() + 10 * (before["alive"] & ~after["alive"]).sum()
        assert env.reward[0] == pytest.approx((abs(total) + 200 * env.won[0]) / scale, abs=1e-5)
        raw = now


def test_regeneration_alone_pays() -> None:
    env, raw = ready("3s_vs_3z")
    raw["x"][0, :3], raw["y"][0, :3] = [29, 30.5, 29], [29, 29, 31]
    raw["shield"][0, 3:] = 10.0
    env.set_units(raw)
    env._battles.real[:, 11] = 1000.0  # quiet for long
    env.step(np.ones((1, 3), np.int64))
    assert env.reward[0] == pytest.approx(3 * 8 * 0.125 / 34)


def outcome(name: str, alive: list[bool]) -> Skirmish:
    env, raw = ready(name)
    raw["alive"][0] = alive
    raw["x"][0, : env.spec.n_agents] = np.linspace(1, 8, env.spec.n_agents)
    raw["y"][0, : env.spec.n_agents] = 9.0
    raw["x"][0, env.spec.n_agents :] = np.linspace(24, 31, len(alive) - env.spec.n_agents)
    raw["y"][0, env.spec.n_agents :] = 23.0
    env.set_units(raw)
    env.step(env.available.argmax(axis=-1))
    return env


def test_outcomes() -> None:
    won = outcome("3m", [True, False, False] + [False] * 3)
    assert won.won[0]
    assert won.terminated[0]
    assert won.reward[0] == pytest.approx(200 / 18.25)
    lost = outcome("3m", [False] * 3 + [True] * 3)
    assert lost.terminated[0]
    assert not lost.won[0]
    drawn = outcome("3m", [False] * 6)
    assert drawn.terminated[0]
    assert not drawn.won[0]


def test_medivac_maps_end_by_their_own_rules() -> None:
    fighters, medivac = [True] * 9, [True]
    assert outcome("MMM", [False] * 9 + medivac + fighters + medivac).terminated[0]
    left = outcome("MMM", fighters + medivac + [False] * 9 + medivac)
    assert left.won[0]
    both = outcome("MMM", [False] * 9 + medivac + [False] * 10)  # a won fight, but only the medivac is left
    assert both.terminated[0]
    assert not both.won[0]


def test_set_units_mirrors_raw_units() -> None:
    env, raw = ready("3s5z")
    raw["x"] += 0.25
    raw["shield"][0, 3] = 7.5
    env.set_units(raw)
    again = env.raw_units()
    for field in ("x", "y", "health", "shield", "energy", "cooldown", "alive", "owner", "type"):
        assert np.array_equal(raw[field], again[field]), field
    wrong = raw.copy()
    wrong["owner"][0, 0] = 1
    with pytest.raises(ValueError, match="owner"):
        env.set_units(wrong)


def test_unknown_map_offers_the_nearest() -> None:
    with pytest.raises(PtdeError, match="did you mean '3s_vs_8z'"):
        load_map("3s_vs_8zz")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"limit": 0}, "limit = 0"),
        ({"terrain": "bands"}, "did you mean 'band'"),
        ({"terrain": ["...", "....", "...."]}, "terrain row"),
        ({"allies": []}, "allies"),
        ({"allies": [{"type": "marine", "count": 1, "x": 1, "y": 1}]}, "not on walkable ground"),
        ({"allies": [{"type": "marin", "count": 1, "x": 9, "y": 16}]}, "did you mean 'marine'"),
        ({"enemy_order": {"kind": "attack_move"}}, "takes x, y"),
        ({"limits": 3}, "did you mean 'limit'"),
        ({"switches": {"squeze": 1}}, "squeze"),
    ],
)
def test_faulty_maps_are_told_plainly(change: dict[str, object], says: str) -> None:
    table: dict[str, object] = {
        "terrain": "band",
        "limit": 10,
        "allies": [{"type": "marine", "count": 1, "x": 9, "y": 16}],
        "enemies": [{"type": "zealot", "count": 1, "x": 12, "y": 16}],
        "enemy_order": {"kind": "none"},
    }
    with pytest.raises(PtdeError, match=says):
        build_map("mine", table | change)
