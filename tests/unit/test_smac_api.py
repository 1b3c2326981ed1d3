import runpy
from pathlib import Path

import numpy as np
import pytest

from ptde_core.base.errors import PtdeError
from ptde_core.base.seeding import episode_seeds
from ptde_core.envs.skirmish.skirmish import Skirmish
from ptde_core.envs.smac_api import MultiAgentEnv, StarCraft2Env
from ptde_core.envs.smac_api.environment import DEFAULTS

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
    changed = SCRIPT.replace("from smac.env import", "from ptde_core.envs.smac_api import")
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
    own.reset(episode_seeds(2, "smac_api", 0, 1))
    chance = np.random.default_rng(0)
    over = False
    while not over:
        actions = [chance.choice(np.flatnonzero(row)) for row in env.get_avail_actions()]
        reward, over, _ = env.step(actions)
        own.step(np.array([actions]))
        assert reward == own.reward[0]
        assert np.array_equal(env.get_state(), own.state[0])
        assert np.array_equal(env.get_obs(), own.obs[0])
