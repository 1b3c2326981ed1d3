"""Names as the paper's tables print them: QMIX, QMIX_UGI, QMIX_SGI, QMIX_ASGKD; marks say what is not the paper's."""

from collections.abc import Iterable, Mapping
from typing import Any

# CSRL and COPA are named after their own kind of information already.
TEACHER_SUFFIX = {"none": "", "unified": "_UGI", "agent-specific": "_SGI", "commander": "", "coach": ""}
# CTDS is named for its student, the policy that executes.
OWN_NAMES = {"ctds": ("CTDS_teacher", "CTDS")}
STUDENT_SUFFIX = {"unified": "_UGKD", "agent-specific": "_ASGKD"}


def teacher_name(alg: str, global_info: str, marks: Iterable[str] = ()) -> str:
    """Table name of a teacher (paper, Table 1); "none" is the plain algorithm."""
    name = OWN_NAMES[alg][0] if alg in OWN_NAMES else alg.upper() + TEACHER_SUFFIX[global_info]
    return _marked(name, marks)


def student_name(alg: str, global_info: str, marks: Iterable[str] = ()) -> str:
    """Table name of a student. The paper distils agent-specific information only; _UGKD is our name for the other."""
    name = OWN_NAMES[alg][1] if alg in OWN_NAMES else alg.upper() + STUDENT_SUFFIX[global_info]
    return _marked(name, marks)


def teacher_marks(settings: Mapping[str, Any], trunk_width: int) -> list[str]:
    """In which ways a teacher's networks, or how they learned, are not the paper's, in the words of tables.

    Args:
        settings: of its training; one that is missing is younger than the training, and was not used.
        trunk_width: H.
    """
    return [
        *([f"rank {settings['info_rank']}"] if settings.get("info_rank") else []),
        *([f"trunk {trunk_width}"] if settings.get("match_parameters") else []),
        *(["averaged"] if settings.get("average_weights") else []),
    ]


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
