"""The whole pipeline: the stages in a row. What is finished is skipped, what was interrupted goes on."""

from pathlib import Path

from ptde_core.base.errors import PtdeError
from ptde_core.base.events import Listener, silent
from ptde_core.nets.settings import INFORMATION
from ptde_core.policies.catalogue import TEACHERS
from ptde_core.stages.collect import collect
from ptde_core.stages.distill import distill
from ptde_core.stages.evaluate import evaluate, evaluated
from ptde_core.stages.settings import CollectSettings, DistillSettings, EvaluateSettings, TrainingSettings
from ptde_core.stages.train_teacher import train_teacher
from ptde_core.storage.checkpoint import load_checkpoint
from ptde_core.storage.evaluation_file import EvaluationEntry
from ptde_core.storage.run_folder import RunFolder


def run(
    settings: TrainingSettings,
    folder: RunFolder,
    *,
    collecting: CollectSettings,
    distilling: DistillSettings,
    evaluating: EvaluateSettings,
    keep_state: bool = True,
    listen: Listener = silent,
) -> list[EvaluationEntry]:
    """Train, collect, distill (where a student can learn z), evaluate; the evaluation's entries.

    A student that was trained with its teacher (CTDS) is there already: nothing is collected or distilled for it.

    Raises:
        PtdeError: the folder holds a run with other settings, or a file in it is broken.
        KeyboardInterrupt: interrupted; the same call goes on.
    """
    teacher = train_teacher(settings, folder, resume=True, keep_state=keep_state, listen=listen)
    measured = [teacher]
    if TEACHERS[settings.alg].online_student is not None:
        measured.append(folder.student)
    elif INFORMATION[settings.global_info].distillable:
        if not folder.episodes.exists():
            collect(teacher, collecting, listen=listen)
        if folder.student.exists():
            _check_student(folder.student, distilling)
        else:
            distill(teacher, distilling, folder.episodes, listen=listen)
        measured.append(folder.student)
    found = evaluated(measured, evaluating)
    complete = {entry.checkpoint for entry in found} == {path.name for path in measured}
    return found if complete else evaluate(measured, evaluating, listen=listen)


def _check_student(path: Path, settings: DistillSettings) -> None:
    """Refuse to take a student for one that was distilled otherwise.

    Raises:
        PtdeError: `path` is not a student, or another one.
    """
    held = load_checkpoint(path, "student")["distill"]
    for key, value in settings.model_dump().items():
        if key in held and held[key] != value:  # a setting that it does not have is younger than it
            raise PtdeError(
                f"{path} was distilled with {key} = {held[key]!r}, not {value!r}",
                "distill another one: `ptde distill TEACHER --out FILE.pt`, or choose another folder with --out",
            )
