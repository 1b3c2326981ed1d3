"""What must hold in every battle: no overlap, no unit in a wall, no damage lost, mirrored battles, clean seeds."""

from typing import Any

import numpy as np
import pytest

from ptde_core.envs.skirmish import fields as f
from ptde_core.envs.skirmish.map_files import build_map, load_map
from ptde_core.envs.skirmish.scripted import Heuristic, random_actions
from ptde_core.envs.skirmish.skirmish import Skirmish

MAPS = (
    *("3m", "8m", "3s5z", "3s_vs_5z", "6h_vs_8z", "MMM", "corridor", "bane_vs_bane", "2s_vs_1sc", "so_many_baneling"),
    "2c_vs_64zg",  # 66 units, more than a set of units in one number holds
)


def play(name: str, n_envs: int, steps: int):  # type: ignore[no-untyped-def]
    env = Skirmish(name, n_envs)
    env.reset(np.arange(n_envs, dtype=np.uint64) + np.uint64(7))
    generator = np.random.default_rng(0)
    for _ in range(steps):
        if (env.terminated | env.truncated).all():
            return
        env.step(random_actions(env.available, generator))
        yield env


@pytest.mark.parametrize("name", MAPS)
def test_no_unit_overlaps_another_or_a_wall(name: str) -> None:
    for env in play(name, 6, 60):
        raw, tables = env.raw_units(), env._tables
        dx = raw["x"][:, :, None] - raw["x"][:, None]
        dy = raw["y"][:, :, None] - raw["y"][:, None]
        both = raw["alive"][:, :, None] & raw["alive"][:, None]
        slack = np.hypot(dx, dy) - tables.pair[f.GAP]
        assert slack[both & (tables.pair[f.GAP] > 0)].min(initial=0.0) > -1e-6
        reach = np.maximum(tables.body[f.CLEARANCE] - 1e-6, 0.0)  # a zergling's is 0
        for sx in (-1, 1):
            for sy in (-1, 1):
                x, y = raw["x"] + sx * reach, raw["y"] + sy * reach
                on_ground = raw["alive"] & (tables.trait[f.GROUND] == 1)
                cells = tables.floor[np.clip(x.astype(int), 0, 31), np.clip(y.astype(int), 0, 31)]
                assert (cells[on_ground] > 0).all()


@pytest.mark.parametrize("name", ["8m", "25m", "3s5z", "1c3s5z", "MMM2", "6h_vs_8z", "corridor", "2c_vs_64zg"])
def test_damage_dealt_is_health_and_shield_lost_and_overkill(name: str) -> None:
    """Without healing, and before the first shield may recharge, 20 env steps after it was hit."""
    env = Skirmish(load_map(name), 6)  # facts, not the name: tables of its own
    env._tables.body[[f.LIFE_REGEN, f.HEAL_RATE]] = 0.0
    n, real = env.spec.n_agents, env._battles.real
    full = env._tables.body[f.HEALTH_MAX] + env._tables.body[f.SHIELD_MAX]
    env.reset(np.arange(6, dtype=np.uint64))
    generator = np.random.default_rng(0)
    for _ in range(20):
        env.step(random_actions(env.available, generator))
        lost = full - real[:, f.HEALTH] - real[:, f.SHIELD]
        useful = real[:, f.DEALT] - real[:, f.WASTED]
        for shooters, victims in ((slice(0, n), slice(n, None)), (slice(n, None), slice(0, n))):
            np.testing.assert_allclose(useful[:, shooters].sum(axis=1), lost[:, victims].sum(axis=1), atol=1e-9)
    assert (lost.sum(axis=1) > 0).all()


@pytest.mark.parametrize("name", ["3m", "3s_vs_3z", "3s_vs_5z"])
def test_mirrored_map_gives_the_mirrored_battle(name: str) -> None:
    env, mirror = Skirmish(name, 32), Skirmish(name, 32)
    for each in (env, mirror):
        each.reset(np.arange(32, dtype=np.uint64))
    raw = env.raw_units()
    raw["y"] += 0.013 * np.arange(raw.shape[1])  # no exact ties
    env.set_units(raw)
    flipped = raw.copy()
    flipped["y"], flipped["face_y"] = 32.0 - raw["y"], -raw["face_y"]
    mirror.set_units(flipped)
    points = mirror._battles.real[:, f.POINT_Y]
    points[...] = 32.0 - env._battles.real[:, f.POINT_Y]
    generator = np.random.default_rng(0)
    swap = np.arange(env.spec.n_actions)
    swap[[f.NORTH, f.SOUTH]] = [f.SOUTH, f.NORTH]
    for _ in range(10):
        actions = random_actions(env.available, generator)
        env.step(actions)
        mirror.step(swap[actions])
    a, b = env.raw_units(), mirror.raw_units()
    error = np.abs(a["x"] - b["x"]) + np.abs(a["y"] - 32.0 + b["y"]) + np.abs(a["health"] - b["health"])  # (E, U)
    same = (error.max(axis=1) < 1e-6).mean()
    assert same >= 0.5, same  # bodies in exact contact may part by a rounding error, and chaos does the rest


BATTLES = 1024


def fates(name: str, seed: int, renamed: bool) -> tuple[np.ndarray, np.ndarray]:
    """What became of the units after 24 steps of random play, by the place where they started.

    Args:
        name: the map.
        seed: decides facings, chance and actions.
        renamed: the units of each type have traded their places and goals.

    Returns:
        fate: damage dealt and health left (E, 2, U).
        kind: side and type of each place as one number (U,).
    """
    env = Skirmish(name, BATTLES)
    env.reset(np.arange(BATTLES, dtype=np.uint64) + np.uint64(BATTLES * seed))
    raw = env.raw_units()
    kind = 100 * raw["owner"][0].astype(int) + raw["type"][0]
    place = np.arange(len(kind))  # of each unit
    if renamed:
        for one in np.unique(kind):
            place[kind == one] = place[kind == one][::-1]
    raw["x"], raw["y"] = raw["x"][:, place], raw["y"][:, place]
    env.set_units(raw)
    real = env._battles.real
    real[:, [f.POINT_X, f.POINT_Y]] = real[:, [f.POINT_X, f.POINT_Y]][:, :, place]
    generator = np.random.default_rng(seed)
    for _ in range(24):
        env.step(random_actions(env.available, generator))
    return real[:, [f.DEALT, f.HEALTH]][:, :, np.argsort(place)], kind


def standard_errors_apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """How far apart the means over battles are (E, ...) -> (...)."""
    return (a.mean(axis=0) - b.mean(axis=0)) / (np.sqrt((a.var(axis=0) + b.var(axis=0)) / BATTLES) + 1e-9)


def test_what_becomes_of_a_marine_depends_on_its_place_not_on_its_number() -> None:
    apart = standard_errors_apart(fates("8m", 1, renamed=False)[0], fates("8m", 2, renamed=True)[0])  # (2, U)
    assert np.abs(apart).max() < 4.0, apart.round(1)
    assert (apart**2).mean() < 2.0, apart.round(1)


@pytest.mark.parametrize("name", ["8m", "3s5z", "MMM", "corridor"])
def test_renaming_units_of_one_type_does_not_change_the_outcome(name: str) -> None:
    before, kind = fates(name, 1, renamed=False)
    after, _ = fates(name, 2, renamed=True)
    for one in np.unique(kind):
        of_type = np.s_[:, :, kind == one]
        apart = standard_errors_apart(before[of_type].sum(axis=2), after[of_type].sum(axis=2))  # (2,)
        assert np.abs(apart).max() < 4.0, (one, apart)


def test_seeds_differ_and_repeat() -> None:
    env = Skirmish("8m", 3)
    env.reset(np.array([1, 2, 1], np.uint64))
    policy = Heuristic(env)
    for _ in range(18):
        env.step_freely(policy.actions())
    raw = env.raw_units()
    assert np.array_equal(raw[0], raw[2])
    assert not np.array_equal(raw["health"][0], raw["health"][1])


def test_melee_units_surround_their_target() -> None:
    """Eight zealots all get to hit one hydralisk that cannot flee: the late ones walk around the early ones."""
    env = Skirmish("6h_vs_8z", 4)
    env.reset(np.arange(4, dtype=np.uint64))
    raw = env.raw_units()
    raw["alive"][:, 1:6] = False
    raw["x"][:, 0], raw["y"][:, 0] = 15.0, 12.0
    env.set_units(raw)
    hit = np.zeros((4, 8), bool)
    for _ in range(24):
        env._battles.real[:, f.HEALTH, 0] = 80.0
        env.step(np.where(env.available.any(axis=-1), 1, 0) * env._battles.whole[:, f.ALIVE, :6])
        hit |= env._battles.real[:, f.DEALT, 6:] > 0
    assert (hit.sum(axis=1) >= 7).all(), hit.sum(axis=1)


def test_nothing_walks_into_the_edge_though_moves_there_are_offered() -> None:
    """Stalkers told to go west for ten steps stop an inner radius before the edge, which is two cells wide."""
    env = Skirmish("3s_vs_5z", 1)
    env.reset(np.zeros(1, np.uint64))
    raw = env.raw_units()
    raw["x"][0, :3], raw["y"][0, :3] = 5.0, [12.0, 16.0, 20.0]
    raw["x"][0, 3:], raw["y"][0, 3:] = 29.0, 29.0
    env.set_units(raw)
    for _ in range(10):
        assert env.available[0, :, f.WEST].all()
        env.step(np.full((1, 3), f.WEST))
    assert np.allclose(env.raw_units()["x"][0, :3], 2.0 + env._tables.body[f.CLEARANCE, :3], atol=0.2)
    assert (env.raw_units()["x"][0, :3] >= 2.0 + env._tables.body[f.CLEARANCE, :3] - 1e-6).all()


def watch(enemy: str, count: int, allies: list[dict[str, Any]], **switches: Any) -> Skirmish:
    """Idle enemies in the east of open ground, to be placed by `set_units`."""
    description = {
        "terrain": "open",
        "limit": 40,
        "allies": allies,
        "enemies": [{"type": enemy, "count": count, "x": 25, "y": 16}],
        "enemy_order": {"kind": "none"},
        "switches": switches,
    }
    env = Skirmish(build_map("watch", description), 1)
    env.reset(np.zeros(1, np.uint64))
    return env


@pytest.mark.parametrize(("enemy", "notices"), [("zealot", 5.875), ("marine", 6.25)])
def test_how_far_an_idle_enemy_notices_a_marine(enemy: str, notices: float) -> None:
    """From edge to edge: zealots 5, marines 5.5."""
    marine = {"type": "marine", "count": 1, "x": 10, "y": 16}
    for apart, sees in ((notices - 0.05, True), (notices + 0.05, False)):
        env = watch(enemy, 1, [marine])
        raw = env.raw_units()
        raw["x"][0, 1] = 10.0 + apart
        env.set_units(raw)
        env.step(np.ones((1, 1), np.int64))
        assert (env.raw_units()["target"][0, 1] == 0) == sees, apart


@pytest.mark.parametrize("to_leash", [False, True])
def test_an_idle_enemy_follows_beyond_its_scan_range(to_leash: bool) -> None:
    """A stalker that runs is faster than a marine: it leaves 5.5 and both radii, 6.5, after a few steps."""
    env = watch("marine", 1, [{"type": "stalker", "count": 1, "x": 16, "y": 16}], chase_to_leash=to_leash)
    raw = env.raw_units()
    raw["x"][0] = [16.0, 22.0]
    env.set_units(raw)
    for _ in range(6):
        env.step(np.full((1, 1), f.WEST))
        raw = env.raw_units()[0]
        if raw["x"][1] - raw["x"][0] < 6.5:
            assert raw["target"][1] == 0
    assert raw["x"][1] - raw["x"][0] > 6.5
    assert (raw["target"][1] == 0) == to_leash


def test_an_idle_friend_answers_a_call_for_help_beyond_its_own_scan_range() -> None:
    """A stalker strikes the first zergling; the second sees no further than 6 and stands 7.5 from the stalker."""
    env = watch("zergling", 2, [{"type": "stalker", "count": 1, "x": 10, "y": 16}])
    raw = env.raw_units()
    raw["x"][0], raw["y"][0] = [10.0, 16.0, 17.5], 16.0
    env.set_units(raw)
    for _ in range(3):
        env.step(np.full((1, 1), f.FIRST_TARGET))
    raw = env.raw_units()[0]
    assert raw["target"][2] == 0
    assert raw["x"][2] < 16.5


def test_units_walk_straight_whichever_way_they_face() -> None:
    env = watch("marine", 1, [{"type": "marine", "count": 1, "x": 8, "y": 16}])
    real = env._battles.real
    real[0, f.FACE_X, 0], real[0, f.FACE_Y, 0] = -1.0, 0.0
    env.step(np.full((1, 1), f.EAST))
    raw = env.raw_units()[0]
    assert (raw["x"][0], raw["y"][0]) == (pytest.approx(8.0 + 8 * 2.25 / 16), 16.0)
    assert real[0, f.FACE_X, 0] == pytest.approx(1.0)


def test_a_backswing_holds_a_marine_that_follows_but_not_one_that_marches() -> None:
    for away, walks in ((6.1, 0.0), (12.0, 8 * 2.25 / 16)):  # noticed, but out of reach; nobody in sight
        env = Skirmish("3m", 1)
        env.reset(np.zeros(1, np.uint64))
        raw = env.raw_units()
        raw["alive"][0, [1, 2, 4, 5]] = False
        raw["x"][0, [0, 3]], raw["y"][0, [0, 3]] = [22.0 - away, 22.0], 16.0
        env.set_units(raw)
        env._battles.real[0, f.BACKSWING, 3] = 12.0
        env.step(np.array([[1, 0, 0]]))
        assert 22.0 - env.raw_units()["x"][0, 3] == pytest.approx(walks, rel=1e-3), away


@pytest.mark.parametrize("swings_back", [True, False])
def test_a_marine_thinks_of_nobody_else_until_its_backswing_is_over(swings_back: bool) -> None:
    """Its target stands out of reach, another marine within it."""
    env = Skirmish("3m", 1)
    env.reset(np.zeros(1, np.uint64))
    raw = env.raw_units()
    raw["alive"][0, [2, 4, 5]] = False
    raw["x"][0, [0, 1, 3]], raw["y"][0, [0, 1, 3]] = [16.1, 17.0, 22.0], [16.0, 18.0, 16.0]
    env.set_units(raw)
    env._battles.whole[0, f.TARGET, 3] = 0
    env._battles.real[0, f.BACKSWING, 3] = 12.0 * swings_back
    env.step(np.array([[1, 1, 0]]))
    assert env.raw_units()["target"][0, 3] == (0 if swings_back else 1)


def test_a_small_group_keeps_its_shape_on_the_march() -> None:
    """The goals of 5m_vs_6m's enemies lie around the point that they were sent to as they stood around their middle."""
    env = Skirmish("5m_vs_6m", 1)
    env.reset(np.zeros(1, np.uint64))
    stand = env._battles.real[0, [f.X, f.Y]][:, 5:]  # (2, 6)
    goals = env._battles.real[0, [f.POINT_X, f.POINT_Y]][:, 5:]
    assert np.ptp(stand, axis=1).max() < 6.0
    assert np.allclose(goals - [[9.0], [16.0]], stand - stand.mean(axis=1, keepdims=True))


def test_an_enemy_medivac_looks_for_a_patient_once_a_second() -> None:
    """A friend is hurt in every battle: after half a second half of the medivacs have begun to heal, after one all."""
    env = Skirmish(load_map("MMM"), 256)
    env.reset(np.arange(256, dtype=np.uint64))
    raw = env.raw_units()
    n = env.spec.n_agents
    raw["health"][:, n] = 5.0
    medivac = int(np.flatnonzero(env._tables.body[f.HEAL_RATE, n:])[0]) + n
    env.set_units(raw)
    shares = []
    for _ in range(2):
        env.step(np.ones((256, n), np.int64) * env.available[:, :, 1])
        shares.append((env.raw_units()["target"][:, medivac] == n).mean())
    assert 0.35 < shares[0] < 0.65
    assert shares[1] == 1.0


@pytest.mark.parametrize(("x", "y", "offered"), [(27.5, 16.0, "NSEW"), (29.5, 16.0, "NSW"), (16.0, 7.5, "NEW")])
def test_move_actions_follow_the_grid_that_the_client_sent(x: float, y: float, offered: str) -> None:
    """On the band that is columns 2 to 29 and rows 7 to 24."""
    env = Skirmish("3m", 1)
    env.reset(np.zeros(1, np.uint64))
    raw = env.raw_units()
    raw["x"][0, 0], raw["y"][0, 0] = x, y
    env.set_units(raw)
    can = {
        name
        for name, action in zip("NSEW", (f.NORTH, f.SOUTH, f.EAST, f.WEST), strict=True)
        if env.available[0, 0, action]
    }
    assert can == set(offered)


@pytest.mark.parametrize("hurt", [False, True])
def test_a_medivac_drops_an_order_to_heal_who_is_not_hurt(hurt: bool) -> None:
    env = Skirmish("MMM", 1)
    env.reset(np.zeros(1, np.uint64))
    raw = env.raw_units()
    raw["x"][0, [0, 9]], raw["y"][0, [0, 9]] = [5.0, 10.5], 12.0
    raw["health"][0, 0] -= 60.0 * hurt
    env.set_units(raw)
    env.step(np.array([[1] * 9 + [f.FIRST_TARGET]]))
    assert (env.raw_units()["x"][0, 9] < 10.5) == hurt


def test_zerglings_find_the_ramps() -> None:
    """Colossi stand on the plateau; the zerglings start below the cliff and reach them over the ramps."""
    env = Skirmish("2c_vs_64zg", 1)
    env.reset(np.zeros(1, np.uint64))
    for _ in range(40):
        env._battles.real[:, f.HEALTH, :2] = 200.0
        env.step(np.ones((1, 2), np.int64))
    assert (env._battles.real[0, f.DEALT, 2:] > 0).sum() > 10
