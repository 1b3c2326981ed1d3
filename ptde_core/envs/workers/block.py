"""Shared memory of a pool and its engines: the observations, actions and rewards of all rows.

It is a file without a name, so nothing is left of it however the processes end.
"""

import mmap
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ptde_core.base.errors import storage_error
from ptde_core.envs.interface import EnvSpec
from ptde_core.envs.workers.engine_contract import View

ROW_ARRAYS = ("obs", "state", "available", "reward", "terminated", "truncated", "won")  # what an engine writes
ALIGNMENT = 64  # bytes; a cache line, so that no two arrays share one


def open_memory() -> int:
    """File descriptor of an empty file without a name, in memory where the system allows it."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryFile(dir=shared if shared.is_dir() else None) as file:
        return os.dup(file.fileno())


class Block:
    """Arrays of E rows in the file `memory`. The layout follows from the spec alone, so all processes agree on it.

    Args:
        memory: file descriptor; the file grows to its size if it has not yet.
        spec: sizes of a row.
        n_envs: rows E.

    Raises:
        StorageError: there is no room for it.
    """

    def __init__(self, memory: int, spec: EnvSpec, n_envs: int) -> None:
        e, n = n_envs, spec.n_agents
        plan: dict[str, tuple[tuple[int, ...], DTypeLike]] = {
            "obs": ((e, n, spec.obs_size), np.float32),
            "state": ((e, spec.state_size), np.float32),
            "available": ((e, n, spec.n_actions), np.bool_),
            "actions": ((e, n), np.int64),
            "reward": ((e,), np.float32),
            "terminated": ((e,), np.bool_),
            "truncated": ((e,), np.bool_),
            "won": ((e,), np.bool_),
        }
        starts, size = {}, 0
        for name, (shape, kind) in plan.items():
            starts[name] = size
            size += -(-int(np.prod(shape)) * np.dtype(kind).itemsize // ALIGNMENT) * ALIGNMENT
        try:
            os.ftruncate(memory, size)
            if hasattr(os, "posix_fallocate"):  # without memory left, a later write kills the process
                os.posix_fallocate(memory, 0, size)
        except OSError as error:
            raise storage_error(error, "the memory shared with engines (/dev/shm)") from error
        buffer = mmap.mmap(memory, size)
        arrays: dict[str, NDArray[Any]] = {
            name: np.ndarray(shape, kind, buffer, starts[name]) for name, (shape, kind) in plan.items()
        }
        self.obs: NDArray[np.float32] = arrays["obs"]  # (E, N, O)
        self.state: NDArray[np.float32] = arrays["state"]  # (E, S)
        self.available: NDArray[np.bool_] = arrays["available"]  # (E, N, A)
        self.actions: NDArray[np.int64] = arrays["actions"]  # (E, N)
        self.reward: NDArray[np.float32] = arrays["reward"]  # (E,)
        self.terminated: NDArray[np.bool_] = arrays["terminated"]  # (E,)
        self.truncated: NDArray[np.bool_] = arrays["truncated"]  # (E,)
        self.won: NDArray[np.bool_] = arrays["won"]  # (E,)

    @classmethod
    def alone(cls, spec: EnvSpec, n_envs: int) -> "Block":
        """A block that no other process shares."""
        memory = open_memory()
        try:
            return cls(memory, spec, n_envs)  # the mapping outlives the descriptor
        finally:
            os.close(memory)

    def view(self, row: int) -> View:
        """The arrays that the engine of that row writes into."""
        return View(self.obs[row], self.state[row], self.available[row])
