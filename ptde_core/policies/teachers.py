"""The one list of teachers: algorithm -> the settings of the networks that play, how they are built, what they see."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ptde_core.envs.backends import build_environment
from ptde_core.envs.interface import BatchedEnv, EnvSpec
from ptde_core.envs.two_views import Sights
from ptde_core.nets.network_settings import (
    AgentSettings,
    CoachSettings,
    CommanderSettings,
    NetworkSettings,
    TwoViewSettings,
)
from ptde_core.policies.coach import CoachedTeacher
from ptde_core.policies.commander import CommandedTeacher
from ptde_core.policies.ctds_views import OneViewAgents
from ptde_core.policies.mappo_actor import build_actor
from ptde_core.policies.parameter_counts import nearest_width, size_of
from ptde_core.policies.teacher import Teacher

AnyTeacher = Teacher | CommandedTeacher | CoachedTeacher


@dataclass(frozen=True)
class OnlineStudent:
    """A student that is trained with its teacher: what builds it, and the sights of the two views they learn from."""

    build: Callable[[EnvSpec, Any], Teacher]
    sights: Callable[[Any], Sights]


@dataclass(frozen=True)
class TeacherKind:
    """Which settings decide an algorithm's teacher, what builds it from them, and what its head's numbers are.

    `head`: values of actions, or logits of a policy over them (which mean the same when a constant is added to all).
    `online_student` is None where a student is distilled afterwards, or where there is none.
    """

    settings: type[AgentSettings]
    build: Callable[[EnvSpec, Any], AnyTeacher]
    head: Literal["values", "logits"] = "values"
    online_student: OnlineStudent | None = None


VALUE_AGENTS = TeacherKind(NetworkSettings, Teacher)
TWO_VIEW_AGENTS = TeacherKind(
    TwoViewSettings,
    lambda spec, settings: OneViewAgents(spec, settings, "wide"),
    online_student=OnlineStudent(
        lambda spec, settings: OneViewAgents(spec, settings, "own"),
        lambda settings: Sights(settings.teacher_sight, settings.student_sight),
    ),
)
TEACHERS: Mapping[str, TeacherKind] = {
    "copa": TeacherKind(CoachSettings, CoachedTeacher),
    "csrl": TeacherKind(CommanderSettings, CommandedTeacher),
    "ctds": TWO_VIEW_AGENTS,
    "mappo": TeacherKind(NetworkSettings, build_actor, head="logits"),
    "qmix": VALUE_AGENTS,
    "qplex": VALUE_AGENTS,
    "vdn": VALUE_AGENTS,
}


def build_teacher(alg: str, spec: EnvSpec, settings: Mapping[str, Any]) -> AnyTeacher:
    """A teacher with fresh networks, from the settings of its training (those of the learner are left aside).

    A setting that a checkpoint does not have is younger than it, and its default is what was done before there was it.
    """
    kind = TEACHERS[alg]
    own = _known(kind, settings)
    if isinstance(own, NetworkSettings) and own.match_parameters:
        own = own.model_copy(update={"hidden_size": _matching_width(kind, spec, own)})
    return kind.build(spec, own)


def build_online_student(alg: str, spec: EnvSpec, settings: Mapping[str, Any]) -> Teacher:
    """The student that is trained with that teacher, with fresh networks; for algorithms that have one."""
    kind = TEACHERS[alg]
    assert kind.online_student is not None, f"{alg} trains no student with its teacher"
    return kind.online_student.build(spec, _known(kind, settings))


def build_environment_of(settings: Mapping[str, Any], n_envs: int) -> BatchedEnv:
    """The environment of a training, with the views that its algorithm's policies read.

    Raises:
        PtdeError: as `envs.catalogue.build_environment`.
    """
    return build_environment(str(settings["env"]), str(settings["map"]), n_envs, sights_of(settings))


def sights_of(settings: Mapping[str, Any]) -> Sights | None:
    """The sights of a training's teacher and student; None where both see what the environment shows."""
    kind = TEACHERS[str(settings["alg"])]
    return None if kind.online_student is None else kind.online_student.sights(_known(kind, settings))


def _known(kind: TeacherKind, settings: Mapping[str, Any]) -> AgentSettings:
    return kind.settings.model_validate({key: settings[key] for key in kind.settings.model_fields if key in settings})


def _matching_width(kind: TeacherKind, spec: EnvSpec, settings: NetworkSettings) -> int:
    """The trunk's width that gives a teacher without information as many parameters as one with the agents' own."""
    with_information = settings.model_copy(update={"global_info": "agent-specific", "match_parameters": False})

    def size(width: int) -> int:
        return size_of(lambda: kind.build(spec, settings.model_copy(update={"hidden_size": width})))

    return nearest_width(size, size_of(lambda: kind.build(spec, with_information)))
