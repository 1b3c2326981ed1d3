"""What the policy of a checkpoint is called in tables and pictures."""

from collections.abc import Mapping
from typing import Any

from ptde_core.algorithms.from_checkpoint import Trained
from ptde_core.algorithms.table_names import checkpoint_marks, student_name, teacher_marks, teacher_name
from ptde_core.base.setting_fields import build_settings
from ptde_core.runs.recipes import departures
from ptde_core.runs.stage_settings import DistillSettings


def name_of(content: Mapping[str, Any], trained: Trained) -> str:
    """Table name of the policy in a checkpoint, with marks where it is not the paper's."""
    alg, info = trained.settings.alg, trained.settings.global_info
    marks = [
        *teacher_marks(trained.settings, trained.policy.trunk.hidden_size),
        *checkpoint_marks(content.get("kept", "last")),  # a checkpoint that does not say is older than the choice
    ]
    if content["kind"] == "teacher":
        return teacher_name(alg, info, marks)
    distilled = distilled_with(content)
    return student_name(alg, info, [*marks, *(departures(distilled) if distilled else ())])


def distilled_with(content: Mapping[str, Any]) -> DistillSettings | None:
    """The settings of a student's distillation; what is missing takes its default, as in `typed_settings`.

    None for a teacher, and for a student that was trained together with its teacher.

    Raises:
        PtdeError: they are none.
    """
    return build_settings(DistillSettings, content["distill"]) if "distill" in content else None
