"""Football on its real engine: the contract, what decides an episode, who plays, how it ends."""

import importlib.util
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from ptde_core.envs.contract import check_environment, random_actions
from ptde_core.envs.engines.football.football_engine import build_football
from ptde_core.envs.engines.football.scenarios import SCENARIOS
from ptde_core.envs.workers.pool import EnginePool

pytestmark = [
    pytest.mark.football,
    pytest.mark.skipif(
        importlib.util.find_spec("gfootball") is None, reason="gfootball is not installed (docs/how-to/football.md)"
    ),
]
MAP = "academy_3_vs_1_with_keeper"
RIGHT, SHOT = 5, 12


@pytest.fixture(scope="module")
def pool() -> Iterator[EnginePool]:
    env = build_football(MAP, 2)
    yield env
    env.close()


def played(env: EnginePool, seeds: list[int], steps: int = 40) -> list[np.ndarray]:
    """All that is seen, and earned, in so many steps of the same random actions."""
    env.reset(np.array(seeds, np.uint64))
    generator = np.random.default_rng(1)
    frames = []
    for _ in range(steps):
        actions = np.repeat(random_actions(env, generator)[:1], env.n_envs, axis=0)  # the same in all rows
        frames.append(np.concatenate([env.obs.reshape(env.n_envs, -1), env.state, env.reward[:, None]], axis=1))
        env.step(actions)
    return frames


def test_football_keeps_the_contract() -> None:
    check_environment(partial(build_football, MAP), steps=25, can_snapshot=False)


def test_equal_seeds_play_equal_episodes_and_others_others(pool: EnginePool) -> None:
    odd, even = 2**31 + 5, 4  # the bit that decides which team moves first differs
    first = played(pool, [odd, even])
    assert not np.array_equal(first[-1][0], first[-1][1])
    played(pool, [99, 100])  # something else in between
    swapped = played(pool, [even, odd])
    for before, after in zip(first, swapped, strict=True):
        assert np.array_equal(before, after[::-1])
    same = played(pool, [odd, odd])
    assert all(np.array_equal(frame[0], frame[1]) for frame in same)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_scenario_shows_its_players(scenario: str) -> None:
    env = build_football(scenario, 1)
    env.reset(np.array([3], np.uint64))
    spec, state = env.spec, dict(zip(env.spec.state_names, env.state[0].tolist(), strict=True))
    assert (spec.n_agents, spec.n_actions) == (len(SCENARIOS[scenario].players), 19)
    assert spec.action_names[RIGHT] == "right"
    assert spec.action_names[SHOT] == "shot"
    counts = {
        team: sum(name.startswith(team) and name.endswith("_tired") for name in state) for team in ("left", "right")
    }
    eleven = {"left": 11, "right": 11}
    small = {
        "academy_3_vs_1_with_keeper": {"left": 4, "right": 2},
        "academy_3_vs_2_with_keeper": {"left": 4, "right": 3},
        "academy_run_pass_and_shoot_with_keeper": {"left": 3, "right": 2},
    }
    assert counts == small.get(scenario, eleven)
    for agent, player in enumerate(SCENARIOS[scenario].players):
        own = env.obs[0, agent, :2].tolist()
        assert own == pytest.approx([state[f"left_{player}_x"], state[f"left_{player}_y"]])
    assert state["left_0_role_GK"] == state["right_0_role_GK"] == 1.0
    env.close()


def test_an_agent_moves_its_own_player_and_no_other(pool: EnginePool) -> None:
    """The second runs to the side line while the others stand: only its place changes much."""
    bottom = pool.spec.action_names.index("bottom")
    pool.reset(np.array([7, 7], np.uint64))
    before = pool.obs[0, :, :2].copy()
    for _ in range(12):
        actions = np.zeros((2, 3), np.int64)
        actions[0, 1] = bottom
        pool.step(actions)
    moved = np.abs(pool.obs[0, :, 1] - before[:, 1])
    assert moved[1] > 0.05
    assert moved[0] < 0.02
    assert moved[2] < 0.02


def test_scoring_wins_and_pays_one(pool: EnginePool) -> None:
    """The one with the ball runs past the defender and shoots: some of four seeds score."""
    aside = pool.spec.action_names.index("top_right")
    outcomes = set()
    for seeds in ([0, 1], [2, 3]):
        pool.reset(np.array(seeds, np.uint64))
        total, step = np.zeros(2), 0
        while not (pool.terminated | pool.truncated).all():
            actions = np.full((2, 3), RIGHT)
            actions[:, 0] = aside if step < 8 else np.where(pool.obs[:, 0, 0] > 0.72, SHOT, RIGHT)
            pool.step(actions)
            total += pool.reward
            step += 1
        outcomes |= set(zip(pool.won.tolist(), total.tolist(), strict=True))
    assert outcomes == {(True, 1.0), (False, 0.0)}


def test_the_limit_truncates_and_checkpoints_pay_on_the_way() -> None:
    env = build_football(f"{MAP}:checkpoints:limit=7", 1)
    env.reset(np.array([1], np.uint64))
    paid = []
    for step in range(7):
        assert not env.truncated[0], step
        env.step(np.full((1, 3), RIGHT))
        paid.append(float(env.reward[0]))
    assert env.truncated[0]
    assert not env.won[0]
    assert max(paid) == pytest.approx(0.7)  # the ball starts 0.38 from the goal: seven checkpoints lie behind it
    assert sum(paid) == pytest.approx(0.8)  # and one more is passed with it
    env.close()


def test_a_game_that_dies_is_replaced(pool: EnginePool) -> None:
    import os
    import signal

    pool.reset(np.array([1, 2], np.uint64))
    restarts = pool.restarts
    os.kill(pool.pids[1], signal.SIGKILL)
    pool.step(np.zeros((2, 3), np.int64))
    assert pool.lost.tolist() == [False, True]
    pool.reset(np.array([2], np.uint64), np.array([1]))
    assert pool.restarts == restarts + 1
    pool.step(np.zeros((2, 3), np.int64))
    assert not pool.lost.any()
    assert Path(f"/proc/{pool.pids[1]}").exists()
