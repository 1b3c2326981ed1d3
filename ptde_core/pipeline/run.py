"""The whole pipeline: the stages in a row. What is finished is skipped, what was interrupted goes on.

Results whose map, simulator, settings or parents have changed since are put aside and made anew (`remaking.py`).
"""

from collections.abc import Sequence

from ptde_core.algorithms.catalogue import algorithm_named
from ptde_core.algorithms.from_checkpoint import spec_from_plain
from ptde_core.base.events import Listener, silent
from ptde_core.nets.network_settings import INFORMATION
from ptde_core.pipeline.collect import collect
from ptde_core.pipeline.distill_recipes import distill_recipes
from ptde_core.pipeline.evaluate import evaluate_what_is_due
from ptde_core.pipeline.remaking import put_aside_another_world, put_aside_other_episodes, put_aside_other_students
from ptde_core.pipeline.train_teacher import train_teacher, train_teachers
from ptde_core.runs.pipeline_settings import Pipeline
from ptde_core.storage.checkpoint import load_checkpoint
from ptde_core.storage.evaluation_file import EvaluationEntry
from ptde_core.storage.run_folder import RunFolder
from ptde_core.storage.run_lock import locked
from ptde_core.storage.whole_file import check_output


def run_all(
    pipelines: Sequence[tuple[Pipeline, RunFolder]], *, keep_state: bool = True, listen: Listener = silent
) -> list[EvaluationEntry]:
    """Run pipelines whose trainings differ by the seed alone; the teachers of several are trained at once.

    Args:
        pipelines: settings and folder of each.
        keep_state: keep what it takes to go on with more steps, once a training has finished.
        listen: is told of progress and of files.

    Raises:
        StorageError, PtdeError, KeyboardInterrupt: as `run`.
    """
    if len(pipelines) > 1:
        trainings = [(pipeline.training, folder) for pipeline, folder in pipelines]
        for settings, folder in trainings:
            put_aside_another_world(settings, folder, listen)
        train_teachers(trainings, resume=True, keep_state=keep_state, listen=listen)
    return [
        entry for pipeline, folder in pipelines for entry in run(pipeline, folder, keep_state=keep_state, listen=listen)
    ]


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
        StorageError: the file system refuses; with room again the same call goes on.
        PtdeError: another process is at work in the folder, it holds a run with other settings, or a file in it is
            broken.
        KeyboardInterrupt: interrupted; the same call goes on.
    """
    check_output(folder.teacher)
    with locked(folder, "run"):
        put_aside_another_world(pipeline.training, folder, listen)
        return _run(pipeline, folder, keep_state, listen)


def _run(pipeline: Pipeline, folder: RunFolder, keep_state: bool, listen: Listener) -> list[EvaluationEntry]:
    settings = pipeline.training
    teacher = train_teacher(settings, folder, resume=True, keep_state=keep_state, listen=listen)
    measured = [teacher]
    if algorithm_named(settings.alg).online_student is not None:
        measured.append(folder.student)
    elif INFORMATION[settings.global_info].distillable:
        world = spec_from_plain(load_checkpoint(teacher, "teacher")["env"]).world
        put_aside_other_episodes(teacher, pipeline.collecting, world, folder, listen)
        if not folder.episodes.exists():
            collect(teacher, pipeline.collecting, listen=listen)
        put_aside_other_students(teacher, pipeline.distilling, folder, listen)
        measured += distill_recipes(teacher, pipeline.distilling, folder.episodes, listen=listen)
    return evaluate_what_is_due(measured, pipeline.evaluating, listen=listen)
