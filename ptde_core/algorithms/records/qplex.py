"""QPLEX (Wang et al., 2021): any team value under which agents that are each greedy are a greedy team."""

from typing import TYPE_CHECKING

from ptde_core.algorithms.algorithm import Algorithm
from ptde_core.algorithms.learner_settings import QplexSettings
from ptde_core.algorithms.training_settings import TrainTeacherSettings

if TYPE_CHECKING:
    from ptde_core.algorithms.value_decomposition import ValueDecompositionLearner
    from ptde_core.envs.interface import EnvSpec
    from ptde_core.policies.teacher import Teacher


class TrainQplexSettings(TrainTeacherSettings, QplexSettings):
    """QPLEX."""


def teacher(spec: "EnvSpec", settings: TrainQplexSettings) -> "Teacher":
    """PTDE's teacher; its head's numbers are action values."""
    from ptde_core.policies.teachers import ptde_teacher

    return ptde_teacher(spec, settings)


def learner(spec: "EnvSpec", settings: TrainQplexSettings, seed: int) -> "ValueDecompositionLearner":
    """Value decomposition with the duplex dueling mixer."""
    from ptde_core.algorithms.value_decomposition import Team, ValueDecompositionLearner
    from ptde_core.nets.mixers import DuplexMixer

    policy = teacher(spec, settings)
    mixer = DuplexMixer(
        spec.n_agents,
        spec.n_actions,
        spec.state_size,
        settings.mixer_hyper,
        settings.mixer_heads,
        settings.mixer_layers,
    )
    return ValueDecompositionLearner(Team(policy, mixer), settings, seed)


QPLEX = Algorithm(
    table_name="QPLEX",
    settings=TrainQplexSettings,
    teacher=teacher,
    learner=learner,
    stackable=True,
    preset="value_decomposition",
    page="explanation/algorithms/qplex.md",
)
