"""The interfaces behind a pool: a worker, which runs one engine, and the place where workers are started."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from ptde_core.envs.interface import EnvSpec
from ptde_core.envs.workers.block import Block
from ptde_core.envs.workers.child import Reply


class Worker(Protocol):
    """One engine. Each request has one answer, read by `receive`; the results are then in the block."""

    def ask_step(self) -> None:
        """Request a step with the actions in the block."""

    def ask_reset(self, seed: int) -> None:
        """Request the start of an episode."""

    def ask_recording(self, path: Path) -> None:
        """Request a recording of what was played, in the game's own format."""

    def ask_close(self) -> None:
        """Request that the engine ends by itself; there is no answer."""

    def receive(self) -> Reply:
        """Wait for the answer and return it.

        Raises:
            EOFError, OSError: the engine has died.
        """

    def last_words(self) -> str:
        """The last line that the engine printed; "" if it printed none."""

    def wait(self, seconds: float) -> None:
        """Wait until it has ended by itself, at most `seconds`."""

    def end(self) -> None:
        """Kill it and every process that it has started."""


class Place(Protocol):
    """Where engines are started, and how to wait for several of them (`local_host`, `ray_host`)."""

    def start(self, row: int) -> Worker:
        """Start the engine of that row; its first answer is `Ready`."""

    def answered(self, workers: Sequence[Worker], seconds: float) -> Sequence[Worker]:
        """The workers that have answered; waits for the first one, at most `seconds`."""

    def block(self, spec: EnvSpec) -> Block:
        """The arrays of all rows; called once, when the first engine has told its sizes."""

    def close(self) -> None:
        """Release what the place itself holds."""
