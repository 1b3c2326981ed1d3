"""QPLEX (Wang et al., 2021): any team value under which agents that are each greedy are a greedy team."""

from typing import TYPE_CHECKING

from ptde_core.algorithms.algorithm import Algorithm
from ptde_core.algorithms.learner_settings import QplexSettings
from ptde_core.algorithms.records.parts import value_teacher
from ptde_core.algorithms.training_settings import TrainTeacherSettings

if TYPE_CHECKING:
    from ptde_core.algorithms.value_decomposition import ValueDecompositionLearner
    from ptde_core.envs.interface import EnvSpec


class TrainQplexSettings(TrainTeacherSettings, QplexSettings):
    """QPLEX."""


def learner(spec: "EnvSpec", settings: TrainQplexSettings, seed: int) -> "ValueDecompositionLearner":
    """Value decomposition with the duplex dueling mixer."""
    from ptde_core.algorithms.value_decomposition import Team, ValueDecompositionLearner
    from ptde_core.nets.mixers import DuplexMixer

    policy = value_teacher(spec, settings)
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
    teacher=value_teacher,
    learner=learner,
    stackable=True,
    preset="value_decomposition",
    kept_vectors=14,
    page="explanation/algorithms/qplex.md",
)
