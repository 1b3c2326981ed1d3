"""The one list of teachers: algorithm -> the settings of the networks that play, and how they are built."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ptde_core.envs.interface import EnvSpec
from ptde_core.nets.settings import NetworkSettings
from ptde_core.policies.teacher import Teacher


@dataclass(frozen=True)
class TeacherKind:
    """Which settings decide an algorithm's teacher, and what builds it from them."""

    settings: type[NetworkSettings]
    build: Callable[[EnvSpec, Any], Teacher]


VALUE_AGENTS = TeacherKind(NetworkSettings, Teacher)
TEACHERS: Mapping[str, TeacherKind] = {"qmix": VALUE_AGENTS, "vdn": VALUE_AGENTS}


def build_teacher(alg: str, spec: EnvSpec, settings: Mapping[str, Any]) -> Teacher:
    """A teacher with fresh networks, from the settings of its training (those of the learner are left aside)."""
    kind = TEACHERS[alg]
    own = {name: settings[name] for name in kind.settings.model_fields}
    return kind.build(spec, kind.settings.model_validate(own))
