"""What a pool asks of an engine's worker, and of where workers are started (`local_host`, `ray_host`)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from ptde_core.envs.interface import EnvSpec
from ptde_core.envs.workers.block import Block
from ptde_core.envs.workers.child import Reply


class Worker(Protocol):
    """One engine. What it is asked is answered once, through `receive`; what was brought stands in the block then."""

    def ask_step(self) -> None:
        """Play the step whose actions stand in the block."""

    def ask_reset(self, seed: int) -> None:
        """Start an episode."""

    def ask_recording(self, path: Path) -> None:
        """Write what was played, in the game's own format."""

    def ask_close(self) -> None:
        """End by itself, so that the engine can put things in order; this is not answered."""

    def receive(self) -> Reply:
        """The answer, waiting for it if need be.

        Raises:
            EOFError, OSError: the engine has died.
        """

    def last_words(self) -> str:
        """The last line that the engine printed; "" if it printed none."""

    def wait(self, seconds: float) -> None:
        """Wait until it has ended by itself, at most so long."""

    def end(self) -> None:
        """Kill it, with all that it has started; afterwards none of its processes is left."""


class Place(Protocol):
    """Where engines are started, and how a pool waits for several of them."""

    def start(self, row: int) -> Worker:
        """Start the engine of that row; its first answer is `Ready`."""

    def answered(self, workers: Sequence[Worker], seconds: float) -> Sequence[Worker]:
        """Those of the workers that have answered; waits for the first one, at most so long."""

    def block(self, spec: EnvSpec) -> Block:
        """What all rows see, do and get; asked for once, when the engines have told their sizes."""

    def close(self) -> None:
        """Release what is not an engine's."""
