"""CTDS (Zhao et al., 2022): a teacher on full sight, and a student on local sight that is trained with it."""

from typing import TYPE_CHECKING

from ptde_core.algorithms.algorithm import Algorithm, OnlineStudent
from ptde_core.algorithms.learner_settings import ValueDecompositionSettings
from ptde_core.algorithms.records.parts import monotonic_mixer
from ptde_core.algorithms.training_settings import TrainingSettings
from ptde_core.nets.network_settings import TwoViewSettings

if TYPE_CHECKING:
    from ptde_core.algorithms.ctds_learner import OnlineDistillationLearner
    from ptde_core.envs.interface import EnvSpec
    from ptde_core.envs.two_views import Sights
    from ptde_core.policies.ctds_views import OneViewAgents


class TrainCTDSSettings(TwoViewSettings, TrainingSettings, ValueDecompositionSettings):
    """CTDS: a teacher as QMIX's, on two views."""


def teacher(spec: "EnvSpec", settings: TrainCTDSSettings) -> "OneViewAgents":
    """Agents on the wide view."""
    from ptde_core.policies.ctds_views import OneViewAgents

    return OneViewAgents(spec, settings, "wide")


def student(spec: "EnvSpec", settings: TrainCTDSSettings) -> "OneViewAgents":
    """Agents on their own view."""
    from ptde_core.policies.ctds_views import OneViewAgents

    return OneViewAgents(spec, settings, "own")


def sights(settings: TrainCTDSSettings) -> "Sights":
    """Of the two views."""
    from ptde_core.envs.two_views import Sights

    return Sights(settings.teacher_sight, settings.student_sight)


def learner(spec: "EnvSpec", settings: TrainCTDSSettings, seed: int) -> "OnlineDistillationLearner":
    """QMIX for the teacher, and regression of its values for the student."""
    from ptde_core.algorithms.ctds_learner import OnlineDistillationLearner
    from ptde_core.algorithms.value_decomposition import Team, ValueDecompositionLearner

    teams_mixer = monotonic_mixer(spec, settings)  # before the teacher: the order decides the initial weights
    team = Team(teacher(spec, settings), teams_mixer)
    own = student(spec, settings)
    return OnlineDistillationLearner(ValueDecompositionLearner(team, settings, seed), own)


CTDS = Algorithm(
    table_name="CTDS",
    settings=TrainCTDSSettings,
    teacher=teacher,
    learner=learner,
    online_student=OnlineStudent(student, sights),
    preset="value_decomposition",
    kept_vectors=18,
    page="explanation/algorithms/ctds.md",
)
