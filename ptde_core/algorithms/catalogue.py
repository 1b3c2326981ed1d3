"""The one list of algorithms: name -> how its learner is built. Settings and command line follow it (tested)."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from ptde_core.algorithms.learner import Learner
from ptde_core.algorithms.mappo import MappoLearner
from ptde_core.algorithms.settings import AlgorithmName, ValueDecompositionSettings
from ptde_core.algorithms.value_decomposition import Team, ValueDecompositionLearner
from ptde_core.base.seeding import seed_for
from ptde_core.envs.interface import EnvSpec
from ptde_core.nets.actor_critic import Critic
from ptde_core.nets.mixers import MonotonicMixer, SumMixer
from ptde_core.policies.catalogue import build_teacher

MIXERS: Mapping[str, Callable[[EnvSpec, ValueDecompositionSettings], nn.Module]] = {
    "vdn": lambda spec, sizes: SumMixer(),  # noqa: ARG005  every mixer is built from the same facts
    "qmix": lambda spec, sizes: MonotonicMixer(spec.n_agents, spec.state_size, sizes.mixer_embed, sizes.mixer_hyper),
}


def _value_decomposition(alg: AlgorithmName, spec: EnvSpec, settings: Any, seed: int) -> ValueDecompositionLearner:
    return ValueDecompositionLearner(
        Team(build_teacher(alg, spec, settings.model_dump()), MIXERS[alg](spec, settings)), settings, seed
    )


def _mappo(alg: AlgorithmName, spec: EnvSpec, settings: Any, seed: int) -> MappoLearner:  # noqa: ARG001  no chance
    teacher = build_teacher(alg, spec, settings.model_dump())
    return MappoLearner(teacher, Critic(spec.state_size, teacher.local_size, settings.hidden_size), settings)


LEARNERS: Mapping[AlgorithmName, Callable[[AlgorithmName, EnvSpec, Any, int], Learner]] = {
    "mappo": _mappo,
    "qmix": _value_decomposition,
    "vdn": _value_decomposition,
}


def build_learner(alg: AlgorithmName, spec: EnvSpec, settings: Any, seed: int) -> Learner:
    """A learner with fresh networks; equal arguments give equal networks.

    Args:
        alg: name of the algorithm.
        spec: what the networks must fit.
        settings: that algorithm's own, with those of its teacher's networks (`stages.settings.TRAINING`).
        seed: decides first weights and every random choice of learning.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(seed, "networks") >> 1)
        return LEARNERS[alg](alg, spec, settings, seed)
