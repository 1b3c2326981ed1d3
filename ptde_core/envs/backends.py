"""The one list of environments: name -> its maps and how a batch of it is built."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from ptde_core.base.errors import unknown
from ptde_core.base.made_from import World
from ptde_core.envs.engines.football.football_engine import build_football
from ptde_core.envs.engines.football.scenarios import measured_on
from ptde_core.envs.engines.pettingzoo.pettingzoo_engine import build_pettingzoo
from ptde_core.envs.engines.starcraft.starcraft_engine import build_starcraft
from ptde_core.envs.interface import BatchedEnv, FreeRows
from ptde_core.envs.small_games import build_game, game_spec
from ptde_core.envs.two_views import FreeStateBesideView, Sights, StateBesideView
from ptde_core.envs.workers.host import cores


@dataclass(frozen=True)
class Environment:
    """One backend: what it is, and how E environments of one of its maps are built.

    `preparation` says what its first use on this machine has to do beforehand; "" where nothing keeps anyone waiting.
    `two_views` builds it with a wide view beside each agent's own; `sight` is how far the own one reaches, in cells,
    None where there are no distances.
    `engines`: each environment is a process of its own, with a game in it, that takes memory and seconds to start.
    `measured_on`: the map on which policies trained on a map are measured; another where a map's reward only helps to
    learn.
    `replay`: the ending of the files in which a game keeps what was played (its engines have the methods of
    `workers.engine_contract.Records`); "" where it keeps nothing.
    `now`: the current world of one of its maps, found without starting anything; None where only a running engine
    knows.
    `names_code`: a map of it is the name of Python code, which a file does not get to choose (`envs/trust.py`).
    `changing`: how much of a view differs from the one before, at most; the rest takes no memory in a replay.
    `example`: a map of it.
    """

    meaning: str
    example: str
    build: Callable[[str, int], BatchedEnv]  # (map, n_envs)
    two_views: Callable[[str, int, Sights], BatchedEnv]  # (map, n_envs, sights)
    preparation: Callable[[], str] = str
    sight: float | None = None
    engines: bool = False
    measured_on: Callable[[str], str] = str
    replay: str = ""
    now: Callable[[str], World] | None = None
    names_code: bool = False
    changing: float = 1.0


def _skirmish(map_name: str, n_envs: int) -> BatchedEnv:
    from ptde_core.envs.skirmish.skirmish import Skirmish  # numba loads here, only when it is needed

    return Skirmish(map_name, n_envs)


def _skirmish_in_two_views(map_name: str, n_envs: int, sights: Sights) -> BatchedEnv:
    from ptde_core.envs.skirmish.two_view_battles import TwoViewSkirmish

    return TwoViewSkirmish(map_name, n_envs, sights)


def _skirmish_now(map_name: str) -> World:
    from ptde_core.envs.skirmish.map_files import load_map
    from ptde_core.envs.skirmish.spec import VERSION

    facts = load_map(map_name)
    return World(environment="skirmish", version=VERSION, map=facts.name, map_digest=facts.digest())


def _compilation() -> str:
    from ptde_core.envs.skirmish.skirmish import compiled

    return "" if compiled() else "compiling the simulator for this machine; this happens once and takes up to a minute"


def _engines(
    meaning: str,
    example: str,
    build: Callable[[str, int], FreeRows],
    measured_on: Callable[[str], str] = str,
    replay: str = "",
    names_code: bool = False,
    changing: float = 1.0,
) -> Environment:
    """A backend whose games run in processes of their own; its wide view is the state."""
    return Environment(
        meaning,
        example,
        build,
        lambda name, n_envs, sights: FreeStateBesideView(build(name, n_envs), sights),
        engines=True,
        measured_on=measured_on,
        replay=replay,
        names_code=names_code,
        changing=changing,
    )


OF_SMAC = 0.4  # .06 to .37 on eight maps, teams that explore fully and teams that do not

ENVIRONMENTS: Mapping[str, Environment] = {
    "skirmish": Environment(
        "SMAC's maps and contract on ptde's own simulator (not StarCraft II)",
        "3m",
        _skirmish,
        _skirmish_in_two_views,
        _compilation,
        sight=9.0,
        now=_skirmish_now,
        changing=OF_SMAC,
    ),
    "game": Environment(
        "small games with a known optimum",
        "personal-signal",
        build_game,
        lambda name, n_envs, sights: StateBesideView(build_game(name, n_envs), sights),
        now=lambda name: game_spec(name).world,
    ),
    "football": _engines(
        "Google Research Football's academy, the real engine (docs/how-to/football.md)",
        "academy_3_vs_1_with_keeper",
        build_football,
        measured_on,
    ),
    "smac": _engines(
        "StarCraft II with SMAC's maps (docs/how-to/starcraft.md)",
        "3m",
        partial(build_starcraft, "smac"),
        replay=".SC2Replay",
        changing=OF_SMAC,
    ),
    "smacv2": _engines(
        "StarCraft II with SMACv2's teams, its map being RACE_N_vs_M (docs/how-to/starcraft.md)",
        "protoss_5_vs_5",
        partial(build_starcraft, "smacv2"),
        replay=".SC2Replay",
        changing=OF_SMAC,
    ),
    "pettingzoo": _engines(
        "any PettingZoo ParallelEnv, its map being module:maker (docs/explanation/engines.md)",
        "ptde_core.envs.pettingzoo_api:parallel_env",
        build_pettingzoo,
        names_code=True,
    ),
}


def _named(backend: str) -> Environment:
    if backend not in ENVIRONMENTS:
        raise unknown("environment", backend, ENVIRONMENTS)
    return ENVIRONMENTS[backend]


def build_environment(backend: str, map_name: str, n_envs: int, sights: Sights | None = None) -> BatchedEnv:
    """A batch of environments; with `sights`, one that shows each agent a wide view beside its own.

    Raises:
        PtdeError: no such backend, the backend knows no such map, or cannot show views of such sights.
    """
    environment = _named(backend)
    return environment.build(map_name, n_envs) if sights is None else environment.two_views(map_name, n_envs, sights)


def world_now(backend: str, map_name: str) -> World | None:
    """The current world of a map, found without starting anything; None where only a running engine knows.

    Raises:
        PtdeError: no such backend, the backend knows no such map, or the map's file is broken.
    """
    now = _named(backend).now
    return None if now is None else now(map_name)


def world_of_code(backend: str, map_name: str) -> World | None:
    """The current world of a map that is the name of Python code; None of other backends.

    One environment is made for it, in a process of its own, so only of code that the caller has named.

    Raises:
        PtdeError: no such backend, or the code makes no environment.
    """
    if not _named(backend).names_code:
        return None
    env = build_environment(backend, map_name, 1)
    try:
        return env.spec.world
    finally:
        env.close()


def sight_in_words(backend: str, sight: float | str) -> str:
    """A sight as tables show it: cells, or "all"; what is the environment's own is given in cells where it has them."""
    cells = ENVIRONMENTS[backend].sight if sight == "own" else sight
    return f"{cells:g}" if isinstance(cells, float | int) else str(sight)


def side_by_side(backend: str, wanted: int) -> int:
    """How many environments are worth playing side by side, of `wanted`: of engines no more than they have cores.

    Raises:
        PtdeError: no such backend.
    """
    return min(wanted, cores()) if _named(backend).engines else wanted
