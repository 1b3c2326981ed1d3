"""Names as the paper's tables print them: QMIX, QMIX_UGI, QMIX_SGI, QMIX_ASGKD."""

TEACHER_SUFFIX = {"none": "", "unified": "_UGI", "agent-specific": "_SGI"}
STUDENT_SUFFIX = {"unified": "_UGKD", "agent-specific": "_ASGKD"}


def teacher_name(alg: str, global_info: str) -> str:
    """Table name of a teacher (paper, Table 1); "none" is the plain algorithm."""
    return alg.upper() + TEACHER_SUFFIX[global_info]


def student_name(alg: str, global_info: str) -> str:
    """Table name of a student. The paper distils agent-specific information only; _UGKD is our name for the other."""
    return alg.upper() + STUDENT_SUFFIX[global_info]
