"""A cell on another machine: what its host does there, whoever put it there (Ray, Slurm). The storage is shared."""

import os
import time
from pathlib import Path

from ptde_core.base.errors import AtWorkError, PtdeError
from ptde_core.experiments.sweeps.cell_work import at_work_on, process_of
from ptde_core.experiments.sweeps.cells import Cell

POLL_SECONDS = 0.5
Failed = tuple[bool, str]  # whether it is a mistake of the user; what is said of it


class Host:
    """Works on one cell in a process of the machine that it is called on.

    Args:
        cell: what to do.
        attempt: counted from 1.
        keep_state: see `run`.
    """

    def __init__(self, cell: Cell, attempt: int, keep_state: bool) -> None:
        self._cell, self._attempt, self._keep_state = cell.to_json(), attempt, keep_state
        self._folder = Path.cwd()  # a cell's own paths are as they were typed there

    def __call__(self) -> Failed | None:
        """Work until it has ended; why it failed, None if it did not.

        Raises:
            KeyboardInterrupt: interrupted; the cell has stopped at a safe point.
        """
        if not self._folder.is_dir():
            return True, f"no {self._folder} on {os.uname().nodename}; sweep from a folder that all machines share"
        os.chdir(self._folder)
        cell = Cell.from_json(self._cell)
        failure: Exception | None = AtWorkError("")
        while isinstance(failure, AtWorkError):  # another process was quicker
            while at_work_on(cell):  # also a machine that is lost, until its silence is noticed
                time.sleep(POLL_SECONDS)
            failure = self._worked_on(cell)
        return None if failure is None else (isinstance(failure, PtdeError), str(failure))

    def _worked_on(self, cell: Cell) -> Exception | None:
        """Why its process failed, None if it did not."""
        process = process_of(cell, self._attempt, keep_state=self._keep_state, folder=self._folder)
        try:
            while not process.has_ended:
                time.sleep(POLL_SECONDS)
        except KeyboardInterrupt:
            process.stop()
            while not process.has_ended:
                time.sleep(POLL_SECONDS)
            process.failure()
            raise
        return process.failure()


def raised(failed: Failed | None) -> Exception | None:
    """What a host has brought back, as an exception."""
    if failed is None:
        return None
    return PtdeError(failed[1]) if failed[0] else RuntimeError(failed[1])
