"""What a training logs, on Weights & Biases too: a listener around another one. Nothing else knows of W&B."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ptde_core.algorithms.training_settings import TrainingSettings
from ptde_core.base.errors import PtdeError
from ptde_core.base.events import Event, Listener, Logged, StageStarted
from ptde_core.runs.stage_settings import default_folder
from ptde_core.storage.provenance_file import read_provenance
from ptde_core.storage.run_folder import RunFolder

PROJECT = "ptde"  # where WANDB_PROJECT names no other


@contextmanager
def weights_and_biases(settings: TrainingSettings, run: RunFolder, listen: Listener) -> Iterator[Listener]:
    """A listener that passes everything on, and sends what a training logs to a run on W&B.

    That run has the table name of the run folder, its settings, and an identity that survives resuming: lines that a
    resumed training logs again are the same, and W&B drops them. WANDB_MODE=offline keeps all in the run folder, for
    `wandb sync`; the other variables of W&B (WANDB_PROJECT, WANDB_ENTITY, ...) work as everywhere.

    Raises:
        PtdeError: the package is not installed, or W&B refuses the run.
    """
    try:
        import wandb
    except ImportError:
        raise PtdeError(
            "Weights & Biases is not installed", "python -m pip install 'ptde[wandb]', or leave out --wandb"
        ) from None
    running: Any = None

    def pass_on(event: Event) -> None:
        nonlocal running
        if isinstance(event, StageStarted) and event.stage == "train-teacher":
            running = _begin(wandb, settings, run)
        if isinstance(event, Logged):
            running.log(dict(event.metrics), step=event.env_steps)
        listen(event)

    failed = True
    try:
        yield pass_on
        failed = False
    finally:
        if running is not None:
            running.finish(exit_code=int(failed))


def _begin(wandb: Any, settings: TrainingSettings, run: RunFolder) -> Any:
    begun = read_provenance(run.provenance).sittings[0].time
    try:
        return wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            name="/".join(default_folder(settings).path.parts[1:]),
            id=hashlib.sha256(f"{run.path.resolve()} {begun}".encode()).hexdigest()[:16],
            config=settings.model_dump(),
            dir=run.path,
            resume="allow",
            settings=wandb.Settings(console="off"),  # ptde's own lines are not for W&B to collect
        )
    except wandb.errors.Error as error:
        raise PtdeError(
            f"Weights & Biases refuses the run: {error}", "`wandb login`, or WANDB_MODE=offline, or leave out --wandb"
        ) from None
