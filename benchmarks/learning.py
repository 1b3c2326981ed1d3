"""Throughput of acting and of one learner update, per kind of global information, printed with the machine.

    python benchmarks/learning.py [MAP ...]

Acting: the policy's step for 8 environments (network, exploration, choice), the simulator not included. Update: one
gradient step on 32 episodes of random play of the map. `plain GIS` builds every agent's generated weights as a matrix,
the obvious way; its ratio to ours is the gain of never building them.
"""

import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ptde_core.algorithms.catalogue import build_learner
from ptde_core.algorithms.value_decomposition import ValueDecompositionLearner
from ptde_core.base.batch import EpisodeBatch
from ptde_core.base.provenance import code, machine
from ptde_core.base.seeding import episode_seeds
from ptde_core.envs.catalogue import build_environment
from ptde_core.envs.interface import BatchedEnv
from ptde_core.nets.global_information import AgentHyper
from ptde_core.policies.play import Exploration, LocalInputs, explore, greedy, play
from ptde_core.policies.teacher import Teacher
from ptde_core.stages.settings import train_teacher_settings

ENVIRONMENTS, BATCH, REPEATS = 8, 32, 5


def seconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Median wall time of one call, after one call that is not counted."""
    work()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return float(np.median(times))


def plain_hyper(hyper: AgentHyper, local: Tensor, state: Tensor) -> Tensor:
    """The agent-hyper network with the generated weights built as matrices."""
    weights = hyper.weights(F.relu(hyper.hidden(local))).unflatten(-1, (hyper.state_size, hyper.output_size))
    return torch.einsum("...s,...nsz->...nz", state, weights) + hyper.bias(local)


def measure(map_name: str) -> None:
    """Print one line per kind of global information."""
    env = build_environment("skirmish", map_name, ENVIRONMENTS)
    spec = env.spec
    kinds = ("none", "unified", "agent-specific", "plain GIS")
    for kind in kinds:
        info = "agent-specific" if kind == "plain GIS" else kind
        learner = build_learner("qmix", spec, train_teacher_settings({"global_info": info}), seed=1)
        assert isinstance(learner, ValueDecompositionLearner)
        if kind == "plain GIS":
            AgentHyper.forward, ours = plain_hyper, AgentHyper.forward  # type: ignore[method-assign]  # the comparison
        seeds = episode_seeds(1, "benchmark", 0, BATCH)
        batch = EpisodeBatch.of(list(play(env, learner.teacher, seeds, Exploration(epsilon=1.0))))
        steps = int(batch.length.sum())
        update = seconds(lambda learner=learner, batch=batch: learner.update(batch))  # type: ignore[misc]  # bound now
        env.reset(seeds[:ENVIRONMENTS])
        act = seconds(acting(env, learner.teacher), repeats=200)
        print(
            f"{map_name:14} QMIX, {kind:15} acting {ENVIRONMENTS / act:8,.0f} env-steps/s   "
            f"update {1e3 * update:7.1f} ms ({BATCH} episodes, {steps} real steps: {steps / update:9,.0f} steps/s)"
        )
        if kind == "plain GIS":
            AgentHyper.forward = ours  # type: ignore[method-assign]  # the comparison ends


def acting(env: BatchedEnv, teacher: Teacher) -> Callable[[], object]:
    """One step's decisions for all environments, with exploration."""
    inputs, chance = LocalInputs(env), np.random.default_rng(0)
    shape = (ENVIRONMENTS, env.spec.n_agents, teacher.noise_size)
    state = torch.from_numpy(env.state) if teacher.reads_state else None

    @torch.inference_mode()
    def step() -> object:
        noise = torch.from_numpy(chance.standard_normal(shape, dtype=np.float32)) if shape[-1] else None
        values, _ = teacher.step(inputs.view(), None, state, noise)
        actions = greedy(values.numpy(), env.available)
        for row in range(ENVIRONMENTS):
            explore(actions[row], env.available[row], 0.05, chance)
        inputs.acted(actions)
        return actions

    return step


if __name__ == "__main__":
    print(f"machine: {machine()}; torch {torch.__version__}, {torch.get_num_threads()} threads; ptde {code()}")
    for name in sys.argv[1:] or ["3m", "3s_vs_5z", "3s5z_vs_3s6z"]:
        measure(name)
