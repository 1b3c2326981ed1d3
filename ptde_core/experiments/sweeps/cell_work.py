"""A cell of a sweep, in a process of its own: `python -m ptde_core.experiments.sweeps.cell_work CELL ATTEMPT KEEP`."""

import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Literal

from ptde_core.base.errors import AtWorkError, PtdeError, StorageError, UserCodeError
from ptde_core.experiments.sweeps.cells import Cell
from ptde_core.machine.side_by_side import Process, working
from ptde_core.pipeline.run import run
from ptde_core.storage.cell_file import read_cell, touching, write_cell
from ptde_core.storage.run_lock import is_held, locked, owner
from ptde_core.storage.whole_file import write_text


def process_of(cell: Cell, attempt: int, *, keep_state: bool, folder: Path | None = None) -> Process:
    """A process that works on the cell.

    Args:
        cell: what to do.
        attempt: counted from 1, within one sweep.
        keep_state: see `run`.
        folder: its working directory; None: that of this process.
    """
    arguments = [cell.to_json(), str(attempt), str(int(keep_state))]
    return Process(__name__, arguments, f"the cell in {cell.run.path}", folder)


def at_work_on(cell: Cell) -> str:
    """Who works on the cell now, in words for people; "" if nobody does."""
    if is_held(cell.run):
        return f"another process{owner(cell.run.lock)}"
    with suppress(PtdeError):  # a broken record is told by who works on it
        record = read_cell(cell.run.cell)
        if record is not None and record.state == "running":
            return f"process {record.pid} on {record.host}"
    return ""


def work_on(cell: Cell, attempt: int, *, keep_state: bool) -> None:
    """Do all of the cell's stages that are not done, and record in its folder how that ended.

    Raises:
        AtWorkError: another process works on the cell; nothing is recorded.
        StorageError: the folder cannot be locked; nothing is recorded.
        PtdeError: as `run`, or the record is broken.
        KeyboardInterrupt: interrupted; the same call goes on.
    """
    with locked(cell.run, "sweep"):
        record = read_cell(cell.run.cell)
        if record is not None and record.state == "running":  # on a machine that does not share the lock
            raise AtWorkError(f"process {record.pid} on {record.host} works on {cell.run.path}", "wait for it")
        _work_on(cell, attempt, keep_state, record.seconds if record else 0.0)


def _work_on(cell: Cell, attempt: int, keep_state: bool, before: float) -> None:
    """As `work_on`, where nobody else is at work; `before`: seconds of earlier sittings."""
    path, began = cell.run.cell, time.monotonic()

    def record_as(state: Literal["running", "interrupted", "failed", "done"], reason: str = "") -> None:
        write_cell(path, state, cell.digest, attempt, reason, before + time.monotonic() - began)

    record_as("running")
    with touching(path):
        try:
            run(cell.pipeline, cell.run, keep_state=keep_state)
        except (KeyboardInterrupt, AtWorkError):
            record_as("interrupted")
            raise
        except BaseException as error:
            if not isinstance(error.__cause__, UserCodeError):  # else it is there, and says more
                with suppress(StorageError):  # what failed is told all the same
                    write_text(cell.run.error, traceback.format_exc())
            record_as("failed", str(error) if isinstance(error, PtdeError) else f"{type(error).__name__}: {error}")
            raise
        cell.run.error.unlink(missing_ok=True)
        record_as("done")


if __name__ == "__main__":
    told = Cell.from_json(sys.argv[1])
    sys.exit(working(lambda: work_on(told, int(sys.argv[2]), keep_state=bool(int(sys.argv[3])))))
