"""Where a pool's engines run: on this machine (`local_host`), or on the machines of a Ray cluster (`ray_host`).

The choice belongs to the machine and not to a run's settings: the environment variable PTDE_WORKERS, which the option
--workers sets.
"""

import os
from collections.abc import Mapping
from importlib.util import find_spec

from ptde_core.base import provenance
from ptde_core.base.errors import PtdeError, unknown
from ptde_core.envs.workers.engine_contract import MakeEngine
from ptde_core.envs.workers.limits import Limits
from ptde_core.envs.workers.protocols import Place

VARIABLE = "PTDE_WORKERS"
PLACES = ("local", "ray")


def build_place(make: MakeEngine, n_envs: int, limits: Limits) -> Place:
    """The place that PTDE_WORKERS names.

    Raises:
        PtdeError: there is no such place, or Ray is not installed.
    """
    if chosen_place() == "ray":
        from ptde_core.envs.workers.ray_host import ClusterPlace

        return ClusterPlace(make, n_envs, limits)
    from ptde_core.envs.workers.local_host import LocalPlace

    return LocalPlace(make, n_envs, limits)


def chosen_place(environment: Mapping[str, str] = os.environ) -> str:
    """The one of `PLACES` that PTDE_WORKERS names.

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
    """Processor cores for engines: this machine's, or the cluster's."""
    if chosen_place() == "ray":
        from ptde_core.envs.workers.ray_host import cluster_cores

        return cluster_cores()
    return provenance.cores()
