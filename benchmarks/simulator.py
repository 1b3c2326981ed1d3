"""Speed of skirmish: env steps per second on one core with random valid actions, everything included."""

import time
from collections.abc import Iterator

import numpy as np

from benchmarks.figures import Figure
from ptde_core.envs.skirmish.environment import Skirmish, compiled
from ptde_core.envs.skirmish.scripted import random_actions

SECTION = "simulator"
MAPS = ("3m", "3s_vs_5z", "3s5z_vs_3s6z", "corridor", "27m_vs_30m")


def measure(quick: bool) -> Iterator[Figure]:
    """Env steps per second of one thread. Choosing the random actions is not counted; resets are."""
    cached, began = compiled(), time.perf_counter()
    Skirmish("3m", 1).reset(np.zeros(1, np.uint64))
    yield Figure(SECTION, f"kernels {'loaded' if cached else 'compiled'}", time.perf_counter() - began, "s")
    for map_name in MAPS:
        for n_envs in (8, 64):
            speed = steps_per_second(map_name, n_envs, 0.3 if quick else 2.0)
            yield Figure(SECTION, f"{map_name}, {n_envs} battles", speed, "env steps/s", "one core")


def steps_per_second(map_name: str, n_envs: int, seconds: float) -> float:
    """Finished battles start anew."""
    env, generator = Skirmish(map_name, n_envs), np.random.default_rng(0)
    env.reset(np.arange(n_envs, dtype=np.uint64))
    seed, steps, spent = n_envs, 0, 0.0
    while spent < seconds:
        actions = random_actions(env.available, generator)
        began = time.perf_counter()
        env.step(actions)
        over = np.flatnonzero(env.terminated | env.truncated)
        if len(over):
            env.reset(np.arange(seed, seed + len(over), dtype=np.uint64), over)
            seed += len(over)
        spent += time.perf_counter() - began
        steps += n_envs
    return steps / spent
