"""What the records of several algorithms build alike. Torch is imported when they are called."""

from typing import TYPE_CHECKING

from ptde_core.algorithms.learner_settings import ValueDecompositionSettings
from ptde_core.algorithms.training_settings import TrainTeacherSettings

if TYPE_CHECKING:
    from ptde_core.envs.interface import EnvSpec
    from ptde_core.nets.mixers import MonotonicMixer
    from ptde_core.policies.teacher import Teacher


def value_teacher(spec: "EnvSpec", settings: TrainTeacherSettings) -> "Teacher":
    """PTDE's teacher; its head's numbers are action values."""
    from ptde_core.policies.teachers import ptde_teacher

    return ptde_teacher(spec, settings)


def monotonic_mixer(spec: "EnvSpec", settings: ValueDecompositionSettings) -> "MonotonicMixer":
    """QMIX's mixer; CSRL and CTDS have it too."""
    from ptde_core.nets.mixers import MonotonicMixer

    return MonotonicMixer(
        spec.n_agents, spec.state_size, settings.mixer_embed, settings.mixer_hyper, spec.state_one_hot
    )
