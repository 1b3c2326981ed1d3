"""The paper's five academy scenarios, the options that a map's name may carry, and how the engine is told of them.

The engine finds a scenario by importing `gfootball.scenarios.<level>`. `install_level` puts a module of ours there,
built from the package's own file where it has one. It differs from that in one thing: only our agents' players can be
controlled. In the package's scenarios more players than agents can be (the keeper too), and then the engine hands an
agent from one player to the next while it plays, so that no agent is anybody in particular.
"""

import importlib
import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ptde_core.base.errors import PtdeError, unknown

EPISODE_LIMIT = 150  # env steps; published settings range from 150 to the engine's 400
LONGEST = 400  # env steps after which the package's scenarios end the game by themselves
GRAMMAR = "SCENARIO[:checkpoints][:limit=STEPS]"


@dataclass(frozen=True)
class Scenario:
    """One scenario.

    Args:
      players: of the left team, those that our agents are, in order; 0 is the keeper.
      meaning: what it is, for tables.
      build: how the engine sets it up; None where gfootball has a file of that name.
    """

    players: tuple[int, ...]
    meaning: str
    build: Callable[[Any], None] | None = None


def _three_against_two(builder: Any) -> None:
    """3_vs_1_with_keeper with a second defender; both stand beside the line from the ball to the goal."""
    from gfootball.scenarios import Team, e_PlayerRole_CB, e_PlayerRole_CM, e_PlayerRole_GK

    rules = builder.config()
    rules.game_duration = LONGEST
    rules.deterministic = False
    rules.offsides = False
    rules.end_episode_on_score = True
    rules.end_episode_on_out_of_play = True
    rules.end_episode_on_possession_change = True
    builder.SetBallPosition(0.62, 0.0)
    builder.SetTeam(Team.e_Left)
    builder.AddPlayer(-1.0, 0.0, e_PlayerRole_GK)
    builder.AddPlayer(0.6, 0.0, e_PlayerRole_CM)
    builder.AddPlayer(0.7, 0.2, e_PlayerRole_CM)
    builder.AddPlayer(0.7, -0.2, e_PlayerRole_CM)
    builder.SetTeam(Team.e_Right)  # in its own half's coordinates: the engine turns the pitch round for it
    builder.AddPlayer(-1.0, 0.0, e_PlayerRole_GK)
    builder.AddPlayer(-0.75, 0.1, e_PlayerRole_CB)
    builder.AddPlayer(-0.75, -0.1, e_PlayerRole_CB)


SCENARIOS: Mapping[str, Scenario] = {
    "academy_3_vs_1_with_keeper": Scenario((1, 2, 3), "three attackers, one defender, keeper"),
    "academy_3_vs_2_with_keeper": Scenario(
        (1, 2, 3), "three attackers, two defenders, keeper (ptde's own file)", _three_against_two
    ),
    "academy_counterattack_easy": Scenario((7, 8, 9, 10), "eleven a side, four forwards are ours, defence far off"),
    "academy_counterattack_hard": Scenario((7, 8, 9, 10), "eleven a side, four forwards are ours, defence nearer"),
    "academy_run_pass_and_shoot_with_keeper": Scenario((1, 2), "two attackers, one defender, keeper"),
}


@dataclass(frozen=True)
class FootballMap:
    """A map's name, taken apart.

    Args:
      scenario: key of `SCENARIOS`.
      checkpoints: whether the way to the goal is rewarded too.
      limit: env steps after which an episode is truncated.
    """

    scenario: str
    checkpoints: bool = False
    limit: int = EPISODE_LIMIT


def read_map(name: str) -> FootballMap:
    """Take a map's name apart.

    Raises:
      PtdeError: no such scenario or option.
    """
    scenario, *options = name.split(":")
    if scenario not in SCENARIOS:
        raise unknown("football scenario", scenario, SCENARIOS)
    checkpoints, limit = False, EPISODE_LIMIT
    for option in options:
        key, _, value = option.partition("=")
        if option == "checkpoints":
            checkpoints = True
        elif key == "limit" and value.isdecimal() and len(value) < 10 and 1 <= int(value) <= LONGEST:
            limit = int(value)
        else:
            raise PtdeError(f"{option!r} is no option of a football map", f"write {GRAMMAR}, STEPS from 1 to {LONGEST}")
    return FootballMap(scenario, checkpoints, limit)


def measured_on(name: str) -> str:
    """The map on which a policy of that map is measured: without the reward that only helps it to learn."""
    return ":".join(part for part in name.split(":") if part != "checkpoints")


def install_level(scenario: str) -> str:
    """Make the scenario known to the engine in this process; the level's name. Needs gfootball."""
    entry = SCENARIOS[scenario]
    build = entry.build or importlib.import_module(f"gfootball.scenarios.{scenario}").build_scenario
    level = f"ptde_{scenario}"
    module = types.ModuleType(f"gfootball.scenarios.{level}")
    module.__dict__["build_scenario"] = lambda builder: build(_OnlyOurs(builder, entry.players))
    sys.modules[module.__name__] = module
    return level


class _OnlyOurs:
    """A scenario builder in which only our agents' players can be controlled; all else is the engine's."""

    def __init__(self, builder: Any, players: tuple[int, ...]) -> None:
        self._builder, self._players = builder, players
        self._left, self._added = True, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._builder, name)

    def SetTeam(self, team: Any) -> None:  # noqa: N802  the engine's name for it
        """Whose players come next."""
        self._left = team.name == "e_Left"
        self._builder.SetTeam(team)

    def AddPlayer(self, x: float, y: float, role: Any, lazy: bool = False, controllable: bool = True) -> None:  # noqa: N802  likewise
        """Set up the next player of that team."""
        if self._left:
            controllable = self._added in self._players
            self._added += 1
        self._builder.AddPlayer(x, y, role, lazy, controllable)
