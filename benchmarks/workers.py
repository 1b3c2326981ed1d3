"""Engines in processes of their own: what a second worker brings to play, and what the worker layer costs per step."""

import importlib.util
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.figures import Figure
from ptde_core.base.batch import Episode
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
    yield from _throughput(make, name, 1 if quick else 6)
    yield from _layer(make, name, 4 if quick else 30)


def _throughput(make: MakeEngine, name: str, turns: int) -> Iterator[Figure]:
    """Whole episodes, resets too, as a training plays its first: a teacher that acts, and explores in every step.

    Each way of playing gets the same episodes, in turns, so that all meet the same machine. One worker and two go
    through one long list. Eight play rounds of eight, which end with their last episode, as a training's do.
    """
    pools = {count: EnginePool(make, count) for count in (1, 2, 8)}
    torch.manual_seed(0)
    teacher = build_teacher("qmix", pools[1].spec, {"global_info": "agent-specific"})
    how, seeds = Exploration(epsilon=1.0), episode_seeds(0, "benchmark", 0, 8 * (turns + 1))
    one, two = (play(pools[count], teacher, seeds, how) for count in (1, 2))
    ways: dict[str, Callable[[NDArray[np.uint64]], Iterator[Episode]]] = {
        "1 worker": lambda _: one,
        "2 workers": lambda _: two,
        "8 workers, a round of 8": lambda own: play(pools[8], teacher, own, how),
        "8 workers in lock-step, a round of 8": lambda own: play(InLockStep(pools[8]), teacher, own, how),
    }
    spent, steps = dict.fromkeys(ways, 0.0), 0
    for turn in range(turns + 1):  # the first is not counted
        for way, episodes in ways.items():
            began = time.perf_counter()
            played = list(islice(episodes(seeds[8 * turn : 8 * (turn + 1)]), 8))
            spent[way] += time.perf_counter() - began if turn else 0.0
        steps += sum(episode.length for episode in played) if turn else 0
    for pool in pools.values():
        pool.close()
    note = f"{name}, qmix agent-specific, {8 * turns} episodes"
    for way, seconds in spent.items():
        yield Figure(SECTION, way, steps / seconds, "env steps/s", note)
    yield Figure(SECTION, "throughput of 2 workers over 1", spent["1 worker"] / spent["2 workers"], "times", note)


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


class InLockStep:
    """A pool without what lets its engines go on by themselves: a `BatchedEnv` and nothing more."""

    def __init__(self, pool: EnginePool) -> None:
        self._pool = pool

    def __getattr__(self, name: str) -> Any:
        if name in {"begin", "ask", "answered"}:
            raise AttributeError(name)
        return getattr(self._pool, name)


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
