"""Decisions per second: a policy's step for some environments, exploration and choice. Then whole rounds of play."""

from collections.abc import Callable, Iterator
from statistics import median
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.figures import Figure, seconds
from ptde_core.algorithms.building import build_learner
from ptde_core.base.batch import Episode
from ptde_core.base.seeding import episode_seeds
from ptde_core.base.threads import one_thread
from ptde_core.envs.backends import build_environment
from ptde_core.envs.interface import BatchedEnv
from ptde_core.policies.network_inputs import LocalInputs
from ptde_core.policies.policy import Exploration, Policy, choose
from ptde_core.policies.teacher import Teacher
from ptde_core.rollout.play import play, play_in_rounds
from ptde_core.runs.stage_settings import train_teacher_settings

SECTION = "acting"
Way = Callable[[BatchedEnv, Policy, NDArray[np.uint64], Exploration], Iterator[Episode]]
KINDS = ("none", "unified", "agent-specific")


def measure(quick: bool) -> Iterator[Figure]:
    """Env steps per second of decisions alone, and of rounds."""
    for map_name, n_envs in (("3s_vs_5z", 8), ("3s_vs_5z", 128), ("3s5z_vs_3s6z", 8)):
        for info in KINDS:
            work = decisions(info, map_name, n_envs)
            with one_thread():
                took = seconds(work, 20 if quick else 200)
            yield Figure(SECTION, f"qmix {info}, {map_name}, {n_envs} environments", n_envs / took, "env steps/s")
    for info in ("none", "agent-specific"):
        yield rounds(info, 5 if quick else 25)


def rounds(info: str, repeats: int, map_name: str = "3s_vs_5z", n_envs: int = 8) -> Figure:
    """Rounds of a fresh QMIX teacher, as a training plays them, and through the plain loop in turns."""
    env = build_environment("skirmish", map_name, n_envs)
    teacher = build_learner(train_teacher_settings({"global_info": info}), env.spec, seed=1).teacher
    seeds, how = episode_seeds(1, "benchmark", 0, n_envs), Exploration(0.05)
    took: dict[Way, list[float]] = {play: [], play_in_rounds: []}
    for _ in range(repeats + 1):
        for way, times in took.items():
            began = perf_counter()
            steps = sum(one.length for one in way(env, teacher, seeds, how))
            times.append(perf_counter() - began)
    own, plain = (median(times[1:]) for times in took.values())  # the first may compile
    note = f"{plain / own:.2f} times the plain loop, in turns; {torch.get_num_threads()} threads"
    return Figure(SECTION, f"qmix {info}, {map_name}, rounds of {n_envs} episodes", steps / own, "env steps/s", note)


def decisions(info: str, map_name: str = "3s_vs_5z", n_envs: int = 8) -> Callable[[], object]:
    """One step's decisions of a fresh QMIX teacher, over and over."""
    env = build_environment("skirmish", map_name, n_envs)
    teacher = build_learner(train_teacher_settings({"global_info": info}), env.spec, seed=1).teacher
    assert isinstance(teacher, Teacher)
    env.reset(episode_seeds(1, "benchmark", 0, n_envs))
    return _decide(env, teacher)


def _decide(env: BatchedEnv, teacher: Teacher) -> Callable[[], object]:
    """One step's decisions for all environments."""
    inputs, chance, everywhere = LocalInputs(env.spec, env.n_envs), np.random.default_rng(0), slice(None)
    epsilon, streams = np.full(env.n_envs, 0.05), dict.fromkeys(range(env.n_envs), chance)
    shape = (env.n_envs, env.spec.n_agents, teacher.noise_size)
    state = torch.from_numpy(env.state) if teacher.reads_state else None

    @torch.inference_mode()
    def step() -> object:
        noise = torch.from_numpy(chance.standard_normal(shape, dtype=np.float32)) if shape[-1] else None
        values = teacher.step(inputs.of(everywhere, env.obs), None, state, noise).values
        actions = choose(values, env.available, Exploration(), epsilon, streams)
        inputs.acted(everywhere, actions)
        return actions

    return step
