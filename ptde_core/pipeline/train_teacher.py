"""Stage 1 (paper, Algorithm 1): play, learn, test; leaves config.json, metrics.jsonl, teacher.pt in the run folder.

An algorithm that trains its student at the same time (CTDS) has both tested, and leaves student.pt too.

Every random choice is a function of the run's seed and a counter (episode, update), so the state to resume from holds
no random streams, and a resumed run is equal to an uninterrupted one bit for bit (CPU, same number of threads). Runs
that differ by their seed alone can be trained at once; each is then, up to rounding, what it is when trained by itself.
"""

import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ptde_core.algorithms.building import build_environment_of, build_learner
from ptde_core.algorithms.learner_settings import ValueDecompositionSettings
from ptde_core.algorithms.stacked_learner import StackedLearner
from ptde_core.algorithms.table_names import teacher_marks, teacher_name
from ptde_core.algorithms.value_decomposition import ValueDecompositionLearner
from ptde_core.base.batch import Episode
from ptde_core.base.device import device_of
from ptde_core.base.errors import PtdeError, StorageError
from ptde_core.base.events import Listener, Note, Progress, StageFinished, StageStarted, silent
from ptde_core.base.machine_memory import keep_freed_memory
from ptde_core.envs.backends import ENVIRONMENTS
from ptde_core.envs.interface import BatchedEnv
from ptde_core.envs.trust import trust_names
from ptde_core.kernels.compile_time import telling_of_compiling
from ptde_core.machine.interruption import Interruption
from ptde_core.pipeline.beginning import (
    check_alone,
    check_memory,
    check_origin,
    check_together,
    is_due,
    put_aside,
    replay_in_words,
)
from ptde_core.pipeline.compile_ahead import compiling_aside
from ptde_core.pipeline.engine_mishaps import keeping_errors, tell_of_mishaps
from ptde_core.pipeline.training_run import TrainingRun
from ptde_core.rollout.play import play
from ptde_core.runs.identity import training_made_from
from ptde_core.runs.stage_settings import TrainingSettings
from ptde_core.storage.config_file import write_config
from ptde_core.storage.provenance_file import add_sitting
from ptde_core.storage.run_folder import RunFolder
from ptde_core.storage.run_lock import locked
from ptde_core.storage.status import read_state, write_status
from ptde_core.storage.whole_file import check_output

STAGE = "train-teacher"


def train_teacher(
    settings: TrainingSettings,
    run: RunFolder,
    *,
    resume: bool = False,
    keep_state: bool = True,
    listen: Listener = silent,
) -> Path:
    """Train a teacher; returns the path of its checkpoint, `run.teacher`. As `train_teachers` with one training.

    Args:
        settings: everything that decides the result.
        run: an unused folder; or, with `resume`, one that holds this training, finished or not.
        resume: go on where an interrupted training stopped, or where a finished one with fewer steps ended; one that
            has finished with these is left as it is.
        keep_state: keep what it takes to go on with more steps, once it has finished.
        listen: is told of progress and of files.
    """
    return train_teachers([(settings, run)], resume=resume, keep_state=keep_state, listen=listen)[0]


def train_teachers(
    trainings: Sequence[tuple[TrainingSettings, RunFolder]],
    *,
    resume: bool = False,
    keep_state: bool = True,
    listen: Listener = silent,
) -> list[Path]:
    """Train teachers at once whose settings differ by the seed alone; returns the paths of their checkpoints.

    Args:
        trainings: settings and folder of each.
        resume: go on with those that were interrupted, or finished with fewer steps; others are left as they are.
        keep_state: keep what it takes to go on with more steps, once they have finished.
        listen: is told of progress and of files.

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
        return _train_teachers(trainings, resume, keep_state, telling_of_compiling(listen))


def _train_teachers(
    trainings: Sequence[tuple[TrainingSettings, RunFolder]], resume: bool, keep_state: bool, listen: Listener
) -> list[Path]:
    """As `train_teachers`, in folders where nobody else is at work."""
    due = [(settings, run) for settings, run in trainings if is_due(settings, run, resume)]
    for run in [run for settings, run in trainings if (settings, run) not in due]:
        listen(Note(f"the teacher is there: {run.teacher}"))
        if not keep_state:
            run.forget_state()
    if not due:
        return [run.teacher for _, run in trainings]
    settings = due[0][0]
    device = device_of(settings)
    together = len(trainings) > 1 or device.type != "cpu"  # also the last one left: it goes on as it was trained
    if together:
        check_together(settings, [run for _, run in due])
    check_alone(settings)
    env = build_environment_of(settings, settings.n_envs * len(due))
    try:  # now that the map is known to exist: a wrong one leaves no folder
        check_origin(due, env.spec.world)
        check_memory(settings, len(due), env.spec)
        for _, run in due:
            add_sitting(run.provenance, env.spec.backend, env.spec.version, torch.get_num_threads())
    except PtdeError:
        env.close()
        raise
    for own, run in due:
        put_aside(own, run, listen)
        write_config(run.config, own.model_dump(), training_made_from(own, env.spec.world))
        write_status(run, "running")
    keep_freed_memory()
    try:
        with ExitStack() as closing:
            _Sitting(due, env, device if together else None, keep_state, listen, closing).run()
    except BaseException as error:
        for _, run in due:
            if read_state(run) == "finished":
                continue
            with suppress(StorageError):  # what ended it may keep this from being told too; then the lock tells
                if isinstance(error, KeyboardInterrupt):
                    write_status(run, "interrupted", "stopped by the user")
                else:
                    write_status(run, "failed", f"{type(error).__name__}: {error}")
        raise
    return [run.teacher for _, run in trainings]


class _Sitting:
    """One sitting of trainings that are done at once, until all have finished or it is interrupted.

    Args:
        trainings: settings and folder of each.
        env: environments for a round of all.
        device: where they are stacked; None: the only one is trained by itself.
        keep_state: whether they keep what it takes to go on, once they have finished.
        listen: is told of progress and of files.
        closing: closes what this sitting opens, `env` too.
    """

    def __init__(
        self,
        trainings: Sequence[tuple[TrainingSettings, RunFolder]],
        env: BatchedEnv,
        device: torch.device | None,
        keep_state: bool,
        listen: Listener,
        closing: ExitStack,
    ) -> None:
        self._settings = settings = trainings[0][0]
        self._env, self._keep_state, self._listen = env, keep_state, listen
        closing.callback(self.close)
        if device is None and ENVIRONMENTS[settings.env].preparation():
            closing.enter_context(compiling_aside(settings))
        learners = [build_learner(own, env.spec, own.seed) for own, _ in trainings]
        self._runs = [
            TrainingRun(own, folder, learner, env.spec)
            for (own, folder), learner in zip(trainings, learners, strict=True)
        ]
        self._unfinished = list(self._runs)
        self._stack: StackedLearner | None = None
        if device is not None:
            self._stack = StackedLearner(
                [one for one in learners if isinstance(one, ValueDecompositionLearner)], device
            )
        if ENVIRONMENTS[settings.env].engines:  # as many games as are running already are enough
            self._test_env = env
        else:
            count = max(1, min(settings.test_episodes, 32))
            self._test_env = build_environment_of(settings, count)
            closing.callback(self._test_env.close)
            if other := env.spec.world.changed(self._test_env.spec.world):
                raise PtdeError(f"the world changed while the training began: it was {other}", "type it again")
        self._restarts_seen = env.restarts
        self._clock = time.monotonic()

    def close(self) -> None:
        """Close the environments that are open now."""
        self._env.close()

    def run(self) -> None:
        """Algorithm 1, lines 3 to 11."""
        settings, began = self._settings, time.monotonic()
        total = settings.steps * len(self._runs)
        self._listen(StageStarted(STAGE, self._title(), total, "env steps", self._done()))
        if preparation := ENVIRONMENTS[settings.env].preparation():
            self._listen(Note(preparation))
        for run in self._runs:
            if run.missing:
                self._listen(Note(run.missing))
        if settings.device == "cpu" and len(self._runs) > 1:
            self._listen(Note("on a CPU, seeds are trained sooner one after another: --seed 1, then --seed 2, ..."))
        if isinstance(settings, ValueDecompositionSettings):
            self._listen(Note(replay_in_words(settings.replay_episodes * len(self._runs), self._env.spec)))
        saved = time.monotonic()
        with Interruption() as interruption:
            while self._unfinished:
                if any(run.is_over for run in self._unfinished):
                    self._finish_those_that_are_over()
                    continue
                self._learn(self._play())
                self._test()
                self._count_restarts()
                self._listen(Progress(STAGE, self._done(), self._shown()))
                if interruption.requested or time.monotonic() - saved >= settings.checkpoint_seconds:
                    self._save()
                    saved = time.monotonic()
                interruption.raise_if_requested()
        self._listen(StageFinished(STAGE, time.monotonic() - began))

    def _play(self) -> tuple[list[list[Episode]], float]:
        """One round of each unfinished run (line 4), and the seconds it took."""
        runs, began = self._unfinished, time.monotonic()
        seeds, hows = zip(*(run.next_round() for run in runs), strict=True)
        if self._stack:
            how = replace(hows[0], epsilon=tuple(one.epsilon for one in hows for _ in range(self._settings.n_envs)))
            episodes = list(play(self._env, self._stack.policy, np.concatenate(seeds), how))
        else:
            episodes = list(play(self._env, runs[0].learner.teacher, seeds[0], hows[0]))
        count = self._settings.n_envs
        rounds = [episodes[k * count : (k + 1) * count] for k in range(len(runs))]
        for run, own, how in zip(runs, rounds, hows, strict=True):
            run.played(own, how)
        return rounds, time.monotonic() - began

    def _learn(self, played: tuple[list[list[Episode]], float]) -> None:
        """Update from the rounds just played (lines 5 to 10)."""
        (rounds, playing), runs = played, self._unfinished
        logs = self._stack.learn(rounds) if self._stack else [runs[0].learner.learn(rounds[0])]
        for k, (run, log) in enumerate(zip(runs, logs, strict=True)):
            run.learned(log, self._stack.learned(k) if self._stack else run.learner.learned())
        self._share_time(playing)

    def _test(self) -> None:
        """Checkpoints, tests and metrics of those runs for which they are due."""
        due = [run for run in self._unfinished if run.test_is_due]
        keeping = [run for run in self._unfinished if run.checkpoint_is_due]
        if (due or keeping) and self._stack:
            self._stack.write_back()
        for run in keeping:
            run.keep_checkpoint()
        for run in due:
            run.test(self._test_env, self._listen)

    def _save(self) -> None:
        """Save what each run needs to go on."""
        self._share_time()
        if self._stack:
            self._stack.write_back()
        for run in self._unfinished:
            run.save()

    def _finish_those_that_are_over(self) -> None:
        """Leave their files; the others go on without them.

        What a longer training goes on from is saved before a test that only the end has brought about: the longer one
        makes none here.
        """
        self._share_time()
        left = [k for k, run in enumerate(self._unfinished) if not run.is_over]
        if self._stack:
            self._stack.write_back()
        for run in self._unfinished:
            if run.is_over:
                if self._keep_state:
                    run.save()
                if not run.is_tested:
                    run.test(self._test_env, self._listen)
                run.finish(self._keep_state, self._listen)
        self._listen(Progress(STAGE, self._done(), self._shown()))
        self._unfinished = [self._unfinished[k] for k in left]
        if self._stack and left:
            self._stack = self._stack.only(left)
            self._env.close()
            world = self._env.spec.world
            self._env = build_environment_of(self._settings, self._settings.n_envs * len(left))
            if other := world.changed(self._env.spec.world):
                raise PtdeError(f"the world changed while it was trained in: it was {other}", "put that back")

    def _share_time(self, playing: float = 0.0) -> None:
        """Give each unfinished run its share of the wall time since the last call; `playing` is a part of it."""
        now, count = time.monotonic(), len(self._unfinished)
        for run in self._unfinished:
            run.took((now - self._clock) / count, playing / count)
        self._clock = now

    def _count_restarts(self) -> None:
        """Count and tell of engines that broke since the last time."""
        if new := self._env.restarts - self._restarts_seen:
            self._restarts_seen += new
            self._runs[0].at.engine_restarts += new  # engines play one training at a time
        tell_of_mishaps(self._env, self._listen)

    def _title(self) -> str:
        settings, several = self._settings, len(self._runs) > 1
        marks = teacher_marks(settings, self._runs[0].learner.teacher.trunk.hidden_size)
        name = teacher_name(settings.alg, settings.global_info, marks)
        seeds = ", ".join(str(run.settings.seed) for run in self._runs)
        what = f"{len(self._runs)} teachers {name}" if several else f"teacher {name}"
        return f"{what} on {settings.env} {self._env.spec.map}, {'seeds' if several else 'seed'} {seeds}"

    def _done(self) -> int:
        return sum(min(run.at.env_steps, self._settings.steps) for run in self._runs)

    def _shown(self) -> dict[str, float]:
        """The newest metrics, means over the runs."""
        names = {name for run in self._runs for name in run.shown}
        return {name: float(np.mean([run.shown[name] for run in self._runs if name in run.shown])) for name in names}
