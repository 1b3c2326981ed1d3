"""Speed of skirmish: env steps per second on one core with random valid actions, everything included.

Times of this section are processor time of all threads, so that programs that share the machine count as little as
possible.
"""

import time
from collections.abc import Iterator
from statistics import median

import numpy as np

from benchmarks.figures import Figure
from ptde_core.envs.interface import BatchedEnv
from ptde_core.envs.skirmish.scripted import random_actions
from ptde_core.envs.skirmish.skirmish import Skirmish, compiled

SECTION = "simulator"
MAPS = ("3m", "3s_vs_5z", "3s5z_vs_3s6z", "corridor", "27m_vs_30m")
GROWING = ("3m", "8m", "25m", "27m_vs_30m")  # one kind of unit on one ground: only their number differs


def measure(quick: bool) -> Iterator[Figure]:
    """Env steps per second of one thread. Choosing the random actions is not counted; resets are."""
    cached, began = compiled(), time.perf_counter()
    Skirmish("3m", 1).reset(np.zeros(1, np.uint64))
    yield Figure(SECTION, f"kernels {'loaded' if cached else 'compiled'}", time.perf_counter() - began, "s")
    seconds = 0.3 if quick else 2.0
    for map_name in MAPS:
        for n_envs in (8, 64):
            speed = steps_per_second(map_name, n_envs, seconds)
            yield Figure(SECTION, f"{map_name}, {n_envs} battles", speed, "env steps/s", "one core")
    gains = []
    for _ in range(5):  # in turns, for a machine's speed changes from one second to the next
        one, two = (steps_per_second("3s5z_vs_3s6z", 64, seconds / 4, threads) for threads in (1, 2))
        gains.append(2.0 * two / one)
    yield Figure(SECTION, "two threads", median(gains), "x one thread", "given two idle cores: by processor time")
    growth, maps = cost_growth(seconds), f"{GROWING[0]} to {GROWING[-1]}"
    yield Figure(SECTION, "growth of a step's cost", growth, "power of the unit pairs", maps)


def cost_growth(seconds: float) -> float:
    """The power of the number of unit pairs with which a step's cost grows; 1: in proportion (least squares)."""
    units = [len(Skirmish(name, 1).raw_units()[0]) for name in GROWING]
    pairs = [count * (count - 1) / 2 for count in units]
    cost = [1.0 / steps_per_second(name, 64, seconds) for name in GROWING]
    return float(np.polyfit(np.log(pairs), np.log(cost), 1)[0])


def steps_per_second(map_name: str, n_envs: int, seconds: float, threads: int = 1) -> float:
    """Env steps per second of processor time; finished battles start anew."""
    env, generator = Skirmish(map_name, n_envs, threads), np.random.default_rng(0)
    env.reset(np.arange(n_envs, dtype=np.uint64))
    seed, steps, spent = n_envs, 0, 0.0
    while spent < seconds:
        actions = random_actions(env.available, generator)
        began = time.process_time()
        env.step(actions)
        over = np.flatnonzero(env.terminated | env.truncated)
        if len(over):
            env.reset(np.arange(seed, seed + len(over), dtype=np.uint64), over)
            seed += len(over)
        spent += time.process_time() - began
        steps += n_envs
    env.close()
    return steps / spent


def wall_steps_per_second(env: BatchedEnv, at_least: float) -> float:
    """Env steps per second of wall time, the choice of the random actions counted too; closes the environment."""
    chance, seed = np.random.default_rng(0), env.n_envs
    env.reset(np.arange(env.n_envs, dtype=np.uint64))
    steps, began = 0, time.perf_counter()
    while time.perf_counter() - began < at_least:
        env.step(random_actions(env.available, chance))
        over = np.flatnonzero(env.terminated | env.truncated)
        if len(over):
            env.reset(np.arange(seed, seed + len(over), dtype=np.uint64), over)
            seed += len(over)
        steps += env.n_envs
    speed = steps / (time.perf_counter() - began)
    env.close()
    return speed
