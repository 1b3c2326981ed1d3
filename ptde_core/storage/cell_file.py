"""cell.json: the state of a run as a cell of a sweep. The process that works on the cell touches the file regularly."""

import os
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ptde_core.base.errors import PtdeError
from ptde_core.base.untrusted import Count, Seconds
from ptde_core.storage.run_folder import read_json, write_json
from ptde_core.storage.status import is_alive

TOUCH_SECONDS = 5.0
SILENT_SECONDS = 60.0  # a file whose time is so far from now, also ahead: no process works on the cell any more


class CellRecord(BaseModel):
    """The whole file.

    `settings` is the digest of all settings of its stages when it was last worked on; `attempts` counts those of the
    newest sweep, with the running one; `seconds` is the wall time of all sittings that were not killed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: Literal["running", "interrupted", "failed", "done"]
    settings: str
    attempts: Count
    reason: str = ""
    pid: int = Field(ge=0, lt=2**31)
    host: str
    time: str  # when this state was reached; ISO 8601
    seconds: Seconds = 0.0


def read_cell(path: Path) -> CellRecord | None:
    """Read and check the file; None where there is none. One that says "running" and is not touched was interrupted.

    Raises:
        PtdeError: it is broken.
    """
    if not path.exists():
        return None
    try:
        record = CellRecord.model_validate(read_json(path, "record of a sweep's cell"))
    except ValidationError:
        raise PtdeError(f"{path} is not the record of a sweep's cell", "delete it; the sweep goes on") from None
    if record.state == "running" and not _worked_on(record, path):
        return record.model_copy(update={"state": "interrupted"})
    return record


def write_cell(
    path: Path,
    state: Literal["running", "interrupted", "failed", "done"],
    settings: str,
    attempts: int,
    reason: str = "",
    seconds: float = 0.0,
) -> None:
    """Record the state that a cell has now."""
    record = CellRecord(
        state=state,
        settings=settings,
        attempts=attempts,
        reason=reason,
        pid=os.getpid(),
        host=platform.node(),
        time=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        seconds=seconds,
    )
    write_json(path, record.model_dump())


@contextmanager
def touching(path: Path) -> Iterator[None]:
    """Inside the block, touch the file regularly."""
    over = threading.Event()

    def touch() -> None:
        while not over.wait(TOUCH_SECONDS):
            with suppress(OSError):  # it may succeed the next time
                os.utime(path)

    thread = threading.Thread(target=touch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _worked_on(record: CellRecord, path: Path) -> bool:
    if abs(time.time() - path.stat().st_mtime) > SILENT_SECONDS:
        return False
    return record.host != platform.node() or is_alive(record.pid)
