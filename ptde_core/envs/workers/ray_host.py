"""Engines on the machines of a Ray cluster, so that hundreds of them can serve one learner.

Each engine has a Ray actor, on any machine of the cluster, which runs it as a process with the same guard as on one
machine (`local_host`). Actions are sent with a call, observations and rewards returned with its answer. If an actor is
killed or its machine is lost, its engine counts as dead.
"""

import contextlib
import functools
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptde_core.base.errors import PtdeError
from ptde_core.envs.interface import EnvSpec
from ptde_core.envs.workers.block import ROW_ARRAYS, Block
from ptde_core.envs.workers.child import Done, Failed, Ready, Reply
from ptde_core.envs.workers.engine_contract import MakeEngine
from ptde_core.envs.workers.limits import Limits
from ptde_core.envs.workers.local_host import ENDING_SECONDS, LocalPlace, LocalWorker
from ptde_core.envs.workers.protocols import Worker

Answer = tuple[Reply, dict[str, NDArray[Any]]]  # the answer, and the row's arrays


class ClusterPlace:
    """The cluster that Ray finds: RAY_ADDRESS, else one that runs on this machine, else a new one of this machine.

    Args:
        make: builds an engine; what it imports has to be installed on every machine.
        n_envs: rows E; if the cluster has fewer cores, engines share them.
        limits: of time and memory.

    Raises:
        PtdeError: there is no cluster at RAY_ADDRESS.
    """

    def __init__(self, make: MakeEngine, n_envs: int, limits: Limits) -> None:
        self._make, self._n_envs, self._limits = make, n_envs, limits
        share = min(1.0, cluster_cores() / n_envs)
        thousandths = int(share * 1000) / 1000  # the precision of Ray
        self._actor = connected_ray().remote(num_cpus=thousandths, max_restarts=0)(Host)
        self._block: Block | None = None

    def start(self, row: int) -> "ClusterWorker":
        """See `Place`."""
        return ClusterWorker(self._actor.remote(self._make, self._limits), row, self)

    def answered(self, workers: Sequence[Worker], seconds: float) -> Sequence[Worker]:
        """See `Place`."""
        by_answer = {one.answer: one for one in workers if isinstance(one, ClusterWorker)}
        ready, _ = connected_ray().wait(list(by_answer), timeout=seconds)
        if len(by_answer) > 1:  # others may have answered too
            ready, _ = connected_ray().wait(list(by_answer), num_returns=len(by_answer), timeout=0)
        return [by_answer[one] for one in ready]

    def block(self, spec: EnvSpec) -> Block:
        """See `Place`."""
        self._block = Block.alone(spec, self._n_envs)
        return self._block

    @property
    def rows(self) -> Block:
        """The block that `block` has made."""
        assert self._block is not None, "an engine was asked to play before its sizes were known"
        return self._block

    def close(self) -> None:
        """See `Place`. The cluster goes on: other pools may use it."""


class ClusterWorker:
    """The pool's handle of one engine's actor."""

    def __init__(self, host: Any, row: int, place: ClusterPlace) -> None:
        self._host, self._row, self._place = host, row, place
        self.answer = host.started.remote()

    def ask_step(self) -> None:
        """See `Worker`."""
        self.answer = self._host.step.remote(self._place.rows.actions[self._row].copy())

    def ask_reset(self, seed: int) -> None:
        """See `Worker`."""
        self.answer = self._host.reset.remote(seed)

    def ask_recording(self, path: Path) -> None:
        """See `Worker`."""
        self.answer = self._host.record.remote(path)

    def ask_close(self) -> None:
        """See `Worker`."""
        self._host.close.remote()

    def receive(self) -> Reply:
        """See `Worker`."""
        ray = connected_ray()
        try:
            reply, arrays = ray.get(self.answer)
        except ray.exceptions.RayError as error:
            raise EOFError(str(error)) from None
        if arrays:
            for name, value in arrays.items():
                getattr(self._place.rows, name)[self._row] = value
        return reply  # type: ignore[no-any-return]  # Ray has no types

    def last_words(self) -> str:
        """See `Worker`."""
        return "the process or the machine that ran it is gone"

    def wait(self, seconds: float) -> None:
        """See `Worker`."""
        with contextlib.suppress(Exception):
            connected_ray().get(self._host.wait_until_ended.remote(), timeout=seconds)

    def end(self) -> None:
        """See `Worker`. The engine's guard notices that the actor is gone."""
        connected_ray().kill(self._host)


class Host:
    """The actor: it runs one engine as a process of its machine."""

    def __init__(self, make: MakeEngine, limits: Limits) -> None:
        self._place = LocalPlace(make, 1, limits)
        self._worker: LocalWorker = self._place.start(0)
        self._block: Block | None = None

    def started(self) -> Answer:
        """Wait for `Ready`."""
        reply = self._received()
        if isinstance(reply, Ready):
            self._block = self._place.block(reply.spec)
        return reply, {}

    def reset(self, seed: int) -> Answer:
        """Start an episode."""
        self._worker.ask_reset(seed)
        return self._answer()

    def step(self, actions: NDArray[np.int64]) -> Answer:
        """Play a step; actions (N,)."""
        assert self._block is not None
        self._block.actions[0] = actions
        self._worker.ask_step()
        return self._answer()

    def record(self, path: Path) -> Answer:
        """Write what was played, on this machine."""
        self._worker.ask_recording(path)
        return self._received(), {}

    def close(self) -> None:
        """Tell the engine to end by itself."""
        self._worker.ask_close()

    def wait_until_ended(self) -> None:
        """Wait until it has ended, then kill what is left of it."""
        self._worker.wait(ENDING_SECONDS)
        self._worker.end()

    def _answer(self) -> Answer:
        assert self._block is not None
        reply = self._received()
        return reply, {name: getattr(self._block, name)[0].copy() for name in ROW_ARRAYS} if reply == Done() else {}

    def _received(self) -> Reply:
        try:
            return self._worker.receive()
        except (EOFError, OSError):
            return Failed(f"it died, its last words: {self._worker.last_words()}", passing=True)


def cluster_cores() -> int:
    """Processor cores of all machines of the cluster.

    Raises:
        PtdeError: there is no cluster at RAY_ADDRESS.
    """
    return max(1, int(connected_ray().cluster_resources().get("CPU", 1)))


@functools.cache
def connected_ray(address: str | None = None) -> Any:
    """Ray, connected to the cluster at the address; by default to the one of `ClusterPlace`.

    Raises:
        PtdeError: there is none.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    if not ray.is_initialized():
        paths = os.pathsep.join(path or os.getcwd() for path in sys.path)  # noqa: PTH109  a text is wanted
        try:
            # The other machines import modules from the same folders as this one.
            ray.init(
                address=address,
                log_to_driver=False,
                logging_level=logging.ERROR,
                runtime_env={"env_vars": {"PYTHONPATH": paths}},
            )
        except (ConnectionError, RuntimeError, ValueError) as error:
            where = address or os.environ.get("RAY_ADDRESS", "this machine")
            raise PtdeError(
                f"no Ray cluster at {where} ({error})", "start one: `ray start --head`, see docs/explanation/engines.md"
            ) from None
    return ray
