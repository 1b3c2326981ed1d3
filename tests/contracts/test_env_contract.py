"""The environment contract, checked on every environment that is built in."""

import tracemalloc
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from ptde_core.envs.contract import check_environment
from ptde_core.envs.interface import BatchedEnv
from ptde_core.envs.skirmish.map_files import map_names
from ptde_core.envs.skirmish.skirmish import Skirmish
from ptde_core.envs.skirmish.two_view_battles import TwoViewSkirmish
from ptde_core.envs.small_games import PersonalSignalGame
from ptde_core.envs.two_views import Sights, StateBesideView

MAPS = ("3m", "2s3z", "6h_vs_8z", "3s5z_vs_3s6z", "MMM", "bane_vs_bane", "2c_vs_64zg", "corridor", "2s_vs_1sc")
CASES: dict[str, Callable[[int], BatchedEnv]] = {f"skirmish-{name}": partial(Skirmish, name) for name in MAPS} | {
    "skirmish-2s3z-in-two-views": partial(TwoViewSkirmish, "2s3z", sights=Sights("all", 4.0)),
    "game-in-two-views": lambda n_envs: StateBesideView(PersonalSignalGame(n_envs), Sights()),
}


@pytest.mark.parametrize("case", CASES)
def test_environment_keeps_the_contract(case: str) -> None:
    check_environment(CASES[case], steps=30)


@pytest.mark.slow
@pytest.mark.parametrize("name", map_names())
def test_every_map_keeps_the_contract(name: str) -> None:
    check_environment(lambda n_envs: Skirmish(name, n_envs), steps=200)


def test_time_limit_truncates() -> None:
    class Out(Skirmish):
        """3s_vs_3z with the stalkers far away in a corner: nobody finds them."""

        def reset(self, seeds: np.ndarray, rows: np.ndarray | None = None) -> None:
            super().reset(seeds, rows)
            raw = self.raw_units()
            raw["x"][:, :3], raw["y"][:, :3] = np.array([29.0, 30.5, 29.0]), np.array([29.0, 29.0, 31.0])
            self.set_units(raw)

    env = Out("3s_vs_3z", 2)
    env.reset(np.arange(2, dtype=np.uint64))
    for _ in range(env.spec.episode_limit):
        assert not (env.truncated | env.terminated).any()
        env.step(np.ones((2, 3), np.int64))
    assert env.truncated.all()
    assert not env.terminated.any()
    assert not env.won.any()


def test_threads_change_nothing() -> None:
    one, three = Skirmish("3s5z", 7), Skirmish("3s5z", 7, threads=3)
    generator = np.random.default_rng(1)
    for env in (one, three):
        env.reset(np.arange(7, dtype=np.uint64))
    for _ in range(60):
        actions = np.where(one.available, generator.random(one.available.shape), -1.0).argmax(axis=-1)
        one.step(actions)
        three.step(actions)
        assert np.array_equal(one.obs, three.obs)
        assert np.array_equal(one.state, three.state)
        assert np.array_equal(one.reward, three.reward)
    assert np.array_equal(one.raw_units(), three.raw_units())
    three.close()


def test_a_batch_steps_without_allocating() -> None:
    """What Python and numpy take meanwhile does not depend on the batch; kernels cannot allocate (`compile.py`)."""
    env = Skirmish("3m", 4096)
    env.reset(np.arange(4096, dtype=np.uint64))
    actions = np.ones((4096, 3), np.int64)
    env.step(actions)
    tracemalloc.start()
    for _ in range(3):
        env.step(actions)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert not env.terminated.any()
    assert peak < 4096, peak  # one flag per battle would be as much
