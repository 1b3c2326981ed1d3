"""Stage 1 (paper, Algorithm 1): play, learn, test; leaves config.json, metrics.jsonl, teacher.pt in the run folder.

An algorithm that trains its student at the same time (CTDS) has both tested, and leaves student.pt too.

Every random choice is a function of the run's seed and a counter (episode, update), so the state to resume from holds
no random streams, and a resumed run is equal to an uninterrupted one bit for bit (CPU, same number of threads). Runs
that differ by their seed alone can be trained at once; each is then, up to rounding, what it is when trained by itself.
"""

from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import torch

from ptde_core.algorithms.building import build_environment_of
from ptde_core.algorithms.training_settings import TrainingSettings
from ptde_core.base.device import device_of
from ptde_core.base.errors import PtdeError, StorageError
from ptde_core.base.events import Listener, Note, silent
from ptde_core.base.machine_memory import keep_freed_memory
from ptde_core.envs.trust import trust_names
from ptde_core.kernels.compile_time import telling_of_compiling
from ptde_core.pipeline.beginning import (
    check_alone,
    check_origin,
    check_own_algorithm,
    check_together,
    is_due,
    put_aside,
)
from ptde_core.pipeline.callbacks import NONE, Callbacks
from ptde_core.pipeline.engine_mishaps import keeping_errors
from ptde_core.pipeline.memory_needed import check_memory
from ptde_core.pipeline.sitting import STAGE, Sitting
from ptde_core.pipeline.training_run import state_size
from ptde_core.runs.identity import training_made_from
from ptde_core.storage.config_file import write_config
from ptde_core.storage.provenance_file import add_sitting
from ptde_core.storage.run_folder import RunFolder
from ptde_core.storage.run_lock import locked
from ptde_core.storage.status import read_state, write_status
from ptde_core.storage.whole_file import check_output


def train_teacher(
    settings: TrainingSettings,
    run: RunFolder,
    *,
    resume: bool = False,
    keep_state: bool = True,
    listen: Listener = silent,
    callbacks: Callbacks = NONE,
) -> Path:
    """Train a teacher; returns the path of its checkpoint, `run.teacher`. As `train_teachers` with one training.

    Args:
        settings: everything that decides the result.
        run: an unused folder; or, with `resume`, one that holds this training, finished or not.
        resume: go on where an interrupted training stopped, or where a finished one with fewer steps ended; one that
            has finished with these is left as it is.
        keep_state: keep what it takes to go on with more steps, once it has finished.
        listen: is told of progress and of files.
        callbacks: are told of each round, update and test.
    """
    train_teachers([(settings, run)], resume=resume, keep_state=keep_state, listen=listen, callbacks=callbacks)
    return run.teacher


def train_teachers(
    trainings: Sequence[tuple[TrainingSettings, RunFolder]],
    *,
    resume: bool = False,
    keep_state: bool = True,
    listen: Listener = silent,
    callbacks: Callbacks = NONE,
) -> list[Path]:
    """Train teachers at once whose settings differ by the seed alone; returns the paths of their checkpoints.

    Args:
        trainings: settings and folder of each.
        resume: go on with those that were interrupted, or finished with fewer steps; others are left as they are.
        keep_state: keep what it takes to go on with more steps, once they have finished.
        listen: is told of progress and of files.
        callbacks: are told of each round, update and test.

    Raises:
        StorageError: the file system refuses; with room again it goes on from what was saved last.
        PtdeError: another process is at work in a folder; one holds a run and `resume` is not given, or one with other
            settings or rules, with more steps, or without what it takes to go on; or settings that need one training at
            a time, or that this machine cannot do.
        KeyboardInterrupt: interrupted; all is saved to go on with `resume`.
    """
    trust_names(*((own.env, own.map) for own, _ in trainings))  # for what plays their checkpoints after this
    with ExitStack() as locks:
        for _, run in trainings:
            check_output(run.teacher)
            locks.enter_context(locked(run, STAGE))
            locks.enter_context(keeping_errors(run))
        return _train_teachers(trainings, resume, keep_state, telling_of_compiling(listen), callbacks)


def _train_teachers(
    trainings: Sequence[tuple[TrainingSettings, RunFolder]],
    resume: bool,
    keep_state: bool,
    listen: Listener,
    callbacks: Callbacks,
) -> list[Path]:
    """As `train_teachers`, in folders where nobody else is at work."""
    to_train = [(settings, run) for settings, run in trainings if is_due(settings, run, resume)]
    for run in [run for settings, run in trainings if (settings, run) not in to_train]:
        listen(Note(f"the teacher is there: {run.teacher}"))
        if not keep_state and run.resume.is_dir():
            size = state_size(run)
            run.forget_state()
            listen(Note(f"deleted {run.resume}, {size}: this training cannot go on with more steps"))
    if not to_train:
        return [run.teacher for _, run in trainings]
    settings = to_train[0][0]
    device = device_of(settings)
    together = len(trainings) > 1 or device.type != "cpu"  # also the last one left: it goes on as it was trained
    if together:
        check_together(settings, [run for _, run in to_train])
    check_alone(settings)
    env = build_environment_of(settings, settings.n_envs * len(to_train))
    made_from = {run: training_made_from(own, env.spec.world) for own, run in to_train}
    try:  # now that the map is known to exist: a wrong one leaves no folder
        check_origin(to_train, env.spec.world)
        check_own_algorithm(settings, env.spec)
        check_memory(settings, len(to_train), env.spec, together=together)
        for _, run in to_train:
            add_sitting(run.provenance, made_from[run], torch.get_num_threads())
    except PtdeError:
        env.close()
        raise
    for own, run in to_train:
        put_aside(own, run, listen)
        write_config(run.config, own.model_dump(), made_from[run])
        write_status(run, "running", training=made_from[run].digest)
    keep_freed_memory()
    try:
        with ExitStack() as closing:
            Sitting(to_train, env, device if together else None, keep_state, listen, callbacks, closing).run()
    except BaseException as error:
        for _, run in to_train:
            if read_state(run) == "finished":
                continue
            training = made_from[run].digest
            with suppress(StorageError):  # what ended it may keep this from being told too; then the lock tells
                if isinstance(error, KeyboardInterrupt):
                    write_status(run, "interrupted", "stopped by the user", training=training)
                else:
                    write_status(run, "failed", f"{type(error).__name__}: {error}", training=training)
        raise
    return [run.teacher for _, run in trainings]
