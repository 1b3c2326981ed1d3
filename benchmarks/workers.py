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
STEPS = 50


def measure(quick: bool) -> Iterator[Figure]:
    """On football where it is installed, else on skirmish through PettingZoo, whose step is much shorter."""
    installed = importlib.util.find_spec("gfootball") is not None
    make: MakeEngine = partial(FootballEngine, FOOTBALL) if installed else partial(PettingZooEngine, SKIRMISH)
    name = f"football {FOOTBALL}" if installed else "skirmish 3m through PettingZoo"
    note = f"{name}, random actions, resets left out"
    one, two = _Player(make, 1), _Player(make, 2)
    idle = _Player(partial(Idle, one.spec), 1)
    for _ in range(4 if quick else 30):  # in turns, so that all of them meet the same machine
        for player in (one, two, idle):
            player.play(STEPS)
    for player in (one, two, idle):
        player.close()
    yield Figure(SECTION, "1 worker", 1e3 * one.per_step, "ms/step", note)
    yield Figure(SECTION, "2 workers in lock-step", 1e3 * two.per_step, "ms/step", note)
    yield Figure(SECTION, "throughput of 2 workers over 1", 2 * one.per_step / two.per_step, "times", note)
    yield Figure(SECTION, "the layer itself", 1e3 * idle.per_step, "ms/step", "1 worker whose engine does nothing")
    yield Figure(SECTION, "the layer's share of a step", 100 * idle.per_step / one.per_step, "%", note)


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


class _Player:
    """A pool that plays random actions, and the mean wall time of a step of all its workers together."""

    def __init__(self, make: MakeEngine, n_envs: int) -> None:
        self._pool = EnginePool(make, n_envs)
        self.spec = self._pool.spec
        self._chance, self._resets = np.random.default_rng(0), 0
        self._spent, self._steps = 0.0, 0
        self._reset(np.arange(n_envs))

    @property
    def per_step(self) -> float:
        """Seconds."""
        return self._spent / self._steps

    def play(self, steps: int) -> None:
        """Play on."""
        pool = self._pool
        for _ in range(steps):
            actions = random_actions(pool, self._chance)
            began = time.perf_counter()
            pool.step(actions)
            self._spent += time.perf_counter() - began
            ended = np.flatnonzero(pool.terminated | pool.truncated | pool.lost)
            if ended.size:
                self._reset(ended)
        self._steps += steps

    def _reset(self, rows: NDArray[np.intp]) -> None:
        self._pool.reset(episode_seeds(self._resets, "benchmark", 0, rows.size), rows)
        self._resets += 1

    def close(self) -> None:
        """End the engines."""
        self._pool.close()
