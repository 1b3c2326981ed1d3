"""status.json: what state a run is in, and why. Replaced in one step, so it is never half written.

A process that is killed cannot say so. Whether one that says "running" still runs, the folder's lock tells.
"""

import errno
import json
import os
import time
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from ptde_core.base.errors import PtdeError, StorageError, quoted
from ptde_core.base.untrusted import Count, Seconds
from ptde_core.storage.run_folder import ANEW, RunFolder, read_json, write_json
from ptde_core.storage.run_lock import is_held

State = Literal["running", "finished", "failed", "interrupted"]


def _dated(text: str) -> str:
    datetime.fromisoformat(text)  # a ValueError says what is wrong
    return text


def write_status(run: RunFolder, state: State, reason: str = "", **facts: Any) -> None:
    """Record the state of a run; `facts` are what `Status` has besides: counters worth showing, digests."""
    value = {"state": state, "reason": reason, "pid": os.getpid(), "time": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
    whole = {**value, **facts}
    try:
        write_json(run.status, whole)
    except StorageError as error:
        if not is_full(error) or not run.status.is_file() or run.status.is_symlink():
            raise
        _overwrite(run, whole)


def is_full(error: StorageError) -> bool:
    """Whether the disk, or the user's share of it, has no room."""
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in (errno.ENOSPC, errno.EDQUOT)


def _overwrite(run: RunFolder, value: dict[str, Any]) -> None:
    """Write into the room that the file has already: on a full disk there is no other, and the state must be told.

    Raises:
        StorageError: not even that can be done.
    """
    text = json.dumps(value, allow_nan=False) + "\n"
    with run.status.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        file.write(text.encode().ljust(size, b" "))


class Status(BaseModel):
    """The whole file; other counters may be in it."""

    model_config = ConfigDict(frozen=True, strict=True, extra="allow")

    state: State
    reason: str
    pid: int = Field(ge=0, lt=2**31)
    time: Annotated[str, AfterValidator(_dated)]  # ISO 8601
    env_steps: Count | None = None
    seconds: Seconds | None = None
    engine_restarts: Count | None = None
    threads: Count | None = None
    training: str | None = None  # digest of what the training was made from
    log: str | None = None  # of the metrics of a training that has finished (`runs/one_training.py`)


def read_status(run: RunFolder) -> dict[str, Any]:
    """What the file holds, checked.

    Raises:
        PtdeError: it is missing or broken.
    """
    try:
        return Status.model_validate(read_json(run.status, "status of a run")).model_dump(exclude_unset=True)
    except ValidationError as error:
        problem = f"{run.status} is not the status of a run ({quoted(error.errors()[0]['msg'])})"
        raise PtdeError(problem, ANEW) from None


def read_state(run: RunFolder) -> State:
    """The run's state; a run that says "running" but in which nobody is at work was interrupted (kill -9).

    Raises:
        PtdeError: as `read_status`.
    """
    status = read_status(run)
    state: State = status["state"]
    if state == "running":
        held = is_held(run)
        if not (is_alive(int(status["pid"])) if held is None else held):
            return "interrupted"
    return state


def moment(text: str, path: object) -> datetime:
    """A time as files keep it (ISO 8601 with its zone), to be compared with others, of other zones too.

    Raises:
        PtdeError: it is none, or has no zone.
    """
    try:
        found = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        found = None
    if found is None or found.tzinfo is None:
        raise PtdeError(f"{path} gives a time {text!r}, which is none with its zone", "was it edited?")
    return found


def is_alive(pid: int) -> bool:
    """Whether there is such a process on this machine."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
