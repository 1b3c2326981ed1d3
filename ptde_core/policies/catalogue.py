"""The one list of teachers: algorithm -> the settings of the networks that play, and how they are built."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ptde_core.envs.interface import EnvSpec
from ptde_core.nets.settings import AgentSettings, CoachSettings, CommanderSettings, NetworkSettings
from ptde_core.policies.actor import build_actor
from ptde_core.policies.coach import CoachedTeacher
from ptde_core.policies.commander import CommandedTeacher
from ptde_core.policies.sizes import nearest_width, size_of
from ptde_core.policies.teacher import Teacher

AnyTeacher = Teacher | CommandedTeacher | CoachedTeacher


@dataclass(frozen=True)
class TeacherKind:
    """Which settings decide an algorithm's teacher, what builds it from them, and what its head's numbers are.

    `head`: values of actions, or logits of a policy over them (which mean the same when a constant is added to all).
    """

    settings: type[AgentSettings]
    build: Callable[[EnvSpec, Any], AnyTeacher]
    head: Literal["values", "logits"] = "values"


VALUE_AGENTS = TeacherKind(NetworkSettings, Teacher)
TEACHERS: Mapping[str, TeacherKind] = {
    "copa": TeacherKind(CoachSettings, CoachedTeacher),
    "csrl": TeacherKind(CommanderSettings, CommandedTeacher),
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
    own = kind.settings.model_validate({key: settings[key] for key in kind.settings.model_fields if key in settings})
    if isinstance(own, NetworkSettings) and own.match_parameters:
        own = own.model_copy(update={"hidden_size": _matching_width(kind, spec, own)})
    return kind.build(spec, own)


def _matching_width(kind: TeacherKind, spec: EnvSpec, settings: NetworkSettings) -> int:
    """The trunk's width that gives a teacher without information as many parameters as one with the agents' own."""
    with_information = settings.model_copy(update={"global_info": "agent-specific", "match_parameters": False})

    def size(width: int) -> int:
        return size_of(lambda: kind.build(spec, settings.model_copy(update={"hidden_size": width})))

    return nearest_width(size, size_of(lambda: kind.build(spec, with_information)))
