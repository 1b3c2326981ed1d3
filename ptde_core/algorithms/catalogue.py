"""The one list of algorithms: name -> how its learner is built. Settings and command line follow it (tested)."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from ptde_core.algorithms.ctds import OnlineDistillationLearner
from ptde_core.algorithms.instructions import InstructionRegulariser
from ptde_core.algorithms.learner import Learner
from ptde_core.algorithms.mappo import MappoLearner
from ptde_core.algorithms.value_decomposition import Team, ValueDecompositionLearner
from ptde_core.base.names import AlgorithmName
from ptde_core.base.seeding import seed_for
from ptde_core.envs.interface import EnvSpec
from ptde_core.nets.actor_critic import Critic, NormedHead
from ptde_core.nets.coach_network import CoachedMixer, Recogniser
from ptde_core.nets.mixers import DuplexMixer, MonotonicMixer, SumMixer
from ptde_core.policies.coach import CoachedTeacher
from ptde_core.policies.teacher import Teacher
from ptde_core.policies.teachers import build_online_student, build_teacher

MIXERS: Mapping[str, Callable[[EnvSpec, Any], nn.Module]] = {
    "vdn": lambda spec, sizes: SumMixer(),  # noqa: ARG005  every mixer is built from the same facts
    "qmix": lambda spec, sizes: MonotonicMixer(
        spec.n_agents, spec.state_size, sizes.mixer_embed, sizes.mixer_hyper, spec.state_one_hot
    ),
    "qplex": lambda spec, sizes: DuplexMixer(
        spec.n_agents, spec.n_actions, spec.state_size, sizes.mixer_hyper, sizes.mixer_heads, sizes.mixer_layers
    ),
}


def _value_decomposition(alg: AlgorithmName, spec: EnvSpec, settings: Any, seed: int) -> ValueDecompositionLearner:
    return ValueDecompositionLearner(
        Team(build_teacher(alg, spec, settings.model_dump()), MIXERS[alg](spec, settings)), settings, seed
    )


def _mappo(alg: AlgorithmName, spec: EnvSpec, settings: Any, seed: int) -> MappoLearner:
    teacher = build_teacher(alg, spec, settings.model_dump())
    assert isinstance(teacher, Teacher)
    assert isinstance(teacher.head, NormedHead)
    teacher.head.scale(settings.policy_gain)
    return MappoLearner(teacher, Critic(spec.state_size, teacher.local_size, settings.hidden_size), settings, seed)


def _csrl(alg: AlgorithmName, spec: EnvSpec, settings: Any, seed: int) -> ValueDecompositionLearner:
    """QMIX's mixer and loss under a commander's teacher."""
    team = Team(build_teacher(alg, spec, settings.model_dump()), MIXERS["qmix"](spec, settings))
    return ValueDecompositionLearner(team, settings, seed)


def _copa(alg: AlgorithmName, spec: EnvSpec, settings: Any, seed: int) -> ValueDecompositionLearner:
    """A coach's teacher, a mixer fed by that coach, and the regulariser of its instructions."""
    teacher = build_teacher(alg, spec, settings.model_dump())
    assert isinstance(teacher, CoachedTeacher)
    mixer = CoachedMixer(teacher.coach, settings.mixer_embed, settings.mixer_hyper)
    recogniser = Recogniser(teacher.local_size, spec.n_actions, settings.coach_size, settings.info_size)
    weights = settings.recognition_weight, settings.entropy_weight
    regulariser = InstructionRegulariser(recogniser, spec.n_actions, settings.info_every, *weights)
    return ValueDecompositionLearner(Team(teacher, mixer, regulariser), settings, seed)


def _ctds(alg: AlgorithmName, spec: EnvSpec, settings: Any, seed: int) -> OnlineDistillationLearner:
    mixer = MIXERS["qmix"](spec, settings)
    team = Team(build_teacher(alg, spec, settings.model_dump()), mixer)
    student = build_online_student(alg, spec, settings.model_dump())
    return OnlineDistillationLearner(ValueDecompositionLearner(team, settings, seed), student)


LEARNERS: Mapping[AlgorithmName, Callable[[AlgorithmName, EnvSpec, Any, int], Learner]] = {
    "copa": _copa,
    "csrl": _csrl,
    "mappo": _mappo,
    "qmix": _value_decomposition,
    "qplex": _value_decomposition,
    "vdn": _value_decomposition,
    "ctds": _ctds,
}

# Those that `StackedLearner` trains: several seeds at once, or on a GPU.
STACKABLE: tuple[AlgorithmName, ...] = ("qmix", "qplex", "vdn")


def build_learner(alg: AlgorithmName, spec: EnvSpec, settings: Any, seed: int) -> Learner:
    """A learner with fresh networks; equal arguments give equal networks.

    Args:
        alg: name of the algorithm.
        spec: what the networks must fit.
        settings: that algorithm's own, with those of its teacher's networks (`runs.stage_settings.TRAINING`).
        seed: decides first weights and every random choice of learning.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(seed, "networks") >> 1)
        return LEARNERS[alg](alg, spec, settings, seed)
