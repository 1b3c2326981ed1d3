"""Cells as Slurm jobs, one each, submitted by submitit; a job that is preempted or out of time is queued again."""

import math
import secrets
import shutil
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ptde_core.base.errors import PtdeError
from ptde_core.experiments.sweeps.cells import Cell
from ptde_core.experiments.sweeps.elsewhere import Failed, Host, raised
from ptde_core.experiments.sweeps.estimates import Estimates
from ptde_core.experiments.sweeps.sweep import Engine
from ptde_core.storage.whole_file import refuse_linked

MINUTES = 24 * 60  # of a job, unless told otherwise; one that takes longer is queued again
TIMES = 100  # that a job is queued again
AT_ONCE = 1000  # jobs in Slurm's queue, which decides how many of them run
JOBS = "slurm-jobs"  # beside the runs: submitit's files, a folder of their own for each sweep that is begun


def on_slurm(out: Path, options: Mapping[str, Any], cluster: str = "slurm") -> Engine:
    """Slurm, as this machine reaches it.

    Args:
        out: folder of the runs, which all machines share.
        options: submitit's parameters for every job; they beat those that follow from a cell (core, memory, GPU).
        cluster: submitit's name for where jobs go; "local" are processes of this machine, to try it.

    Raises:
        PtdeError: submitit or Slurm is not there, or an option that it does not have.
        StorageError: the folder of its files is a link.
    """
    refuse_linked(out / JOBS)
    if find_spec("submitit") is None:
        raise PtdeError("--slurm needs submitit, which is not installed", "type: pip install 'ptde[slurm]'")
    if cluster == "slurm" and shutil.which("sbatch") is None:
        raise PtdeError("--slurm needs Slurm, and there is no sbatch here", "type it on a machine that can submit jobs")
    import submitit

    # Submitit runs what it finds as a job's result, so nobody may have put files there before.
    folder = out.absolute() / JOBS / f"{time.strftime('%Y-%m-%dT%H%M%S')}-{secrets.token_hex(8)}"

    def executor(**more: Any) -> Any:
        found = submitit.AutoExecutor(folder=folder, cluster=cluster, slurm_max_num_timeout=TIMES)
        try:
            found.update_parameters(**{"name": "ptde", "cpus_per_task": 1, "timeout_min": MINUTES, **more, **options})
        except (NameError, TypeError, ValueError) as error:
            raise PtdeError(f"submitit refuses the options: {error}", "see its parameters of AutoExecutor") from None
        return found

    executor()  # a wrong option is told before anything is written

    def start(cell: Cell, attempt: int, keep_state: bool) -> "_Job":
        megabytes = Estimates([cell]).of(cell).megabytes
        memory = {} if megabytes is None else {"mem_gb": math.ceil(megabytes / 1000)}
        gpus = {} if cell.pipeline.training.device == "cpu" else {"gpus_per_node": 1}
        return _Job(executor(**memory, **gpus).submit(_Requeued(Host(cell, attempt, keep_state))))

    return Engine(AT_ONCE, start, "Slurm jobs")


class _Requeued:
    """A host that is put into the queue again when its job is preempted or out of time: the cell goes on."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def __call__(self) -> Failed | None:
        return self._host()

    def checkpoint(self) -> Any:
        """What submitit submits in place of the job."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


class _Job:
    """One cell's job."""

    def __init__(self, job: Any) -> None:
        self._job, self._told = job, False

    @property
    def has_ended(self) -> bool:
        """See `Running`."""
        return bool(self._job.done())

    def stop(self) -> None:
        """See `Running`."""
        if not self._told:
            self._told = True
            self._job.cancel()

    def kill(self) -> None:
        """See `Running`."""
        self._job.cancel()

    def failure(self) -> Exception | None:
        """See `Running`."""
        if self._told:
            return None
        error = self._job.exception()
        return raised(self._job.result()) if error is None else RuntimeError(str(error).strip().splitlines()[-1])
