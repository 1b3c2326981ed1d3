"""QMIX (Rashid et al., 2018): the team's value never falls when an agent's value rises."""

from typing import TYPE_CHECKING

from ptde_core.algorithms.algorithm import Algorithm
from ptde_core.algorithms.records.parts import monotonic_mixer, value_teacher
from ptde_core.algorithms.training_settings import TrainValueDecompositionSettings

if TYPE_CHECKING:
    from ptde_core.algorithms.value_decomposition import ValueDecompositionLearner
    from ptde_core.envs.interface import EnvSpec


def learner(spec: "EnvSpec", settings: TrainValueDecompositionSettings, seed: int) -> "ValueDecompositionLearner":
    """Value decomposition with that mixer."""
    from ptde_core.algorithms.value_decomposition import Team, ValueDecompositionLearner

    return ValueDecompositionLearner(
        Team(value_teacher(spec, settings), monotonic_mixer(spec, settings)), settings, seed
    )


QMIX = Algorithm(
    table_name="QMIX",
    settings=TrainValueDecompositionSettings,
    teacher=value_teacher,
    learner=learner,
    stackable=True,
    preset="value_decomposition",
    page="explanation/algorithms/qmix_vdn.md",
)
