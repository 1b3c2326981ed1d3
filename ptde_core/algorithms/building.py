"""From a training's settings to what its algorithm's record builds of them: environment, policies, learner."""

from typing import Any

import torch

from ptde_core.algorithms.catalogue import algorithm_named
from ptde_core.algorithms.learner import Learner
from ptde_core.algorithms.training_settings import TrainingSettings
from ptde_core.base.seeding import seed_for
from ptde_core.envs.backends import build_environment
from ptde_core.envs.interface import BatchedEnv, EnvSpec
from ptde_core.envs.two_views import Sights
from ptde_core.policies.teacher import Teacher
from ptde_core.policies.teachers import AnyTeacher


def build_learner(settings: TrainingSettings, spec: EnvSpec, seed: int) -> Learner:
    """A learner with fresh networks; equal arguments give equal networks.

    Args:
        settings: of the training.
        spec: what the networks must fit.
        seed: decides initial weights and every random choice of learning.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(seed, "networks") >> 1)
        return algorithm_named(settings.alg).learner(spec, settings, seed)


def build_teacher(settings: TrainingSettings, spec: EnvSpec) -> AnyTeacher:
    """A teacher with fresh networks, drawn from torch's generator."""
    return algorithm_named(settings.alg).teacher(spec, settings)


def build_online_student(settings: TrainingSettings, spec: EnvSpec) -> Teacher:
    """The student that is trained with that teacher, with fresh networks; for algorithms that have one."""
    student = algorithm_named(settings.alg).online_student
    assert student is not None, f"{settings.alg} trains no student with its teacher"
    return student.build(spec, settings)


def build_environment_of(settings: TrainingSettings, n_envs: int) -> BatchedEnv:
    """The environment of a training, with the views that its algorithm's policies read.

    Raises:
        PtdeError: as `envs.backends.build_environment`.
    """
    return build_environment(settings.env, settings.map, n_envs, sights_of(settings))


def sights_of(settings: TrainingSettings) -> Sights | None:
    """The sights of a training's teacher and student; None where both see what the environment shows."""
    student: Any = algorithm_named(settings.alg).online_student
    return None if student is None else student.sights(settings)
