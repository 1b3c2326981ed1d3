"""Engines in processes of their own: what a second worker brings to play, and what the worker layer costs per step."""

import importlib.util
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.figures import Figure
from ptde_core.base.seeding import episode_seeds
from ptde_core.envs.contract import random_actions
from ptde_core.envs.football.engine import FootballEngine
from ptde_core.envs.interface import EnvSpec
from ptde_core.envs.pettingzoo_engine import PettingZooEngine
from ptde_core.envs.workers.engine import MakeEngine, Outcome, View
from ptde_core.envs.workers.pool import EnginePool
from ptde_core.policies.acting import Exploration
from ptde_core.policies.catalogue import build_teacher
from ptde_core.policies.play import play

SECTION = "workers"
FOOTBALL = "academy_3_vs_1_with_keeper"
SKIRMISH = "ptde_core.envs.pettingzoo_face:parallel_env"
STEPS = 50


def measure(quick: bool) -> Iterator[Figure]:
    """On football where it is installed, else on skirmish through PettingZoo, whose step is much shorter."""
    installed = importlib.util.find_spec("gfootball") is not None
    make: MakeEngine = partial(FootballEngine, FOOTBALL) if installed else partial(PettingZooEngine, SKIRMISH)
    name = f"football {FOOTBALL}" if installed else "skirmish 3m through PettingZoo"
    yield from _throughput(make, name, 4 if quick else 32, 1 if quick else 3)
    yield from _layer(make, name, 4 if quick else 30)


def _throughput(make: MakeEngine, name: str, episodes: int, times: int) -> Iterator[Figure]:
    """Whole episodes, resets too, as a training plays its first: a teacher that acts, and explores in every step."""
    pools = {count: EnginePool(make, count) for count in (1, 2)}
    torch.manual_seed(0)
    teacher = build_teacher("qmix", pools[1].spec, {"global_info": "agent-specific"})
    spent, steps = dict.fromkeys(pools, 0.0), 0
    for number in range(-1, times):  # in turns, so that both meet the same machine; the first time is not counted
        seeds = episode_seeds(max(number, 0), "benchmark", 0, episodes if number >= 0 else 2)
        for count, pool in pools.items():
            began = time.perf_counter()
            played = list(play(pool, teacher, seeds, Exploration(epsilon=1.0)))
            if number >= 0:
                spent[count] += time.perf_counter() - began
        steps += sum(episode.length for episode in played) if number >= 0 else 0
    for pool in pools.values():
        pool.close()
    note = f"{name}, qmix agent-specific, {times} x {episodes} episodes"
    for count, seconds in spent.items():
        yield Figure(SECTION, f"{count} worker{'s' if count > 1 else ''}", steps / seconds, "env steps/s", note)
    yield Figure(SECTION, "throughput of 2 workers over 1", spent[1] / spent[2], "times", note)


def _layer(make: MakeEngine, name: str, rounds: int) -> Iterator[Figure]:
    """What is between asking for a step and its answer, with the engine and with one that does nothing."""
    engine = _Player(make)
    idle = _Player(partial(Idle, engine.spec))
    for _ in range(rounds):
        for player in (engine, idle):
            player.play(STEPS)
    for player in (engine, idle):
        player.close()
    note = f"{name}, 1 worker, random actions, resets left out"
    yield Figure(SECTION, "a step", 1e3 * engine.per_step, "ms", note)
    yield Figure(SECTION, "a step of an engine that does nothing", 1e3 * idle.per_step, "ms", "the layer itself")
    yield Figure(SECTION, "the layer's share of a step", 100 * idle.per_step / engine.per_step, "%", note)


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
    """One worker that plays random actions, and the mean wall time of its steps."""

    def __init__(self, make: MakeEngine) -> None:
        self._pool = EnginePool(make, 1)
        self.spec = self._pool.spec
        self._chance, self._resets = np.random.default_rng(0), 0
        self._spent, self._steps = 0.0, 0
        self._reset()

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
            pool.ask([0], actions)
            pool.answered()
            self._spent += time.perf_counter() - began
            if pool.terminated[0] or pool.truncated[0]:
                self._reset()
        self._steps += steps

    def _reset(self) -> None:
        self._pool.reset(episode_seeds(self._resets, "benchmark", 0, 1))
        self._resets += 1

    def close(self) -> None:
        """End the engine."""
        self._pool.close()
