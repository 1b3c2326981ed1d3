"""COPA (Liu et al., 2021): players that act on the instructions of a coach who sees all. A baseline of the paper."""

from typing import TYPE_CHECKING

from ptde_core.algorithms.algorithm import Algorithm
from ptde_core.algorithms.learner_settings import CopaSettings
from ptde_core.algorithms.training_settings import TrainingSettings
from ptde_core.nets.network_settings import CoachSettings

if TYPE_CHECKING:
    from ptde_core.algorithms.value_decomposition import ValueDecompositionLearner
    from ptde_core.envs.interface import EnvSpec
    from ptde_core.policies.coach import CoachedTeacher


class TrainCopaSettings(CoachSettings, TrainingSettings, CopaSettings):
    """COPA."""


def teacher(spec: "EnvSpec", settings: TrainCopaSettings) -> "CoachedTeacher":
    """Players and their coach."""
    from ptde_core.policies.coach import CoachedTeacher

    return CoachedTeacher(spec, settings)


def learner(spec: "EnvSpec", settings: TrainCopaSettings, seed: int) -> "ValueDecompositionLearner":
    """Value decomposition with a mixer that reads the coach's view, and the regulariser of the instructions."""
    from ptde_core.algorithms.instructions import InstructionRegulariser
    from ptde_core.algorithms.value_decomposition import Team, ValueDecompositionLearner
    from ptde_core.nets.coach_network import CoachedMixer, Recogniser

    players = teacher(spec, settings)
    mixer = CoachedMixer(players.coach, settings.mixer_embed, settings.mixer_hyper)
    recogniser = Recogniser(players.local_size, spec.n_actions, settings.coach_size, settings.info_size)
    weights = settings.recognition_weight, settings.entropy_weight
    regulariser = InstructionRegulariser(recogniser, spec.n_actions, settings.info_every, *weights)
    return ValueDecompositionLearner(Team(players, mixer, regulariser), settings, seed)


COPA = Algorithm(
    table_name="COPA",
    settings=TrainCopaSettings,
    teacher=teacher,
    learner=learner,
    preset="value_decomposition",
    kept_vectors=71,
    page="explanation/algorithms/copa.md",
)
