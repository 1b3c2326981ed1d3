"""status.json: what state a run is in, and why. Replaced in one step, so it is never half written.

A process that is killed cannot say so. Whether one that says "running" still runs, the folder's lock tells.
"""

import errno
import json
import os
import time
from typing import Any, Literal

from ptde_core.base.errors import StorageError
from ptde_core.storage.run_folder import RunFolder, read_json, write_json
from ptde_core.storage.run_lock import is_held

State = Literal["running", "finished", "failed", "interrupted"]


def write_status(run: RunFolder, state: State, reason: str = "", **facts: Any) -> None:
    """Record the state of a run; `facts` are counters worth showing (env_steps, seconds)."""
    value = {"state": state, "reason": reason, "pid": os.getpid(), "time": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
    whole = {**value, **facts}
    try:
        write_json(run.status, whole)
    except StorageError as error:
        if not _is_full(error) or not run.status.is_file() or run.status.is_symlink():
            raise
        _overwrite(run, whole)


def _is_full(error: StorageError) -> bool:
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


def read_state(run: RunFolder) -> State:
    """The run's state; a run that says "running" but in which nobody is at work was interrupted (kill -9)."""
    value = read_json(run.status, "status of a run")
    state: State = value["state"]
    if state == "running":
        held = is_held(run)
        if not (_alive(int(value["pid"])) if held is None else held):
            return "interrupted"
    return state


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
