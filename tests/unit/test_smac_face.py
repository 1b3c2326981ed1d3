import math
import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ptde_core.base.errors import PtdeError
from ptde_core.base.seeding import episode_seeds
from ptde_core.envs.skirmish.map_files import map_names
from ptde_core.envs.skirmish.skirmish import UNIT_TYPES, Skirmish
from ptde_core.envs.smac_face import Direction, MultiAgentEnv, StarCraft2Env
from ptde_core.envs.smac_face.environment import DEFAULTS
from ptde_core.envs.smac_face.smac_units import TYPE_NUMBERS, Point, Unit

SCRIPT = '''
"""Random agents, as one writes them for the smac package."""
from smac.env import StarCraft2Env
import numpy as np


def main():
    env = StarCraft2Env(map_name="MMM", difficulty="7", seed=3)
    info = env.get_env_info()
    for episode in range(2):
        env.reset()
        terminated, total = False, 0.0
        while not terminated:
            state = env.get_state()
            assert state.shape == (info["state_shape"],) == (len(env.get_state_feature_names()),)
            actions = []
            for agent in range(info["n_agents"]):
                assert len(env.get_obs_agent(agent)) == info["obs_shape"] == len(env.get_obs_feature_names())
                able = np.nonzero(env.get_avail_agent_actions(agent))[0]
                actions.append(np.random.choice(able))
            reward, terminated, facts = env.step(actions)
            total += reward
        print("episode", episode, "return", total, facts)
    print(env.get_stats())
    env.close()


main()
'''


def random_step(env: StarCraft2Env, chance: np.random.Generator) -> tuple[float, bool, dict[str, object]]:
    return env.step([chance.choice(np.flatnonzero(row)) for row in env.get_avail_actions()])


def test_a_script_for_smac_runs_after_changing_its_import_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = SCRIPT.replace("from smac.env import", "from ptde_core.envs.smac_face import")
    assert sum(a != b for a, b in zip(SCRIPT.splitlines(), changed.splitlines(), strict=True)) == 1
    (tmp_path / "random_agents.py").write_text(changed)
    runpy.run_path(str(tmp_path / "random_agents.py"))
    shown = capsys.readouterr().out
    assert shown.count("'battle_won': ") == 2
    assert "'battles_game': 2" in shown


def test_sizes_types_and_names() -> None:
    env = StarCraft2Env("3s5z_vs_3s6z", seed=0)
    assert isinstance(env, MultiAgentEnv)
    assert env.get_env_info() == {
        "state_shape": 230,
        "obs_shape": 136,
        "n_actions": 15,
        "n_agents": 8,
        "episode_limit": 170,
        "agent_features": ["health", "energy/cooldown", "rel_x", "rel_y", "shield", "type_0", "type_1"],
        "enemy_features": ["health", "rel_x", "rel_y", "shield", "type_0", "type_1"],
    }
    obs, state = env.reset()
    assert isinstance(obs, list)
    assert [view.shape for view in obs] == [(136,)] * 8
    assert (state.shape, state.dtype, obs[0].dtype) == ((230,), np.float32, np.float32)
    masks = env.get_avail_actions()
    assert isinstance(masks[0], list)
    assert {type(bit) for bit in masks[0]} == {int}
    reward, terminated, info = env.step([1] * 8)
    assert (type(reward), type(terminated)) == (float, bool)
    assert info == {"battle_won": False, "dead_allies": 0, "dead_enemies": 0}
    (m, enemy), (n, ally) = env.get_obs_enemy_feats_size(), env.get_obs_ally_feats_size()
    assert env.get_obs_move_feats_size() + m * enemy + n * ally + env.get_obs_own_feats_size() == 136


def test_views_are_the_callers_own() -> None:
    env = StarCraft2Env("3m", seed=0)
    obs, state = env.reset()
    kept = [view.copy() for view in obs], state.copy()
    env.step([2, 2, 2])
    assert np.array_equal(obs, kept[0])
    assert np.array_equal(state, kept[1])
    assert not np.array_equal(env.get_state(), state)


def test_a_seed_decides_the_list_of_battles() -> None:
    def battles(seed: int) -> list[tuple[float, bytes]]:
        env, chance = StarCraft2Env("3m", seed=seed), np.random.default_rng(0)
        course = []
        for _ in range(2):
            env.reset()
            over = False
            while not over:
                reward, over, _ = random_step(env, chance)
                course.append((reward, env.get_state().tobytes()))
        return course

    assert battles(5) == battles(5) != battles(6)
    assert StarCraft2Env("3m", seed=5).seed() == 5
    assert StarCraft2Env("3m").seed() != StarCraft2Env("3m").seed()


def test_unavailable_actions_are_assertion_errors_and_move_nothing() -> None:
    env = StarCraft2Env("3m", seed=0)
    env.reset()
    before, units = env.get_state(), env.agents
    for wrong in (9, -1):
        with pytest.raises(AssertionError, match=f"agent 1 cannot do action {wrong} now"):
            env.step([1, wrong, 1])
        assert np.array_equal(env.get_state(), before)
    for wrong in (0, 6):
        with pytest.raises(AssertionError, match=f"agent 1 cannot do action {wrong} now"):
            env.step([2, wrong, 3])
        rows = env.get_state()[-27:].reshape(3, 9)
        assert rows.argmax(axis=1).tolist() == [2, wrong, 3], "SMAC notes the actions before it looks at them"
        assert np.array_equal(rows, env.last_action)
        assert np.array_equal(env.get_state()[:-27], before[:-27])
    assert env.agents == units
    assert (env._episode_steps, env._total_steps) == (0, 0)


def test_a_battle_that_is_over_or_not_begun_is_not_stepped() -> None:
    with pytest.raises(ValueError, match=r"call reset\(\)"):
        StarCraft2Env("3m").step([1, 1, 1])
    env = StarCraft2Env("3m", seed=0)
    env.reset()
    with pytest.raises(ValueError, match="2 actions for 3 agents"):
        env.step([1, 1])


@pytest.mark.parametrize("continuing", [False, True])
def test_time_is_up(continuing: bool, tmp_path: Path) -> None:
    ours = tmp_path / "short.toml"
    ours.write_text(
        'terrain = "open"\nlimit = 3\nenemy_order = { kind = "none" }\n'
        'allies = [{ type = "marine", count = 2, x = 4, y = 16 }]\n'
        'enemies = [{ type = "zealot", count = 1, x = 28, y = 16 }]\n'
    )
    env = StarCraft2Env(str(ours), seed=0, continuing_episode=continuing)
    env.reset()
    ends = [env.step([1, 1]) for _ in range(3)]
    assert [terminated for _, terminated, _ in ends] == [False, False, True]
    assert ends[-1][2].get("episode_limit") is (True if continuing else None)
    assert "episode_limit" not in ends[0][2]
    assert env.get_stats() == {
        "battles_won": 0,
        "battles_game": 1,
        "battles_draw": 1,
        "win_rate": 0.0,
        "timeouts": 1,
        "restarts": 0,
    }


def test_the_script_replaces_the_given_actions_in_place() -> None:
    env = StarCraft2Env("2s3z", seed=1, heuristic_ai=True)
    env.reset()
    given = [1] * 5
    over = False
    while not over:
        given[:] = [1] * 5
        _, over, info = env.step(given)
        last = env.get_state()[-5 * env.n_actions :].reshape(5, env.n_actions)
        assert (last[:, 1] == 1).all(), "the state shows what was given (smac-contract#script)"
        if not over and info["dead_allies"] == 0:
            assert min(given) >= 6
    assert env.get_stats()["battles_game"] == 1


def test_the_resting_script_walks_to_what_is_out_of_reach() -> None:
    env = StarCraft2Env("3m", seed=1, heuristic_ai=True, heuristic_rest=True)
    env.reset()
    given = [1, 1, 1]
    env.step(given)
    assert given == [4, 4, 4], "the enemies stand in the east"
    attacked = over = False
    while not over:
        _, over, _ = env.step(given)
        attacked |= max(given) >= 6
    assert attacked


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"map_name": "3n"}, "no map named '3n'"),
        ({"step_mul": 4}, "step_mul = 4 is not played by skirmish; only SMAC's default 8"),
        ({"obs_last_acton": True}, "did you mean 'obs_last_action'?"),
        ({"heuristic_rest": True}, "heuristic_rest without heuristic_ai"),
        ({"step_mul": "4"}, "step_mul = '4' is not played by skirmish; only SMAC's default 8"),
        ({"reward_sparse": True}, "reward_sparse = True is not played by skirmish"),
        ({"obs_last_action": "False"}, "obs_last_action = 'False' is not played by skirmish"),
        ({"difficulty": 10}, "no difficulty 10; SMAC has '1' to '9' and 'A'"),
        ({"seed": -1}, "seed = -1; give a whole number from 0 on, or None"),
        ({"seed": "one"}, "seed = 'one'; give a whole number"),
    ],
)
def test_what_is_not_offered_is_refused(arguments: dict[str, object], sentence: str) -> None:
    with pytest.raises(PtdeError, match=sentence.replace("?", r"\?")):
        StarCraft2Env(**({"map_name": "3m"} | arguments))  # type: ignore[arg-type]


def test_pymarls_arguments_are_taken() -> None:
    env = StarCraft2Env(**DEFAULTS | {"map_name": "3m", "seed": 1})
    with pytest.raises(PtdeError, match="no window to render in"):
        env.render()
    with pytest.raises(PtdeError, match="cannot write StarCraft II replays"):
        env.save_replay()
    env.close()


def test_it_is_the_same_battle_as_skirmishs() -> None:
    env, own = StarCraft2Env("8m", seed=2), Skirmish("8m", 1)
    env.reset()
    own.reset(episode_seeds(2, "smac_face", 0, 1))
    chance = np.random.default_rng(0)
    over = False
    while not over:
        actions = [chance.choice(np.flatnonzero(row)) for row in env.get_avail_actions()]
        reward, over, _ = env.step(actions)
        own.step(np.array([actions]))
        assert reward == own.reward[0]
        assert np.array_equal(env.get_state(), own.state[0])
        assert np.array_equal(env.get_obs(), own.obs[0])


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


def test_a_restart_begins_the_list_of_battles_anew() -> None:
    env = StarCraft2Env("3m", seed=1)
    first, second = [env.reset()[0] and env.agents for _ in range(2)]
    env.full_restart()
    with pytest.raises(ValueError, match=r"call reset\(\)"):
        env.step([1, 1, 1])
    env.reset()
    assert env.agents == first != second
    assert env.get_stats()["restarts"] == env.force_restarts == 1
    drawn = StarCraft2Env("3m")
    seed = drawn.seed()
    drawn.full_restart()
    assert drawn.seed() != seed


def plain_script(env: StarCraft2Env, targets: list[int | None], rest: bool) -> list[int]:
    """The numbers that SMAC's script writes, unit by unit; it asks of nobody whether he lives."""
    numbers = []
    for k, unit in env.agents.items():
        heals = unit.unit_type == env.medivac_id
        others = env.agents if heals else env.enemies

        def wanted(other: Unit, heals: bool = heals) -> bool:
            hurt = other.health < other.health_max and other.unit_type != env.medivac_id
            return other.health > 0 and (hurt or not heals)

        if targets[k] is None or not wanted(others[targets[k]]):
            away = {j: math.dist(unit.pos, other.pos) for j, other in others.items() if wanted(other)}
            targets[k] = min(away, key=away.__getitem__) if away else None
        if targets[k] is None:
            numbers.append(0)
            continue
        number = 6 + targets[k]
        if rest and not env.get_avail_agent_actions(k)[number]:
            dx, dy = (there - here for there, here in zip(others[targets[k]].pos, unit.pos, strict=True))
            number = (4 if dx > 0 else 5) if abs(dx) > abs(dy) else (2 if dy > 0 else 3)
        numbers.append(number)
    return numbers


@pytest.mark.parametrize("rest", [False, True])
def test_the_script_writes_numbers_for_the_dead_too(rest: bool) -> None:
    env = StarCraft2Env("MMM2", seed=2, heuristic_ai=True, heuristic_rest=rest)
    env.reset()
    given, over, targets, of_the_dead = [1] * 10, False, [None] * 10, set()
    while not over:
        expected = plain_script(env, targets, rest)
        dead = [k for k, unit in env.agents.items() if unit.health == 0]
        _, over, _ = env.step(given)
        assert given == expected
        of_the_dead |= {given[k] for k in dead}
    assert of_the_dead
    assert of_the_dead <= ({0, 2, 3, 4, 5} if rest else {0, *range(6, 18)})
    assert max(of_the_dead) > 1


def test_max_reward_grows_with_each_reset_before_the_first_battle_is_over() -> None:
    env, plain = (StarCraft2Env("3m", seed=1, heuristic_ai=True) for _ in range(2))
    assert env.max_reward == 230
    env.reset()
    assert env.max_reward == 365
    env.reset()
    assert env.max_reward == 500
    plain.reset()
    plain._battles_begun = 1  # the same battle as the other's second
    plain._episode_count = 1
    plain.reset()
    assert plain.max_reward == 365
    over, rewards = False, []
    while not over:
        reward, over, _ = env.step([1, 1, 1])
        rewards.append((reward, plain.step([1, 1, 1])[0]))
    assert [a * 500 for a, _ in rewards] == pytest.approx([b * 365 for _, b in rewards])
    assert any(b > 0 for _, b in rewards)
    env.reset()
    assert env.max_reward == 500, "once a battle has been played to its end it stays"


WORKERS = """
import multiprocessing
from ptde_core.envs.smac_face import StarCraft2Env

def battle(env):
    env.reset()
    return " ".join(f"{unit.facing:.9f}" for unit in env.agents.values())

def work(pipe, env=None):
    pipe.send(battle(env or StarCraft2Env("3m", seed=7)))

if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    before = StarCraft2Env("3m", seed=7)
    for given in ((), (before,)):  # built in the worker; built before it
        for _ in range(2):
            ours, theirs = multiprocessing.Pipe()
            process = multiprocessing.Process(target=work, args=(theirs, *given))
            process.start()
            print(ours.recv())
            process.join()
    print(battle(before))
"""


def test_workers_with_one_seed_play_other_battles_where_one_asks_for_it(tmp_path: Path) -> None:
    (tmp_path / "workers.py").write_text(WORKERS)

    def battles(**variable: str) -> list[str]:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PTDE_SMAC")}
        command = [sys.executable, str(tmp_path / "workers.py")]
        environment |= {"PYTHONPATH": os.pathsep.join(sys.path)} | variable
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        return done.stdout.splitlines()

    one = battles()
    assert len(one) == 5
    assert len(set(one)) == 1, "equal seeds, equal battles"
    each = battles(PTDE_SMAC_SEED_PER_PROCESS="1")
    assert len(set(each)) == 5
    assert each[-1] == one[0], "the main process plays the seed's own"
    assert battles(PTDE_SMAC_SEED_PER_PROCESS="1") == each


def test_a_wrong_value_of_the_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PTDE_SMAC_SEED_PER_PROCESS", "yes")
    with pytest.raises(PtdeError, match="PTDE_SMAC_SEED_PER_PROCESS = 'yes' is neither 0 nor 1; type for example"):
        StarCraft2Env("3m")
