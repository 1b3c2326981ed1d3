"""VDN (Sunehag et al., 2017): the team's value is the sum of its agents' values."""

from typing import TYPE_CHECKING

from ptde_core.algorithms.algorithm import Algorithm
from ptde_core.algorithms.records.parts import value_teacher
from ptde_core.algorithms.training_settings import TrainValueDecompositionSettings

if TYPE_CHECKING:
    from ptde_core.algorithms.value_decomposition import ValueDecompositionLearner
    from ptde_core.envs.interface import EnvSpec


def learner(spec: "EnvSpec", settings: TrainValueDecompositionSettings, seed: int) -> "ValueDecompositionLearner":
    """Value decomposition with a sum for a mixer."""
    from ptde_core.algorithms.value_decomposition import Team, ValueDecompositionLearner
    from ptde_core.nets.mixers import SumMixer

    return ValueDecompositionLearner(Team(value_teacher(spec, settings), SumMixer()), settings, seed)


VDN = Algorithm(
    table_name="VDN",
    settings=TrainValueDecompositionSettings,
    teacher=value_teacher,
    learner=learner,
    stackable=True,
    preset="value_decomposition",
    page="explanation/algorithms/qmix_vdn.md",
)
