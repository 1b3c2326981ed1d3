"""MAPPO (Yu et al., 2021): PPO with a critic that sees the state; PTDE's teacher is the actor."""

from typing import TYPE_CHECKING

from ptde_core.algorithms.algorithm import Algorithm
from ptde_core.algorithms.learner_settings import MappoSettings
from ptde_core.algorithms.training_settings import TrainTeacherSettings

if TYPE_CHECKING:
    from ptde_core.algorithms.mappo_learner import MappoLearner
    from ptde_core.envs.interface import EnvSpec
    from ptde_core.policies.teacher import Teacher


class TrainMappoSettings(TrainTeacherSettings, MappoSettings):
    """MAPPO."""


def teacher(spec: "EnvSpec", settings: TrainMappoSettings) -> "Teacher":
    """PTDE's teacher, built as MAPPO's actors are; its head's numbers are logits."""
    from ptde_core.policies.mappo_actor import build_actor
    from ptde_core.policies.teachers import ptde_teacher

    return ptde_teacher(spec, settings, build_actor)


def learner(spec: "EnvSpec", settings: TrainMappoSettings, seed: int) -> "MappoLearner":
    """The actor and a critic on the state and each agent's local input."""
    from ptde_core.algorithms.mappo_learner import MappoLearner
    from ptde_core.nets.actor_critic import Critic, NormedHead

    actor = teacher(spec, settings)
    assert isinstance(actor.head, NormedHead)
    actor.head.scale(settings.policy_gain)
    return MappoLearner(actor, Critic(spec.state_size, actor.local_size, settings.hidden_size), settings, seed)


MAPPO = Algorithm(
    table_name="MAPPO",
    settings=TrainMappoSettings,
    teacher=teacher,
    learner=learner,
    head="logits",
    preset="mappo",
    kept_vectors=35,
    page="explanation/algorithms/mappo.md",
)
