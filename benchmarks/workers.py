"""Engines in processes of their own: what a second worker brings to play, and what the worker layer costs per step."""

import importlib.util
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.figures import Figure
from ptde_core.algorithms.building import build_teacher
from ptde_core.algorithms.catalogue import typed_settings
from ptde_core.base.batch import Episode
from ptde_core.base.seeding import episode_seeds
from ptde_core.envs.contract import random_actions
from ptde_core.envs.engines.football.football_engine import FootballEngine
from ptde_core.envs.engines.pettingzoo.pettingzoo_engine import PettingZooEngine
from ptde_core.envs.interface import BatchedEnv, EnvSpec
from ptde_core.envs.workers.engine_contract import MakeEngine, Outcome, View
from ptde_core.envs.workers.pool import EnginePool
from ptde_core.policies.policy import Acted, Exploration, Policy
from ptde_core.rollout.play import play

SECTION = "workers"
FOOTBALL = "academy_3_vs_1_with_keeper"
SKIRMISH = "ptde_core.envs.pettingzoo_api:parallel_env"
STEPS = 50


def measure(quick: bool) -> Iterator[Figure]:
    """On football where it is installed, else on skirmish through PettingZoo, whose step is much shorter."""
    installed = importlib.util.find_spec("gfootball") is not None
    make: MakeEngine = partial(FootballEngine, FOOTBALL) if installed else partial(PettingZooEngine, SKIRMISH)
    name = f"football {FOOTBALL}" if installed else "skirmish 3m through PettingZoo"
    with closing(EnginePool(make, 1)) as one, closing(EnginePool(make, 2)) as two:
        for policy in ("random", "qmix agent-specific"):
            yield from _second_worker(one, two, name, policy, *((2, 1) if quick else (8, 3)))
    with closing(EnginePool(make, 3 if quick else 8)) as pool:
        yield from _rounds(pool, name, 1 if quick else 3)
    yield from _layer(make, name, 4 if quick else 30)


def _second_worker(
    one: EnginePool, two: EnginePool, name: str, policy: str, episodes: int, turns: int
) -> Iterator[Figure]:
    """One worker and two go through a long list of episodes, as an evaluation does, so many episodes in each turn."""
    lists = [_played(pool, policy, episode_seeds(0, "benchmark", 0, episodes * (turns + 1))) for pool in (one, two)]
    speed = _in_turns([partial(_next, own, episodes) for own in lists], turns)
    note = f"{name}, {episodes * turns} episodes"
    yield Figure(SECTION, f"1 worker, {policy} play", speed[0], "env steps/s", note)
    yield Figure(SECTION, f"2 workers, {policy} play", speed[1], "env steps/s", note)
    yield Figure(SECTION, f"throughput of 2 workers over 1, {policy} play", speed[1] / speed[0], "times", note)


def _rounds(pool: EnginePool, name: str, turns: int) -> Iterator[Figure]:
    """Rounds of as many episodes as there are workers, which end with their last, as a training's do."""
    many, policy = pool.n_envs, "qmix agent-specific"

    def ways(turn: int, env: BatchedEnv) -> Iterator[Episode]:
        return _played(env, policy, episode_seeds(0, "benchmark", turn * many, many))

    in_lock_step = cast(BatchedEnv, InLockStep(pool))
    speed = _in_turns([partial(ways, env=env) for env in (pool, in_lock_step)], turns)
    note = f"{name}, {policy} play, {turns} rounds"
    yield Figure(SECTION, f"{many} workers, a round of {many}", speed[0], "env steps/s", note)
    yield Figure(SECTION, f"{many} workers in lock-step, a round of {many}", speed[1], "env steps/s", note)


def _played(env: BatchedEnv, policy: str, seeds: NDArray[np.uint64]) -> Iterator[Episode]:
    """Whole episodes, as a training plays its first: every action explores."""
    torch.manual_seed(0)
    acting: Policy = Thoughtless(env.spec)
    if policy != "random":
        acting = build_teacher(typed_settings({"alg": "qmix", "global_info": "agent-specific"}), env.spec)
    return play(env, acting, seeds, Exploration(epsilon=1.0))


def _next(episodes: Iterator[Episode], count: int, turn: int) -> Iterator[Episode]:  # noqa: ARG001  every way is called alike
    return islice(episodes, count)


def _in_turns(ways: Sequence[Callable[[int], Iterator[Episode]]], turns: int) -> list[float]:
    """Env steps per second, resets and all, of ways to play the same episodes, in turns: all meet the same machine."""
    spent, steps = [0.0] * len(ways), 0
    for turn in range(turns + 1):  # the first is not counted
        for k, way in enumerate(ways):
            began = time.perf_counter()
            played = list(way(turn))
            spent[k] += time.perf_counter() - began if turn else 0.0
        steps += sum(episode.length for episode in played) if turn else 0
    return [steps / seconds for seconds in spent]


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


class Thoughtless:
    """A policy that takes no time: all actions are worth the same."""

    reads_state = False
    noise_size = 0

    def __init__(self, spec: EnvSpec) -> None:
        self._values = torch.zeros(1, spec.n_agents, spec.n_actions)

    def step(self, local: Tensor, memory: Any, state: Tensor | None, noise: Tensor | None) -> Acted:  # noqa: ARG002  as `Policy`
        """Zeros (E, N, A)."""
        return Acted(self._values.repeat(len(local), 1, 1), None)


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
