"""QMIX (Rashid et al., 2018): the team's value never falls when an agent's value rises."""

from typing import TYPE_CHECKING

from ptde_core.algorithms.algorithm import Algorithm
from ptde_core.algorithms.learner_settings import ValueDecompositionSettings
from ptde_core.algorithms.training_settings import TrainValueDecompositionSettings

if TYPE_CHECKING:
    from ptde_core.algorithms.value_decomposition import ValueDecompositionLearner
    from ptde_core.envs.interface import EnvSpec
    from ptde_core.nets.mixers import MonotonicMixer
    from ptde_core.policies.teacher import Teacher


def teacher(spec: "EnvSpec", settings: TrainValueDecompositionSettings) -> "Teacher":
    """PTDE's teacher; its head's numbers are action values."""
    from ptde_core.policies.teachers import ptde_teacher

    return ptde_teacher(spec, settings)


def mixer(spec: "EnvSpec", settings: ValueDecompositionSettings) -> "MonotonicMixer":
    """QMIX's mixer; CSRL and CTDS have it too."""
    from ptde_core.nets.mixers import MonotonicMixer

    return MonotonicMixer(
        spec.n_agents, spec.state_size, settings.mixer_embed, settings.mixer_hyper, spec.state_one_hot
    )


def learner(spec: "EnvSpec", settings: TrainValueDecompositionSettings, seed: int) -> "ValueDecompositionLearner":
    """Value decomposition with that mixer."""
    from ptde_core.algorithms.value_decomposition import Team, ValueDecompositionLearner

    return ValueDecompositionLearner(Team(teacher(spec, settings), mixer(spec, settings)), settings, seed)


QMIX = Algorithm(
    table_name="QMIX",
    settings=TrainValueDecompositionSettings,
    teacher=teacher,
    learner=learner,
    stackable=True,
    preset="value_decomposition",
    page="explanation/algorithms/qmix_vdn.md",
)
