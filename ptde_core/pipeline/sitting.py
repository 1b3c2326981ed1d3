"""One sitting of trainings that are done at once: play, learn, test and save, until all are over (Algorithm 1)."""

import time
from collections.abc import Sequence
from contextlib import ExitStack

import numpy as np
import torch

from ptde_core.algorithms.building import build_environment_of, build_learner
from ptde_core.algorithms.table_names import teacher_marks, teacher_name
from ptde_core.algorithms.training_settings import TrainingSettings
from ptde_core.base.errors import PtdeError
from ptde_core.base.events import Listener, Note, Progress, StageFinished, StageStarted
from ptde_core.envs.backends import ENVIRONMENTS
from ptde_core.envs.interface import BatchedEnv
from ptde_core.machine.interruption import Interruption
from ptde_core.pipeline.callbacks import Callbacks
from ptde_core.pipeline.compile_ahead import compiling_aside
from ptde_core.pipeline.engine_mishaps import tell_of_mishaps
from ptde_core.pipeline.memory_needed import memory_in_words
from ptde_core.pipeline.single_trainer import SingleTrainer, Trainer
from ptde_core.pipeline.stacked_trainer import StackedTrainer
from ptde_core.pipeline.training_run import TrainingRun
from ptde_core.storage.run_folder import RunFolder

STAGE = "train-teacher"
TESTED_AT_ONCE = 32  # episodes


class Sitting:
    """One sitting, until all trainings have finished or it is interrupted.

    Args:
        trainings: settings and folder of each.
        env: environments for a round of all.
        device: where they are stacked; None: the only one is trained by itself.
        keep_state: whether they keep what it takes to go on, once they have finished.
        listen: is told of progress and of files.
        callbacks: are told of each round, update and test.
        closing: closes what this sitting opens, `env` too.
    """

    def __init__(
        self,
        trainings: Sequence[tuple[TrainingSettings, RunFolder]],
        env: BatchedEnv,
        device: torch.device | None,
        keep_state: bool,
        listen: Listener,
        callbacks: Callbacks,
        closing: ExitStack,
    ) -> None:
        self._settings = settings = trainings[0][0]
        self._keep_state, self._listen, self._spec = keep_state, listen, env.spec
        self._together = device is not None
        closing.callback(env.close)
        if device is None and ENVIRONMENTS[settings.env].preparation():
            closing.enter_context(compiling_aside(settings))
        learners = [build_learner(own, env.spec, own.seed) for own, _ in trainings]
        self._runs = [
            TrainingRun(own, folder, learner, env.spec, callbacks)
            for (own, folder), learner in zip(trainings, learners, strict=True)
        ]
        self._unfinished = list(self._runs)
        self._trainer: Trainer = (
            SingleTrainer(learners[0], env)
            if device is None
            else StackedTrainer(settings, learners, env, device, closing)
        )
        if ENVIRONMENTS[settings.env].engines:  # as many games as are running already are enough
            self._test_env = env
        else:
            count = max(1, min(settings.test_episodes, TESTED_AT_ONCE))
            self._test_env = build_environment_of(settings, count)
            closing.callback(self._test_env.close)
            if other := env.spec.world.changed(self._test_env.spec.world):
                raise PtdeError(f"the world changed while the training began: it was {other}", "type it again")
        self._restarts_seen = env.restarts
        self._clock = time.monotonic()

    def run(self) -> None:
        """Algorithm 1, lines 3 to 11."""
        settings, began = self._settings, time.monotonic()
        total = settings.steps * len(self._runs)
        self._listen(StageStarted(STAGE, self._title(), total, "env steps", self._steps_done()))
        self._tell_of_the_beginning()
        saved = time.monotonic()
        with Interruption() as interruption:
            while self._unfinished:
                if any(run.is_over for run in self._unfinished):
                    self._finish_those_that_are_over()
                    continue
                self._play_and_learn()
                self._test()
                self._count_restarts()
                self._listen(Progress(STAGE, self._steps_done(), self._newest_metrics()))
                if interruption.requested or time.monotonic() - saved >= settings.checkpoint_seconds:
                    self._save()
                    saved = time.monotonic()
                interruption.raise_if_requested()
        self._listen(StageFinished(STAGE, time.monotonic() - began))

    def _tell_of_the_beginning(self) -> None:
        """What a user should know before the first round."""
        settings = self._settings
        if preparation := ENVIRONMENTS[settings.env].preparation():
            self._listen(Note(preparation))
        for run in self._runs:
            if run.missing:
                self._listen(Note(run.missing))
        if settings.device == "cpu" and len(self._runs) > 1:
            self._listen(Note("on a CPU, seeds are trained sooner one after another: --seed 1, then --seed 2, ..."))
        self._listen(Note(memory_in_words(settings, self._spec, len(self._runs), together=self._together)))

    def _play_and_learn(self) -> None:
        """One round of each unfinished run (line 4), and what is learned from it (lines 5 to 10)."""
        runs, began = self._unfinished, time.monotonic()
        rounds = [run.next_round() for run in runs]
        played = self._trainer.play(rounds)
        for run, episodes, own in zip(runs, played, rounds, strict=True):
            run.played(episodes, own.exploration)
        playing = time.monotonic() - began
        for run, learned in zip(runs, self._trainer.learn(played), strict=True):
            run.learned(learned)
        self._share_time(playing)

    def _test(self) -> None:
        """Checkpoints, tests and metrics of those runs whose time for them has come."""
        to_test = [run for run in self._unfinished if run.test_is_due]
        to_keep = [run for run in self._unfinished if run.checkpoint_is_due]
        if to_test or to_keep:
            self._trainer.settle()
        for run in to_keep:
            run.keep_checkpoint()
        for run in to_test:
            run.test(self._test_env, self._listen)

    def _save(self) -> None:
        """Save what each run needs to go on."""
        self._share_time()
        self._trainer.settle()
        for run in self._unfinished:
            run.save()

    def _finish_those_that_are_over(self) -> None:
        """Leave their files; the others go on without them.

        What a longer training goes on from is saved before a test that only the end has brought about: the longer one
        makes none here.
        """
        self._share_time()
        self._trainer.settle()
        for run in self._unfinished:
            if run.is_over:
                if self._keep_state:
                    run.save()
                if not run.is_tested:
                    run.test(self._test_env, self._listen)
                run.finish(self._keep_state, self._listen)
        self._listen(Progress(STAGE, self._steps_done(), self._newest_metrics()))
        going_on = [k for k, run in enumerate(self._unfinished) if not run.is_over]
        self._unfinished = [self._unfinished[k] for k in going_on]
        if going_on:
            self._trainer.go_on_with(going_on)

    def _share_time(self, playing: float = 0.0) -> None:
        """Give each unfinished run its share of the wall time since the last call; `playing` is a part of it."""
        now, count = time.monotonic(), len(self._unfinished)
        for run in self._unfinished:
            run.took((now - self._clock) / count, playing / count)
        self._clock = now

    def _count_restarts(self) -> None:
        """Count and tell of engines that broke since the last time."""
        env = self._trainer.env
        if new := env.restarts - self._restarts_seen:
            self._restarts_seen += new
            self._runs[0].at.engine_restarts += new  # engines play one training at a time
        tell_of_mishaps(env, self._listen)

    def _title(self) -> str:
        settings, several = self._settings, len(self._runs) > 1
        marks = teacher_marks(settings, self._runs[0].learner.teacher.trunk.hidden_size)
        name = teacher_name(settings.alg, settings.global_info, marks)
        seeds = ", ".join(str(run.settings.seed) for run in self._runs)
        what = f"{len(self._runs)} teachers {name}" if several else f"teacher {name}"
        return f"{what} on {settings.env} {self._spec.map}, {'seeds' if several else 'seed'} {seeds}"

    def _steps_done(self) -> int:
        return sum(min(run.at.env_steps, self._settings.steps) for run in self._runs)

    def _newest_metrics(self) -> dict[str, float]:
        """Means over the runs."""
        of_runs = [run.newest_metrics for run in self._runs]
        names = {name for metrics in of_runs for name in metrics}
        return {name: float(np.mean([metrics[name] for metrics in of_runs if name in metrics])) for name in names}
