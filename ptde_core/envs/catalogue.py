"""The one list of environments: name -> its maps and how a batch of it is built."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ptde_core.base.errors import unknown
from ptde_core.envs.games import build_game
from ptde_core.envs.interface import BatchedEnv


@dataclass(frozen=True)
class Environment:
    """One backend: what it is, and how E environments of one of its maps are built.

    `preparation` says what its first use on this machine has to do beforehand; "" where nothing keeps anyone waiting.
    """

    meaning: str
    build: Callable[[str, int], BatchedEnv]  # (map, n_envs)
    preparation: Callable[[], str] = str


def _skirmish(map_name: str, n_envs: int) -> BatchedEnv:
    from ptde_core.envs.skirmish.environment import Skirmish  # numba loads here, only when it is needed

    return Skirmish(map_name, n_envs)


def _compilation() -> str:
    from ptde_core.envs.skirmish.environment import compiled

    return "" if compiled() else "compiling the simulator for this machine; this happens once and takes up to a minute"


ENVIRONMENTS: Mapping[str, Environment] = {
    "skirmish": Environment(
        "SMAC's maps and contract on ptde's own simulator (not StarCraft II)", _skirmish, _compilation
    ),
    "game": Environment("small games with a known optimum", build_game),
}


def build_environment(backend: str, map_name: str, n_envs: int) -> BatchedEnv:
    """A batch of environments.

    Raises:
        PtdeError: no such backend, or the backend knows no such map.
    """
    if backend not in ENVIRONMENTS:
        raise unknown("environment", backend, ENVIRONMENTS)
    return ENVIRONMENTS[backend].build(map_name, n_envs)
