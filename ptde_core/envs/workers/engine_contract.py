"""The interface of an engine: it plays one episode after another, each decided by its seed."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ptde_core.envs.interface import EnvSpec


class View(NamedTuple):
    """The arrays of one environment that an engine writes into, overwritten in place."""

    obs: NDArray[np.float32]  # (N, O)
    state: NDArray[np.float32]  # (S,)
    available: NDArray[np.bool_]  # (N, A)


class Outcome(NamedTuple):
    """The result of one step; the names are those of `BatchedEnv`."""

    reward: float
    terminated: bool
    truncated: bool
    won: bool


class Engine(Protocol):
    """One environment in a process of its own. It may die, hang, or raise: its episode is then played again."""

    @property
    def spec(self) -> EnvSpec:
        """Sizes and names; known before the first reset."""

    def reset(self, seed: int, view: View) -> None:
        """Start the episode of this seed (64 bits), which must not depend on what was played before."""

    def step(self, actions: NDArray[np.int64], view: View) -> Outcome:
        """Play one env step; actions (N,), all of them available."""

    def close(self) -> None:
        """Stop what the engine has started."""


@runtime_checkable
class Records(Protocol):
    """An engine that can write what it has played in the game's own format."""

    def save_recording(self, path: Path) -> None:
        """Write it to `path`, which is on the engine's machine."""


MakeEngine = Callable[[], Engine]
"""Builds an engine in its process. It is pickled: a class, a function of a module, or a `partial` of one."""
