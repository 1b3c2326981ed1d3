"""The whole pipeline: the stages in a row. What is finished is skipped, what was interrupted goes on."""

from pathlib import Path

from ptde_core.base.events import Listener, Note, silent
from ptde_core.stages.collect import collect
from ptde_core.stages.distill import distill
from ptde_core.stages.evaluate import evaluate
from ptde_core.stages.settings import CollectSettings, DistillSettings, EvaluateSettings, TrainTeacherSettings
from ptde_core.stages.train_teacher import train_teacher
from ptde_core.storage.checkpoint import load_checkpoint
from ptde_core.storage.evaluation_file import EvaluationEntry, read_evaluation
from ptde_core.storage.run_folder import RunFolder


def run(
    settings: TrainTeacherSettings,
    folder: RunFolder,
    *,
    collecting: CollectSettings,
    distilling: DistillSettings,
    evaluating: EvaluateSettings,
    listen: Listener = silent,
) -> list[EvaluationEntry]:
    """Train, collect, distill (where there is a z), evaluate; the evaluation's entries.

    Raises:
        PtdeError: the folder holds a run with other settings, or a file in it is broken.
        KeyboardInterrupt: interrupted; the same call goes on.
    """
    if folder.teacher.exists():
        listen(Note(f"the teacher is there: {folder.teacher}"))
    teacher = train_teacher(settings, folder, resume=True, listen=listen)
    measured = [teacher]
    if settings.global_info != "none":
        if not folder.episodes.exists():
            collect(teacher, collecting, listen=listen)
        if not folder.student.exists():
            distill(teacher, distilling, folder.episodes, listen=listen)
        measured.append(folder.student)
    return _evaluated(folder, measured, evaluating) or evaluate(measured, evaluating, listen=listen)


def _evaluated(folder: RunFolder, checkpoints: list[Path], settings: EvaluateSettings) -> list[EvaluationEntry]:
    """The entries of an evaluation that has already been done just so; empty if there is none."""
    if not folder.evaluation.exists():
        return []
    teacher_id = load_checkpoint(folder.teacher, "teacher")["teacher_id"]
    found = [
        entry
        for entry in read_evaluation(folder.evaluation).entries
        if (entry.teacher_id, entry.evaluation_seed) == (teacher_id, settings.seed)
        and len(entry.episodes.seed) == settings.episodes
    ]
    return found if {entry.checkpoint for entry in found} == {path.name for path in checkpoints} else []
