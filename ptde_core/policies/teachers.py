"""What a teacher is, whatever its algorithm; and how those are built that take any kind of global information."""

from collections.abc import Callable

from ptde_core.base.setting_fields import check_settings
from ptde_core.envs.interface import EnvSpec
from ptde_core.nets.network_settings import NetworkSettings
from ptde_core.policies.coach import CoachedTeacher
from ptde_core.policies.commander import CommandedTeacher
from ptde_core.policies.parameter_counts import nearest_width, size_of
from ptde_core.policies.teacher import Teacher

AnyTeacher = Teacher | CommandedTeacher | CoachedTeacher


def ptde_teacher(
    spec: EnvSpec, settings: NetworkSettings, build: Callable[[EnvSpec, NetworkSettings], Teacher] = Teacher
) -> Teacher:
    """A teacher with fresh networks; with `match_parameters`, of the width that has as many as one with information.

    Args:
        spec: what the networks must fit.
        settings: their sizes.
        build: makes it of a given width.

    Raises:
        PtdeError: settings of a class that lacks what a teacher reads.
    """
    check_settings(settings, NetworkSettings, "ptde_teacher", "TrainTeacherSettings")
    if settings.match_parameters:
        settings = settings.model_copy(update={"hidden_size": _matching_width(spec, settings, build)})
    return build(spec, settings)


def _matching_width(
    spec: EnvSpec, settings: NetworkSettings, build: Callable[[EnvSpec, NetworkSettings], Teacher]
) -> int:
    """The trunk's width that gives a teacher without information as many parameters as one with the agents' own."""
    with_information = settings.model_copy(update={"global_info": "agent-specific", "match_parameters": False})

    def size(width: int) -> int:
        return size_of(lambda: build(spec, settings.model_copy(update={"hidden_size": width})))

    return nearest_width(size, size_of(lambda: build(spec, with_information)))
