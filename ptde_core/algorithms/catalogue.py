"""The one list of algorithms: name -> how its learner is built. Settings and command line follow it (tested)."""

from collections.abc import Callable, Mapping

import torch
from torch import nn

from ptde_core.algorithms.settings import AlgorithmName, ValueDecompositionSettings
from ptde_core.algorithms.value_decomposition import Team, ValueDecompositionLearner
from ptde_core.base.seeding import seed_for
from ptde_core.envs.interface import EnvSpec
from ptde_core.nets.mixers import MonotonicMixer, SumMixer
from ptde_core.nets.settings import NetworkSettings
from ptde_core.policies.teacher import Teacher

MIXERS: Mapping[AlgorithmName, Callable[[EnvSpec, NetworkSettings], nn.Module]] = {
    "vdn": lambda spec, sizes: SumMixer(),  # noqa: ARG005  every mixer is built from the same facts
    "qmix": lambda spec, sizes: MonotonicMixer(spec.n_agents, spec.state_size, sizes.mixer_embed, sizes.mixer_hyper),
}


def build_learner(
    alg: AlgorithmName, spec: EnvSpec, sizes: NetworkSettings, settings: ValueDecompositionSettings, seed: int
) -> ValueDecompositionLearner:
    """A learner with fresh networks; equal arguments give equal networks."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(seed, "networks") >> 1)
        team = Team(Teacher(spec, sizes), MIXERS[alg](spec, sizes))
    return ValueDecompositionLearner(team, settings, seed)
