"""The calibration's trainings, side by side: finished ones are kept, begun ones go on, the first failure ends all."""

import json
import sys
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from ptde_core.algorithms.training_settings import TrainingSettings
from ptde_core.base.errors import PtdeError
from ptde_core.base.events import Listener, Note, Progress, StageFinished, StageStarted, silent
from ptde_core.base.provenance import cores
from ptde_core.machine.side_by_side import Process, SideBySide, working
from ptde_core.pipeline.train_teacher import train_teacher
from ptde_core.runs.identity import why_not_this_training
from ptde_core.runs.stage_settings import read_run_config, train_teacher_settings
from ptde_core.storage.curve_file import metrics_of
from ptde_core.storage.run_folder import RunFolder
from ptde_core.storage.status import read_state

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
    queue = SideBySide(waiting, cores(), _process)

    def ended(training: Training, failure: Exception | None) -> None:
        done[training[1].path] = _steps_done(*training)
        if failure:
            raise failure
        listen(Note(_told(*training)))

    def polled() -> None:
        done.update({run.path: _steps_done(settings, run) for settings, run in queue.running})
        listen(Progress(stage, sum(done.values())))

    queue.work(ended=ended, polled=polled)
    listen(StageFinished(stage, time.monotonic() - began))


def _process(training: Training) -> Process:
    settings, run = training
    return Process(__name__, [settings.model_dump_json(), str(run.path)], f"the training in {run.path}")


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
    rows = metrics_of(run)
    return rows[-1] if rows else {}


def _told(settings: TrainingSettings, run: RunFolder) -> str:
    newest = _newest(run)
    won = f"; won {newest['test_win_rate']:.0%} in its last test" if "test_win_rate" in newest else ""
    return f"{settings.map}, seed {settings.seed}: {settings.steps:,} env steps are done{won}"


def train_here(settings: TrainingSettings, run: RunFolder) -> int:
    """What such a process does: train until done, or until its standard input is closed; returns the exit code."""
    return working(lambda: train_teacher(settings, run, resume=True))


if __name__ == "__main__":
    sys.exit(train_here(train_teacher_settings(json.loads(sys.argv[1])), RunFolder(Path(sys.argv[2]))))
