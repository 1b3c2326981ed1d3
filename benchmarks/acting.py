"""Decisions per second: the policy's step for a batch of environments, exploration and choice; no simulator."""

from collections.abc import Callable, Iterator

import numpy as np
import torch

from benchmarks.figures import Figure, seconds
from ptde_core.algorithms.building import build_learner
from ptde_core.base.seeding import episode_seeds
from ptde_core.base.threads import one_thread
from ptde_core.envs.backends import build_environment
from ptde_core.envs.interface import BatchedEnv
from ptde_core.policies.network_inputs import LocalInputs
from ptde_core.policies.policy import Exploration, choose
from ptde_core.policies.teacher import Teacher
from ptde_core.runs.stage_settings import train_teacher_settings

SECTION = "acting"
KINDS = ("none", "unified", "agent-specific")


def measure(quick: bool) -> Iterator[Figure]:
    """Env steps per second of decisions alone."""
    for map_name, n_envs in (("3s_vs_5z", 8), ("3s_vs_5z", 128), ("3s5z_vs_3s6z", 8)):
        for info in KINDS:
            work = decisions(info, map_name, n_envs)
            with one_thread():
                took = seconds(work, 20 if quick else 200)
            yield Figure(SECTION, f"qmix {info}, {map_name}, {n_envs} environments", n_envs / took, "env steps/s")


def decisions(info: str, map_name: str = "3s_vs_5z", n_envs: int = 8) -> Callable[[], object]:
    """One step's decisions of a fresh QMIX teacher, over and over."""
    env = build_environment("skirmish", map_name, n_envs)
    teacher = build_learner(train_teacher_settings({"global_info": info}), env.spec, seed=1).teacher
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
