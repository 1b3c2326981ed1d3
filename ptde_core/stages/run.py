"""The whole pipeline: the stages in a row. What is finished is skipped, what was interrupted goes on."""

from ptde_core.base.events import Listener, silent
from ptde_core.nets.settings import INFORMATION
from ptde_core.policies.catalogue import TEACHERS
from ptde_core.stages.collect import collect
from ptde_core.stages.distill_recipes import distill_recipes
from ptde_core.stages.evaluate import evaluate_what_is_due
from ptde_core.stages.pipeline import Pipeline
from ptde_core.stages.train_teacher import train_teacher
from ptde_core.storage.evaluation_file import EvaluationEntry
from ptde_core.storage.run_folder import RunFolder


def run(
    pipeline: Pipeline,
    folder: RunFolder,
    *,
    keep_state: bool = True,
    listen: Listener = silent,
) -> list[EvaluationEntry]:
    """Train, collect, distill a student by each recipe (where one can learn z), evaluate; the evaluation's entries.

    A student that was trained with its teacher (CTDS) is there already: nothing is collected or distilled for it.

    Raises:
        PtdeError: the folder holds a run with other settings, or a file in it is broken.
        KeyboardInterrupt: interrupted; the same call goes on.
    """
    settings = pipeline.training
    teacher = train_teacher(settings, folder, resume=True, keep_state=keep_state, listen=listen)
    measured = [teacher]
    if TEACHERS[settings.alg].online_student is not None:
        measured.append(folder.student)
    elif INFORMATION[settings.global_info].distillable:
        if not folder.episodes.exists():
            collect(teacher, pipeline.collecting, listen=listen)
        measured += distill_recipes(teacher, pipeline.distilling, folder.episodes, listen=listen)
    return evaluate_what_is_due(measured, pipeline.evaluating, listen=listen)
