import math

import numpy as np
import pytest

from ptde_core.base.errors import PtdeError
from ptde_core.envs.skirmish.map_files import map_names
from ptde_core.envs.skirmish.skirmish import UNIT_TYPES
from ptde_core.envs.smac_api import Direction, StarCraft2Env
from ptde_core.envs.smac_api.environment import DEFAULTS
from ptde_core.envs.smac_api.smac_units import TYPE_NUMBERS, Point
from tests.unit.test_smac_api import random_step

SMAC_ARGUMENTS = """
map_name step_mul move_amount difficulty game_version seed continuing_episode obs_all_health obs_own_health
obs_last_action obs_pathing_grid obs_terrain_height obs_instead_of_state obs_timestep_number state_last_action
state_timestep_number reward_sparse reward_only_positive reward_death_value reward_win reward_defeat
reward_negative_scale reward_scale reward_scale_rate replay_dir replay_prefix window_size_x window_size_y heuristic_ai
heuristic_rest debug
"""
"""Of the class in the `smac` package, as it orders them."""

SMAC_CALLS = """
can_move check_bounds close distance full_restart get_agent_action get_agent_action_heuristic get_ally_num_attributes
get_avail_actions get_avail_agent_actions get_enemy_num_attributes get_env_info get_obs get_obs_agent
get_obs_ally_feats_size get_obs_enemy_feats_size get_obs_move_feats_size get_obs_own_feats_size get_obs_size get_state
get_state_dict get_state_size get_stats get_surrounding_height get_surrounding_pathing get_surrounding_points
get_total_actions get_unit_by_id get_unit_type_id get_unit_types get_visibility_matrix init_units only_medivac_left
render reset reward_battle save_replay seed step unit_max_cooldown unit_max_shield unit_shoot_range unit_sight_range
update_units
"""
"""Its public methods."""

SMAC_ATTRIBUTES = """
map_name n_agents n_enemies episode_limit _move_amount _step_mul difficulty obs_own_health obs_all_health
obs_instead_of_state obs_last_action obs_pathing_grid obs_terrain_height obs_timestep_number state_last_action
state_timestep_number n_obs_pathing n_obs_height reward_sparse reward_only_positive reward_negative_scale
reward_death_value reward_win reward_defeat reward_scale reward_scale_rate game_version continuing_episode _seed
heuristic_ai heuristic_rest heuristic_targets debug window_size replay_dir replay_prefix n_actions_no_attack
n_actions_move n_actions _agent_race _bot_race shield_bits_ally shield_bits_enemy unit_type_bits map_type _unit_types
max_reward ally_state_attr_names enemy_state_attr_names agents enemies _episode_count _episode_steps _total_steps
battles_won battles_game timeouts force_restarts death_tracker_ally death_tracker_enemy previous_ally_units
previous_enemy_units last_action _min_unit_type marine_id marauder_id medivac_id hydralisk_id zergling_id baneling_id
stalker_id colossus_id zealot_id max_distance_x max_distance_y map_x map_y reward terrain_height pathing_grid
win_counted defeat_counted
"""
"""Its attributes, but those that hold the game's process and messages."""


def test_all_of_smacs_names_are_there() -> None:
    env = StarCraft2Env("2s3z", seed=0)
    assert not [name for name in SMAC_CALLS.split() if not callable(getattr(env, name, None))]
    assert not [name for name in SMAC_ATTRIBUTES.split() if not hasattr(env, name)]
    env.reset()
    assert not [name for name in SMAC_ATTRIBUTES.split() if not hasattr(env, name)]
    assert list(DEFAULTS) == SMAC_ARGUMENTS.split()


def test_arguments_by_place_and_by_names_that_change_nothing() -> None:
    assert StarCraft2Env("3m", 8, 2, "7", None, 5).seed() == 5
    assert StarCraft2Env("3m", None, "2").n_agents == 3
    with pytest.raises(PtdeError, match="step_mul = 4 is not played by skirmish; only SMAC's default 8"):
        StarCraft2Env("3m", 4)
    for name, value in {
        "step_mul": "8",
        "reward_win": "200",
        "difficulty": 7,
        "game_version": "4.6.2",
        "obs_own_health": False,
        "reward_negative_scale": 0.1,
        "replay_dir": None,
        "replay_prefix": "mine",
        "window_size_x": 640,
        "window_size_y": 480,
        "debug": True,
    }.items():
        env = StarCraft2Env("3m", seed=1, **{name: value})
        assert np.array_equal(env.reset()[1], StarCraft2Env("3m", seed=1).reset()[1])
    assert [StarCraft2Env("3m", difficulty=level).difficulty for level in (1, "9", "A")] == ["1", "9", "A"]
    assert (StarCraft2Env("3m", reward_win="200").reward_win, StarCraft2Env("3m", step_mul="8")._step_mul) == (200, 8)


def test_what_a_map_is_called_and_measures() -> None:
    kinds = {name: StarCraft2Env(name).map_type for name in map_names()}
    assert kinds["3m"] == kinds["2m_vs_1z"] == kinds["27m_vs_30m"] == "marines"
    assert kinds["2s3z"] == kinds["3s5z_vs_3s6z"] == "stalkers_and_zealots"
    assert kinds["3s_vs_5z"] == kinds["2s_vs_1sc"] == "stalkers"
    assert kinds["corridor"] == kinds["so_many_baneling"] == "zealots"
    assert (kinds["MMM2"], kinds["1c3s5z"], kinds["bane_vs_bane"]) == ("MMM", "colossi_stalkers_zealots", "bane")
    assert (kinds["6h_vs_8z"], kinds["2c_vs_64zg"]) == ("hydralisks", "colossus")
    env = StarCraft2Env("2m_vs_1z")
    assert (env.shield_bits_ally, env.shield_bits_enemy, env.unit_type_bits) == (0, 1, 0)
    assert (env._agent_race, env._bot_race) == ("T", "P")
    assert (env.map_x, env.map_y, env.max_distance_x, env.max_distance_y) == (32, 32, 32, 32)
    assert env.pathing_grid.shape == (32, 32)
    assert (env.n_actions_no_attack, env.n_actions_move, env.n_actions) == (6, 4, 7)
    env = StarCraft2Env("MMM2")
    assert env.marauder_id + 1 == env.marine_id == env.medivac_id - 1
    assert (env.zealot_id, env.unit_type_bits) == (0, 3)
    assert set(TYPE_NUMBERS) == set(UNIT_TYPES)


def test_counters_of_steps_and_battles() -> None:
    env, chance = StarCraft2Env("3m", seed=2), np.random.default_rng(0)
    assert (env._episode_count, env.reward, env.previous_ally_units) == (0, 0.0, None)
    total = 0
    for battle in range(2):
        env.reset()
        assert (env._episode_count, env._episode_steps) == (battle, 0)
        over, steps = False, 0
        while not over:
            reward, over, info = random_step(env, chance)
            steps += 1
            assert env.reward == reward
            assert env.death_tracker_ally.sum() == info["dead_allies"]
            assert env.death_tracker_enemy.sum() == info["dead_enemies"]
        total += steps
        assert (env._episode_steps, env._total_steps) == (steps, total)
        assert env.win_counted == info["battle_won"]
        assert env.defeat_counted == (info["dead_allies"] == 3 and info["dead_enemies"] < 3)
    assert env._episode_count == 2


def test_units_are_as_skirmish_has_them() -> None:
    env = StarCraft2Env("MMM", seed=1)
    assert (env.agents, env.enemies) == ({}, {})
    with pytest.warns(UserWarning, match=r"call reset\(\) first"):
        assert env.get_unit_types() is None
    with pytest.raises(ValueError, match=r"no battle has begun: call reset\(\) first"):
        env.get_visibility_matrix()
    env.reset()
    raw = env._env.raw_units()[0]
    assert (list(env.agents), list(env.enemies)) == (list(range(10)), list(range(10)))
    for unit, own in zip([*env.agents.values(), *env.enemies.values()], raw, strict=True):
        assert (unit.pos.x, unit.pos.y, unit.health, unit.shield) == (own["x"], own["y"], own["health"], own["shield"])
        assert (unit.energy, unit.weapon_cooldown) == (own["energy"], own["cooldown"])
        assert np.allclose((math.cos(unit.facing), math.sin(unit.facing)), (own["face_x"], own["face_y"]))
    marauder, medivac, foe = env.get_unit_by_id(0), env.get_unit_by_id(9), env.enemies[9]
    assert (marauder.health_max, marauder.radius, marauder.owner, marauder.alliance) == (125, 0.5625, 1, 1)
    assert (medivac.is_flying, medivac.energy, medivac.energy_max, medivac.shield_max) == (True, 50, 200, 0)
    assert (foe.unit_type, foe.owner, foe.alliance, env.enemies[0].is_flying) == (54, 2, 4, False)
    assert [env.unit_max_cooldown(unit) for unit in (marauder, medivac, foe)] == [25, 200, 15]
    assert env.get_unit_types() == [unit.unit_type for unit in (*env.agents.values(), *env.enemies.values())]
    assert [env.get_unit_type_id(env.agents[k], True) for k in (0, 2, 9)] == [0, 1, 2]
    assert len({unit.tag for unit in (*env.agents.values(), *env.enemies.values())}) == 20
    with pytest.raises(AttributeError):
        marauder.health = 0.0  # type: ignore[misc]
    with pytest.raises(KeyError):
        env.get_unit_by_id(10)
    protoss = StarCraft2Env("2s3z", seed=1)
    protoss.reset()
    assert [protoss.unit_max_shield(protoss.agents[k]) for k in (0, 4)] == [80, 50]
    assert [protoss.get_unit_type_id(protoss.enemies[k], False) for k in range(5)].count(0) == 3, "enemy zealots are 0"
    assert env.unit_max_shield(marauder) is None


def test_the_dead_keep_what_was_seen_of_them_last() -> None:
    env = StarCraft2Env("3m", seed=1, heuristic_ai=True)
    env.reset()
    over, died = False, False
    while not over:
        before = env.agents | {k + 3: unit for k, unit in env.enemies.items()}
        _, over, _ = env.step([1, 1, 1])
        now = env.agents | {k + 3: unit for k, unit in env.enemies.items()}
        assert env.previous_ally_units == {k: before[k] for k in range(3)}
        assert env.previous_enemy_units == {k: before[3 + k] for k in range(3)}
        for k, alive in enumerate(env._env.raw_units()["alive"][0]):
            assert (now[k].health > 0) == alive
            if not alive:
                assert now[k] == before[k]._replace(health=0.0)
                died = True
    assert died


def test_what_units_see_and_where_they_can_go() -> None:
    env, chance = StarCraft2Env("2s3z", seed=1), np.random.default_rng(0)
    env.reset()
    over, some = False, False
    while not over:
        matrix = env.get_visibility_matrix()
        units = [*env.agents.values(), *env.enemies.values()]
        for k, me in env.agents.items():
            for j, unit in enumerate(units):
                near = env.distance(me.pos.x, me.pos.y, unit.pos.x, unit.pos.y) < env.unit_sight_range(k)
                assert matrix[k, j] == (near and j != k and me.health > 0 and unit.health > 0)
            if me.health > 0:
                moves = [env.can_move(me, direction) for direction in Direction]
                assert moves == [bool(bit) for bit in env.get_avail_agent_actions(k)[2:6]]
        some |= bool(matrix[:, 5:].any() and not matrix[:, 5:].all())
        _, over, _ = random_step(env, chance)
    assert some
    assert matrix.shape == (5, 10)


def test_the_cells_around_a_unit() -> None:
    env = StarCraft2Env("3m", seed=1)
    env.reset()
    unit = env.get_unit_by_id(0)._replace(pos=Point(1.9, 8.5))
    points = [(1, 12), (1, 4), (5, 8), (-3, 8), (3, 10), (-1, 6), (3, 6), (-1, 10)]
    assert env.get_surrounding_points(unit) == points
    assert env.get_surrounding_points(unit, include_self=True) == [*points, (1, 8)]
    ground = [int(env.pathing_grid[x, y]) if x >= 0 else 1 for x, y in points]
    assert env.get_surrounding_pathing(unit) == ground
    assert {0, 1} == set(ground)
    assert (env.check_bounds(0, 31), env.check_bounds(0, 32), env.check_bounds(-1, 0)) == (True, False, False)
    with pytest.raises(PtdeError, match="skirmish's ground has no heights"):
        env.get_surrounding_height(unit)
    with pytest.raises(PtdeError, match="map '3m' shows no types of enemies"):
        env.get_unit_type_id(env.enemies[0], False)


def test_the_state_in_parts() -> None:
    env = StarCraft2Env("3s5z_vs_3s6z", seed=1)
    env.reset()
    env.step([2] * 8)
    parts = env.get_state_dict()
    assert parts["allies"].shape == (8, env.get_ally_num_attributes()) == (8, 7)
    assert parts["enemies"].shape == (9, env.get_enemy_num_attributes()) == (9, 6)
    assert np.array_equal(np.concatenate([part.ravel() for part in parts.values()]), env.get_state())


def test_points_of_a_step() -> None:
    env, chance = StarCraft2Env("2s3z", seed=3), np.random.default_rng(1)
    env.reset()
    with pytest.raises(ValueError, match="no step has been played in this battle"):
        env.reward_battle()
    over = False
    while not over:
        alive = {k for k, unit in env.enemies.items() if unit.health > 0}
        reward, over, info = random_step(env, chance)
        again = env.reward_battle()
        env.death_tracker_enemy[list(alive)] = 0.0  # as it was before the step
        points = env.reward_battle() + 200 * info["battle_won"]
        assert points / (env.max_reward / 20) == pytest.approx(reward, abs=1e-6)
        lost = {k: env.previous_enemy_units[k].health + env.previous_enemy_units[k].shield for k in alive}
        killed = [k for k in alive if env.enemies[k].health == 0]
        left = sum(lost[k] - env.enemies[k].health - env.enemies[k].shield for k in alive if k not in killed)
        assert again == pytest.approx(abs(left)), "kills are paid once"
    assert env.update_units() == (1 if info["battle_won"] else -1)
    assert env.reward_battle() == 0.0, "nothing has happened since"


def test_an_action_as_an_order() -> None:
    env = StarCraft2Env("3m", seed=1)
    env.reset()
    unit = env.get_unit_by_id(1)
    east = env.get_agent_action(1, 4)
    assert (east.ability_id, east.unit_tags) == (16, (unit.tag,))
    assert east.target_world_space_pos == (unit.pos.x + 2, unit.pos.y)
    assert env.get_agent_action(1, 1).ability_id == 4
    with pytest.raises(AssertionError, match="agent 1 cannot do action 0 now"):
        env.get_agent_action(1, 0)
    scripted = StarCraft2Env("3m", seed=1, heuristic_ai=True)
    scripted.reset()
    order, number = scripted.get_agent_action_heuristic(0, 1)
    assert (order.ability_id, order.target_unit_tag) == (23, scripted.enemies[number - 6].tag)
    assert scripted.heuristic_targets[0] == number - 6
