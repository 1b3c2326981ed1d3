"""CSRL: agents that act on the orders of a commander who sees all; QMIX's mixer and loss. A baseline of the paper."""

from typing import TYPE_CHECKING

from ptde_core.algorithms.algorithm import Algorithm
from ptde_core.algorithms.learner_settings import ValueDecompositionSettings
from ptde_core.algorithms.records.parts import monotonic_mixer
from ptde_core.algorithms.training_settings import TrainingSettings
from ptde_core.nets.network_settings import CommanderSettings

if TYPE_CHECKING:
    from ptde_core.algorithms.value_decomposition import ValueDecompositionLearner
    from ptde_core.envs.interface import EnvSpec
    from ptde_core.policies.commander import CommandedTeacher


class TrainCsrlSettings(CommanderSettings, TrainingSettings, ValueDecompositionSettings):
    """CSRL."""


def teacher(spec: "EnvSpec", settings: TrainCsrlSettings) -> "CommandedTeacher":
    """Agents and their commander."""
    from ptde_core.policies.commander import CommandedTeacher

    return CommandedTeacher(spec, settings)


def learner(spec: "EnvSpec", settings: TrainCsrlSettings, seed: int) -> "ValueDecompositionLearner":
    """Value decomposition with QMIX's mixer."""
    from ptde_core.algorithms.value_decomposition import Team, ValueDecompositionLearner

    return ValueDecompositionLearner(Team(teacher(spec, settings), monotonic_mixer(spec, settings)), settings, seed)


CSRL = Algorithm(
    table_name="CSRL",
    settings=TrainCsrlSettings,
    teacher=teacher,
    learner=learner,
    preset="value_decomposition",
    kept_vectors=37,
    page="explanation/algorithms/csrl.md",
)
