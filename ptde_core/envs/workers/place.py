"""Where a pool's engines run: as processes of this machine (`local`), or on the machines of a Ray cluster (`cluster`).

It is a matter of the machine and not of the run, like the patience with engines: the environment variable PTDE_WORKERS,
which the command line's --workers sets.
"""

import os
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from ptde_core.base import provenance
from ptde_core.base.errors import PtdeError, unknown
from ptde_core.envs.interface import EnvSpec
from ptde_core.envs.workers.block import Block
from ptde_core.envs.workers.child import Reply
from ptde_core.envs.workers.engine import MakeEngine
from ptde_core.envs.workers.limits import Limits

VARIABLE = "PTDE_WORKERS"
PLACES = ("local", "ray")


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


def build_place(make: MakeEngine, n_envs: int, limits: Limits) -> Place:
    """The place that PTDE_WORKERS names.

    Raises:
        PtdeError: there is no such place, or Ray is not there.
    """
    if chosen_place() == "ray":
        from ptde_core.envs.workers.cluster import ClusterPlace

        return ClusterPlace(make, n_envs, limits)
    from ptde_core.envs.workers.local import LocalPlace

    return LocalPlace(make, n_envs, limits)


def chosen_place(environment: Mapping[str, str] = os.environ) -> str:
    """One of `PLACES`: where engines run by what the environment says.

    Raises:
        PtdeError: there is no such place, or Ray is not installed.
    """
    chosen = environment.get(VARIABLE, "local")
    if chosen not in PLACES:
        raise unknown("place for workers", chosen, PLACES)
    if chosen == "ray" and find_spec("ray") is None:
        raise PtdeError("workers on a Ray cluster need Ray, which is not installed", "type: pip install 'ptde[ray]'")
    return chosen


def cores() -> int:
    """Processor cores there are for engines: this machine's, or the cluster's."""
    if chosen_place() == "ray":
        from ptde_core.envs.workers.cluster import cluster_cores

        return cluster_cores()
    return provenance.cores()
