"""A cell on another machine: what its host does there, whoever put it there (Ray, Slurm). The storage is shared."""

import os
import time
from pathlib import Path

from ptde_core.base.errors import PtdeError
from ptde_core.experiments.sweeps.cell_work import process_of
from ptde_core.experiments.sweeps.cells import Cell, state_of

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
        while state_of(cell).state == "running":  # by a machine that is lost, until its silence is noticed
            time.sleep(POLL_SECONDS)
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
        failure = process.failure()
        return None if failure is None else (isinstance(failure, PtdeError), str(failure))


def raised(failed: Failed | None) -> Exception | None:
    """What a host has brought back, as an exception."""
    if failed is None:
        return None
    return PtdeError(failed[1]) if failed[0] else RuntimeError(failed[1])
