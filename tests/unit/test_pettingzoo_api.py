import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from ptde_core.base.errors import PtdeError

pytest.importorskip("pettingzoo", reason="the extra pettingzoo is not installed")

with warnings.catch_warnings():
    # Where pygame is installed (football brings it), these load games of PettingZoo's own, which warn.
    warnings.simplefilter("ignore")
    from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test, seed_test

from ptde_core.envs import pettingzoo_api
from ptde_core.envs.pettingzoo_api import ParallelSkirmish, parallel_env

MAPS = ("3m", "MMM", "2s_vs_1sc")


@pytest.fixture
def env() -> Iterator[ParallelSkirmish]:
    made = parallel_env(map="3m")
    yield made
    made.close()


@pytest.mark.parametrize("name", MAPS)
def test_pettingzoos_api_test(name: str) -> None:
    parallel_api_test(parallel_env(map=name), num_cycles=100)


@pytest.mark.parametrize("name", MAPS)
def test_pettingzoos_seed_test(name: str) -> None:
    parallel_seed_test(lambda: parallel_env(map=name), num_cycles=50)


# What PettingZoo's api_test finds unusual and is meant so: views with a mask, and zeros where a unit is dead.
@pytest.mark.filterwarnings("ignore:Observation space for each agent probably should be")
@pytest.mark.filterwarnings("ignore:Observation is not a NumPy array")
@pytest.mark.filterwarnings("ignore:Observation numpy array is all zeros")
def test_pettingzoos_tests_of_the_turn_based_form() -> None:
    api_test(pettingzoo_api.env(map="3m"), num_cycles=50)
    seed_test(lambda: pettingzoo_api.env(map="3m"), num_cycles=50)


def masked(env: ParallelSkirmish, views: dict[str, Any], chance: np.random.Generator) -> dict[str, int]:
    return {agent: int(chance.choice(np.flatnonzero(views[agent]["action_mask"]))) for agent in env.agents}


def test_an_episode_from_start_to_end(env: ParallelSkirmish) -> None:
    chance = np.random.default_rng(0)
    views, infos = env.reset(seed=1)
    assert env.agents == env.possible_agents == ["agent_0", "agent_1", "agent_2"]
    deaths = 0
    while env.agents:
        agents = list(env.agents)
        for agent in agents:
            assert env.observation_space(agent).contains(views[agent])
        assert env.state_space.contains(env.state())
        views, rewards, terminated, truncated, infos = env.step(masked(env, views, chance))
        assert set(views) == set(rewards) == set(terminated) == set(truncated) == set(infos) == set(agents)
        assert len(set(rewards.values())) == len(set(terminated.values())) == 1
        dead = [agent for agent in agents if views[agent]["action_mask"][0]]
        deaths = max(deaths, len(dead))
        for agent in dead:
            assert not views[agent]["observation"].any()
            assert views[agent]["action_mask"].sum() == 1
    assert all(terminated.values()) != all(truncated.values())
    assert deaths > 0
    with pytest.raises(ValueError, match=r"call reset\(\)"):
        env.step({})


def test_views_are_the_callers_own(env: ParallelSkirmish) -> None:
    views, _ = env.reset(seed=1)
    state = env.state()
    kept = {agent: view["observation"].copy() for agent, view in views.items()}
    env.step(dict.fromkeys(env.agents, 2))
    assert all(np.array_equal(views[agent]["observation"], kept[agent]) for agent in kept)
    assert not np.array_equal(state, env.state())


def test_battles_after_a_seed_differ_and_come_again(env: ParallelSkirmish) -> None:
    def courses() -> list[list[float]]:
        found = []
        for seed in (7, None):
            env.reset(seed=seed)
            course = []
            while env.agents:
                env.step(dict.fromkeys(env.agents, 1))
                course.append(float(env.state().sum()))
            found.append(course)
        return found

    first, second = courses()
    assert first != second
    assert courses() == [first, second]


def test_an_unavailable_action_is_a_stop_and_the_info_says_so(env: ParallelSkirmish) -> None:
    def after(action: int) -> tuple[list[float], dict[str, Any]]:
        env.reset(seed=3)
        *_, infos = env.step({"agent_0": action, "agent_1": 1, "agent_2": 1})
        return env.state().tolist(), infos

    stopped, infos = after(1)
    assert infos["agent_0"] == {"won": False, "unavailable": False}
    out_of_reach, infos = after(6)
    assert out_of_reach == stopped
    assert infos["agent_0"] == {"won": False, "unavailable": True}
    assert not infos["agent_1"]["unavailable"]


def test_strict_refuses_what_is_not_available() -> None:
    env = parallel_env(map="3m", strict=True)
    env.reset(seed=3)
    with pytest.raises(ValueError, match="agent_1: action 6 is not available"):
        env.step({"agent_0": 1, "agent_1": 6, "agent_2": 1})


def test_actions_that_are_none(env: ParallelSkirmish) -> None:
    env.reset(seed=3)
    with pytest.raises(ValueError, match="agent_2: there is no action 9"):
        env.step({"agent_0": 1, "agent_1": 1, "agent_2": 9})
    with pytest.raises(ValueError, match="not for each of"):
        env.step({"agent_0": 1})


def test_what_is_not_offered_is_refused() -> None:
    with pytest.raises(PtdeError, match="render_mode = 'human' is not offered"):
        parallel_env(map="3m", render_mode="human")  # type: ignore[arg-type]
    with pytest.raises(PtdeError, match="no map named '3n'"):
        parallel_env(map="3n")


def test_without_pettingzoo_one_sentence_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pettingzoo", None)
    monkeypatch.delitem(sys.modules, "ptde_core.envs.pettingzoo_api")
    with pytest.raises(ImportError, match=r'pip install "ptde\[pettingzoo\]"'):
        __import__("ptde_core.envs.pettingzoo_api")
