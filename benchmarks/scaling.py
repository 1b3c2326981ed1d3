"""How speed changes with size: environments, agents, threads, state."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from benchmarks.figures import Figure, seconds
from benchmarks.simulator import wall_steps_per_second
from benchmarks.synthetic import SPEC, batch_of, learner_for
from ptde_core.base.machine_memory import keep_freed_memory
from ptde_core.base.seeding import episode_seeds
from ptde_core.envs.backends import build_environment
from ptde_core.rollout.play import play

SECTION = "scaling"
ENVIRONMENTS = (1, 8, 64, 512, 4096)
AGENTS = ("3m", "8m", "10m_vs_11m", "25m", "27m_vs_30m")  # 3 to 27 of one kind
EPISODES, STEPS = 32, 40


def measure(quick: bool) -> Iterator[Figure]:
    """Wall time, all of it; figures of one thread say so."""
    keep_freed_memory()
    at_least, repeats = (0.1, 1) if quick else (1.0, 5)
    for count in ENVIRONMENTS[:3] if quick else ENVIRONMENTS:
        speed = wall_steps_per_second(build_environment("skirmish", "3s_vs_5z", count), at_least)
        yield Figure(SECTION, f"simulator, 3s_vs_5z, {count} environments", speed, "env steps/s", "one thread")
    for count in (8,) if quick else (1, 8, 64, 512):
        yield _rounds(count, repeats)
    for map_name in AGENTS[:2] if quick else AGENTS:
        env = build_environment("skirmish", map_name, 64)
        spec = env.spec
        note = f"{spec.n_agents} agents"
        speed = wall_steps_per_second(env, at_least)
        yield Figure(SECTION, f"simulator, {map_name}, 64 environments", speed, "env steps/s", f"{note}, one thread")
        for info in ("none", "agent-specific"):
            update = partial(learner_for(spec, "qmix", info).update, batch_of(spec, np.full(EPISODES, STEPS)))
            took = 1e3 * seconds(update, repeats)
            yield Figure(SECTION, f"update, {map_name}, {info}, {EPISODES} x {STEPS} steps", took, "ms", note)
    for size in (50, 200) if quick else (50, 100, 200, 400, 800):
        spec = replace(SPEC, state_size=size, state_names=tuple(f"state_{k}" for k in range(size)))
        for info in ("none", "agent-specific"):
            update = partial(learner_for(spec, "qmix", info).update, batch_of(spec, np.full(EPISODES, STEPS)))
            took = 1e3 * seconds(update, repeats)
            yield Figure(
                SECTION, f"update, state of {size}, {info}, {EPISODES} x {STEPS} steps", took, "ms", "8 agents"
            )
    yield from _threads(repeats)


def _rounds(count: int, repeats: int) -> Figure:
    """Play of an untrained team, whole rounds."""
    env = build_environment("skirmish", "3s_vs_5z", count)
    learner = learner_for(env.spec, "qmix", "none")
    lengths: list[int] = []

    def one() -> None:
        seeds = episode_seeds(1, "benchmark", len(lengths), count)
        lengths.extend(episode.length for episode in play(env, learner.teacher, seeds, learner.exploration(0)))

    took = seconds(one, repeats)
    env.close()
    return Figure(
        SECTION, f"play, 3s_vs_5z, {count} environments", count * float(np.mean(lengths)) / took, "env steps/s"
    )


def _threads(repeats: int) -> Iterator[Figure]:
    """The same update on one thread and on all."""
    count, batch = torch.get_num_threads(), batch_of(SPEC, np.full(128, 70))
    for info in ("none", "agent-specific"):
        took = {}
        for threads in sorted({1, count}):
            torch.set_num_threads(threads)
            took[threads] = seconds(partial(learner_for(SPEC, "qmix", info).update, batch), repeats)
            yield Figure(
                SECTION, f"update, {info}, 128 x 70 steps, {threads} threads", 1e3 * took[threads], "ms", "8 agents"
            )
        if count > 1:
            ratio = took[1] / took[count]
            yield Figure(SECTION, f"update, {info}, {count} threads", ratio, "x one thread")
