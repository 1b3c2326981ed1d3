"""Names as the paper's tables print them: QMIX, QMIX_UGI, QMIX_SGI, QMIX_ASGKD; marks say what is not the paper's."""

from collections.abc import Iterable

from ptde_core.algorithms.catalogue import algorithm_named
from ptde_core.algorithms.training_settings import TrainingSettings
from ptde_core.nets.network_settings import NetworkSettings

AVERAGED = "averaged"  # marks a teacher with `average_weights`, and its students

# CSRL and COPA are named after their own kind of information already.
TEACHER_SUFFIX = {"none": "", "unified": "_UGI", "agent-specific": "_SGI", "commander": "", "coach": ""}
STUDENT_SUFFIX = {"unified": "_UGKD", "agent-specific": "_ASGKD"}


def teacher_name(alg: str, global_info: str, marks: Iterable[str] = ()) -> str:
    """Table name of a teacher (paper, Table 1); "none" is the plain algorithm."""
    algorithm = algorithm_named(alg)
    with_student = algorithm.online_student is not None  # then the algorithm is named for the policy that executes
    return _marked(algorithm.table_name + ("_teacher" if with_student else TEACHER_SUFFIX[global_info]), marks)


def student_name(alg: str, global_info: str, marks: Iterable[str] = ()) -> str:
    """Table name of a student. The paper distils agent-specific information only; _UGKD is our name for the other."""
    algorithm = algorithm_named(alg)
    with_teacher = algorithm.online_student is not None
    return _marked(algorithm.table_name + ("" if with_teacher else STUDENT_SUFFIX[global_info]), marks)


def teacher_marks(settings: TrainingSettings, trunk_width: int) -> list[str]:
    """In which ways a teacher's networks, or how they learned, are not the paper's, in the words of tables.

    Args:
        settings: of its training.
        trunk_width: H.
    """
    marks: list[str] = []
    if isinstance(settings, NetworkSettings):
        marks += [f"rank {settings.info_rank}"] if settings.info_rank else []
        marks += [f"trunk {trunk_width}"] if settings.match_parameters else []
    return [*marks, *([AVERAGED] if settings.average_weights else [])]


def checkpoint_marks(kept: str) -> list[str]:
    """Which checkpoint of a training it is, in the words of tables; nothing for the last.

    Args:
        kept: "last", "best", or the env steps at which it was due.
    """
    if kept == "last":
        return []
    return ["best in tests"] if kept == "best" else [f"at {int(kept):,} steps"]


def _marked(name: str, marks: Iterable[str]) -> str:
    words = ", ".join(marks)
    return f"{name} ({words})" if words else name
