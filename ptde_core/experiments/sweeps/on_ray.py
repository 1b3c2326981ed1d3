"""Cells on a Ray cluster, which places them by cores, memory and GPUs, and starts those of a lost node elsewhere."""

from importlib.util import find_spec
from typing import Any

from ptde_core.base.errors import PtdeError
from ptde_core.envs.workers.ray_host import cluster_cores, connected_ray
from ptde_core.experiments.sweeps.cells import Cell
from ptde_core.experiments.sweeps.elsewhere import Host, raised
from ptde_core.experiments.sweeps.estimates import Estimates
from ptde_core.experiments.sweeps.sweep import Engine


def on_ray(address: str) -> Engine:
    """The cluster at that address; "auto": the one that runs on this machine. As many cells at once as it has cores.

    Raises:
        PtdeError: Ray is not installed, or there is no cluster.
    """
    if find_spec("ray") is None:
        raise PtdeError("--ray needs Ray, which is not installed", "type: pip install 'ptde[ray]'")
    connected_ray(address)
    count = cluster_cores()
    return Engine(count, _OnRay, f"up to {count} at once on the Ray cluster at {address}")


class _OnRay:
    """One cell that Ray works on, or will."""

    def __init__(self, cell: Cell, attempt: int, keep_state: bool) -> None:
        self._ray = connected_ray()
        self._told = False
        megabytes = Estimates([cell]).of(cell).megabytes
        place = {
            "num_cpus": 1,
            "num_gpus": 0 if cell.pipeline.training.device == "cpu" else 1,
            "max_retries": -1,  # of a worker or node that was lost; what a cell itself fails of is brought back
            **({} if megabytes is None else {"memory": int(megabytes * 1e6)}),
        }
        self._task: Any = self._ray.remote(**place)(_work).remote(Host(cell, attempt, keep_state))

    @property
    def has_ended(self) -> bool:
        """See `Running`."""
        ready, _ = self._ray.wait([self._task], timeout=0)
        return bool(ready)

    def stop(self) -> None:
        """See `Running`."""
        if not self._told:
            self._told = True
            self._ray.cancel(self._task, force=False)

    def kill(self) -> None:
        """See `Running`."""
        self._ray.cancel(self._task, force=True)

    def failure(self) -> Exception | None:
        """See `Running`."""
        try:
            return raised(self._ray.get(self._task))
        except self._ray.exceptions.RayError as error:
            return None if self._told else RuntimeError(str(error))


def _work(host: Host) -> tuple[bool, str] | None:
    return host()
