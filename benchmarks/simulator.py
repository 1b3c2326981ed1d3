"""Speed of skirmish: env steps per second on one core with random valid actions, everything included.

Type `python benchmarks/simulator.py` (`--seconds 2` per line, `--maps`, `--batches`). Choosing the random actions is
timed apart and not counted.
"""

import argparse
import platform
import time
from pathlib import Path

import numba
import numpy as np

from ptde_core.envs.skirmish.environment import Skirmish, compiled
from ptde_core.envs.skirmish.scripted import random_actions


def machine() -> str:
    """One line about what this runs on."""
    cpu = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    return f"{cpu}, Python {platform.python_version()}, numpy {np.__version__}, numba {numba.__version__}"


def steps_per_second(map_name: str, n_envs: int, seconds: float) -> float:
    """Env steps per second of one thread; finished battles start anew, and their resets count."""
    env, generator = Skirmish(map_name, n_envs), np.random.default_rng(0)
    env.reset(np.arange(n_envs, dtype=np.uint64))
    seed, steps, spent = n_envs, 0, 0.0
    while spent < seconds:
        actions = random_actions(env.available, generator)
        start = time.perf_counter()
        env.step(actions)
        over = np.flatnonzero(env.terminated | env.truncated)
        if len(over):
            env.reset(np.arange(seed, seed + len(over), dtype=np.uint64), over)
            seed += len(over)
        spent += time.perf_counter() - start
        steps += n_envs
    return steps / spent


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--maps", nargs="+", default=["3m", "3s_vs_5z", "3s5z_vs_3s6z", "corridor", "27m_vs_30m"])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 8, 64])
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    print(machine())
    cached, start = compiled(), time.perf_counter()
    Skirmish("3m", 1).reset(np.zeros(1, np.uint64))
    print(f"{'loading' if cached else 'compiling'} the kernels: {time.perf_counter() - start:.1f} s")
    print(f"{'map':14s}" + "".join(f"{n:>12d}" for n in options.batches) + "   battles side by side")
    for name in options.maps:
        speeds = [steps_per_second(name, n, options.seconds) for n in options.batches]
        print(f"{name:14s}" + "".join(f"{s:12,.0f}" for s in speeds) + "   env steps/s, one core")


if __name__ == "__main__":
    main()
