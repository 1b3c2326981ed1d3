"""status.json: what state a run is in, and why. Replaced in one step, so it is never half written."""

import os
import time
from typing import Any, Literal

from ptde_core.storage.run_folder import RunFolder, read_json, write_json

State = Literal["running", "finished", "failed", "interrupted"]


def write_status(run: RunFolder, state: State, reason: str = "", **facts: Any) -> None:
    """Record the state of a run; `facts` are counters worth showing (env_steps, seconds)."""
    value = {"state": state, "reason": reason, "pid": os.getpid(), "time": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
    write_json(run.status, {**value, **facts})


def read_state(run: RunFolder) -> State:
    """The run's state; a run that says "running" but whose process is gone was interrupted (kill -9)."""
    value = read_json(run.status, "status of a run")
    state: State = value["state"]
    if state == "running" and not is_alive(int(value["pid"])):
        return "interrupted"
    return state


def is_alive(pid: int) -> bool:
    """Whether there is such a process on this machine."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
