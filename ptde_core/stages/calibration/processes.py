"""Trainings side by side: a process per core, each with one thread, which stops at a safe point when it is told to.

Whoever starts such a process holds its standard input open. Closing it, also by dying, is what tells it to stop.
"""

import _thread
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from ptde_core.base.errors import PtdeError
from ptde_core.base.events import Listener, Note, Progress, StageFinished, StageStarted, silent
from ptde_core.base.provenance import cores
from ptde_core.envs.workers.local import one_thread_each
from ptde_core.stages.identity import why_not_this_training
from ptde_core.stages.interruption import Interruption
from ptde_core.stages.settings import TrainingSettings, read_run_config, train_teacher_settings
from ptde_core.stages.train_teacher import train_teacher
from ptde_core.storage.metrics_file import read_metrics
from ptde_core.storage.run_folder import RunFolder
from ptde_core.storage.status import read_state

POLL_SECONDS = 1.0
USER_ERROR, INTERRUPTED = 2, 130  # exit codes of a process

Training = tuple[TrainingSettings, RunFolder]


def train_side_by_side(trainings: Sequence[Training], stage: str, title: str, *, listen: Listener = silent) -> None:
    """Train all of them to their end; finished ones are kept, begun ones go on.

    Args:
        trainings: settings and folder of each.
        stage: under which its progress is told.
        title: what they are, for people.
        listen: told how far all are together, and of each that is done.

    Raises:
        PtdeError: a folder holds a training of other length, or one that another process works on; or what a training
            refuses. The others have stopped at a safe point.
        KeyboardInterrupt: interrupted; the same call goes on.
    """
    waiting = deque(one for one in trainings if not _has_finished(*one))
    began, total = time.monotonic(), sum(settings.steps for settings, _ in trainings)
    done = {run.path: _steps_done(settings, run) for settings, run in trainings}
    listen(StageStarted(stage, title, total, "env steps", sum(done.values())))
    running: list[_Process] = []
    failure: Exception | None = None
    with Interruption() as interruption:
        try:
            while running or (waiting and not failure):
                if interruption.requested or failure:
                    for one in running:
                        one.stop()
                    if not running:
                        break
                else:
                    while waiting and len(running) < cores():
                        running.append(_Process(*waiting.popleft()))
                time.sleep(POLL_SECONDS)
                ended = [one for one in running if one.has_ended]
                done |= {one.run.path: _steps_done(one.settings, one.run) for one in running}
                for one in ended:
                    running.remove(one)
                    reason = one.failure()
                    failure = failure or reason
                    if not (failure or interruption.requested):
                        listen(Note(_told(one.settings, one.run)))
                listen(Progress(stage, sum(done.values())))
        finally:
            for one in running:  # a second Ctrl-C, or a mistake of ours
                one.kill()
        if failure:
            raise failure
        interruption.raise_if_requested()
    listen(StageFinished(stage, time.monotonic() - began))


def _has_finished(settings: TrainingSettings, run: RunFolder) -> bool:
    """Whether the folder holds the whole training.

    Raises:
        PtdeError: it holds one of other length, or one that is under way.
    """
    if not run.config.exists():
        return False
    held = read_run_config(run).settings["steps"]
    if held != settings.steps:
        raise PtdeError(
            f"{run.path} holds a training of {held:,} env steps, not {settings.steps:,}",
            f"type --steps {held}, or --runs with another folder",
        )
    if why := why_not_this_training(run, settings):
        raise PtdeError(f"{run.path} is stale: it was {why}", "move it away, or type --runs with another folder")
    state = read_state(run) if run.status.exists() else "interrupted"
    if state == "running":
        raise PtdeError(f"another process is training in {run.path}", "wait for it, or add --no-training to look at it")
    return state == "finished"


def _steps_done(settings: TrainingSettings, run: RunFolder) -> int:
    """Env steps that a training has logged, of those that it is to do."""
    return min(int(_newest(run).get("env_steps", 0)), settings.steps)


def _newest(run: RunFolder) -> dict[str, float]:
    """The newest line of a run's metrics; empty before the first."""
    rows = read_metrics(run.metrics) if run.metrics.exists() else []
    return rows[-1] if rows else {}


def _told(settings: TrainingSettings, run: RunFolder) -> str:
    newest = _newest(run)
    won = f"; won {newest['test_win_rate']:.0%} in its last test" if "test_win_rate" in newest else ""
    return f"{settings.map}, seed {settings.seed}: {settings.steps:,} env steps are done{won}"


class _Process:
    """One training in a process of its own."""

    def __init__(self, settings: TrainingSettings, run: RunFolder) -> None:
        self.settings, self.run = settings, run
        self._told = False
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115  closed when it has ended
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__, settings.model_dump_json(), str(run.path)],
            env=one_thread_each(),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            start_new_session=True,  # the terminal's Ctrl-C reaches only us, who tell it once
        )

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone."""
        return self._process.poll() is not None

    def stop(self) -> None:
        """Tell it to save and end."""
        self._told = True
        self._close()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()
        self._close()
        self._errors.close()

    def failure(self) -> Exception | None:
        """Why it ended, if not because it was done or told to; for a process that is gone."""
        self._close()
        with self._errors:
            self._errors.seek(0)
            said = self._errors.read().strip()
        match self._process.returncode:
            case 0:
                return None
            case code if code in {INTERRUPTED, -signal.SIGINT}:  # the second: while it began or ended
                told = f"the training in {self.run.path} was interrupted from outside"
                return None if self._told else PtdeError(told, "type the same again: it goes on")
            case code if code == USER_ERROR:
                return PtdeError(said)
            case code:
                return RuntimeError(f"the training in {self.run.path} ended with code {code}\n{said}")

    def _close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()


def train_here(settings: TrainingSettings, run: RunFolder) -> int:
    """What such a process does: train until done, or until its standard input is closed; returns the exit code."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where whoever started us ignores it
    try:
        threading.Thread(target=_interrupt_when_closed, daemon=True).start()
        train_teacher(settings, run, resume=True)
    except KeyboardInterrupt:
        return INTERRUPTED
    except PtdeError as error:
        sys.stderr.write(str(error))
        return USER_ERROR
    return 0


def _interrupt_when_closed() -> None:
    while os.read(0, 1):
        pass
    _thread.interrupt_main()


if __name__ == "__main__":
    sys.exit(train_here(train_teacher_settings(json.loads(sys.argv[1])), RunFolder(Path(sys.argv[2]))))
