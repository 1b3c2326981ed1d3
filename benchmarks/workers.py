"""Engines in processes of their own: what the worker layer costs per step, and what a second worker brings."""

import importlib.util
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.figures import Figure
from ptde_core.base.seeding import episode_seeds
from ptde_core.envs.contract import random_actions
from ptde_core.envs.football.engine import FootballEngine
from ptde_core.envs.interface import EnvSpec
from ptde_core.envs.pettingzoo_engine import PettingZooEngine
from ptde_core.envs.workers.engine import MakeEngine, Outcome, View
from ptde_core.envs.workers.pool import EnginePool

SECTION = "workers"
FOOTBALL = "academy_3_vs_1_with_keeper"
SKIRMISH = "ptde_core.envs.pettingzoo_face:parallel_env"


def measure(quick: bool) -> Iterator[Figure]:
    """On football where it is installed, else on skirmish through PettingZoo, whose step is much shorter."""
    installed = importlib.util.find_spec("gfootball") is not None
    make: MakeEngine = partial(FootballEngine, FOOTBALL) if installed else partial(PettingZooEngine, SKIRMISH)
    steps = 100 if quick else 1500
    note = (
        f"{'football ' + FOOTBALL if installed else 'skirmish 3m through PettingZoo'}, random actions, resets left out"
    )
    one, two = (_per_step(make, count, steps) for count in (1, 2))
    spec = make().spec
    idle = _per_step(partial(Idle, spec), 1, steps)
    yield Figure(SECTION, "1 worker", 1e3 * one, "ms/step", note)
    yield Figure(SECTION, "2 workers in lock-step", 1e3 * two, "ms/step", note)
    yield Figure(SECTION, "throughput of 2 workers over 1", 2 * one / two, "times", note)
    yield Figure(SECTION, "the layer itself", 1e3 * idle, "ms/step", "1 worker whose engine does nothing, same sizes")
    yield Figure(SECTION, "the layer's share of a step", 100 * idle / one, "%", note)


@dataclass
class Idle:
    """An engine of some sizes that does nothing."""

    spec: EnvSpec

    def reset(self, seed: int, view: View) -> None:  # noqa: ARG002  as `Engine`
        """Everything may be done."""
        view.available[:] = True

    def step(self, actions: NDArray[np.int64], view: View) -> Outcome:  # noqa: ARG002  as `Engine`
        """Nothing happens."""
        return Outcome(0.0, False, False, False)

    def close(self) -> None:
        """Nothing to stop."""


def _per_step(make: MakeEngine, n_envs: int, steps: int) -> float:
    """Mean wall time of a step of all workers together."""
    pool, chance, seeds = EnginePool(make, n_envs), np.random.default_rng(0), iter(range(10**9))
    pool.reset(episode_seeds(0, "benchmark", next(seeds), n_envs))
    spent = 0.0
    for _ in range(steps):
        actions = random_actions(pool, chance)
        began = time.perf_counter()
        pool.step(actions)
        spent += time.perf_counter() - began
        ended = np.flatnonzero(pool.terminated | pool.truncated | pool.lost)
        if ended.size:
            pool.reset(episode_seeds(1 + next(seeds), "benchmark", 0, ended.size), ended)
    pool.close()
    return spent / steps
