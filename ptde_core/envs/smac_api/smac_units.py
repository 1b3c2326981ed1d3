"""Units and orders by the names that they have in StarCraft II's messages, which SMAC's class hands out."""

import enum
import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from numpy.typing import NDArray

from ptde_core.envs.skirmish.fields import EAST, FIRST_TARGET, NO_OP, NORTH, SOUTH, STOP, WEST
from ptde_core.envs.skirmish.units import UnitFacts

TYPE_NUMBERS: Mapping[str, int] = {
    "baneling": 9,
    "colossus": 4,
    "hydralisk": 107,
    "marauder": 51,
    "marine": 48,
    "medivac": 54,
    "spine_crawler": 98,
    "stalker": 74,
    "zealot": 73,
    "zergling": 105,
}
"""StarCraft II's number of each unit type: `unit_type` of an enemy."""

FIRST_ALLIED_TYPE = 2000
"""`unit_type` of the first allied type in alphabetical order. In the game the allied copies have numbers near this,
which differ between its versions."""

ABILITIES: Mapping[str, int] = {"stop": 4, "move": 16, "attack": 23, "heal": 386}
"""StarCraft II's numbers of the abilities that SMAC orders."""

MOVE_AMOUNT = 2  # cells that a move order leads, SMAC's default


class Direction(enum.IntEnum):
    """Where a unit can be asked to move."""

    NORTH = 0
    SOUTH = 1
    EAST = 2
    WEST = 3


STRIDES: Mapping[int, tuple[int, int]] = {
    Direction.NORTH: (0, 1),
    Direction.SOUTH: (0, -1),
    Direction.EAST: (1, 0),
    Direction.WEST: (-1, 0),
}
"""One cell in each direction: (east, north)."""

_MOVES = {NORTH: Direction.NORTH, SOUTH: Direction.SOUTH, EAST: Direction.EAST, WEST: Direction.WEST}


class Point(NamedTuple):
    """A place on the map in cells: x east, y north."""

    x: float
    y: float


class Unit(NamedTuple):
    """One unit as it was at the last observation. Times in game loops, lengths in cells.

    A dead unit has health 0 and keeps what else was seen of it last, as in SMAC.
    """

    tag: int  # from 1 on, the same in all battles of a map
    unit_type: int
    owner: int  # 1 ally, 2 enemy
    alliance: int  # 1 ally, 4 enemy
    pos: Point
    facing: float  # radians from east towards north, 0 to 2 pi
    radius: float
    is_flying: bool
    health: float
    health_max: float
    shield: float
    shield_max: float
    energy: float
    energy_max: float
    weapon_cooldown: float  # until the next swing may start
    engaged_target_tag: int  # tag of the unit that it fights or heals; 0: none


class Command(NamedTuple):
    """One order to one unit, by the names of StarCraft II's raw actions."""

    ability_id: int
    unit_tags: tuple[int, ...]
    target_unit_tag: int | None = None
    target_world_space_pos: Point | None = None
    queue_command: bool = False


class Look:
    """All units of a battle after an env step.

    Args:
        raw: (U,) of skirmish's `RAW_UNIT`, allies in agent order, then enemies; of the dead, as they were seen last.
        kinds: facts and `unit_type` of every unit (U).
        n_agents: N.
    """

    def __init__(self, raw: NDArray[Any], kinds: Sequence[tuple[UnitFacts, int]], n_agents: int) -> None:
        self.raw = raw
        self._kinds = kinds
        self._n_agents = n_agents

    def then(self, raw: NDArray[Any]) -> "Look":
        """The next look, from the units as they are then."""
        dead = ~raw["alive"]
        seen = raw.copy()
        seen[dead] = self.raw[dead]
        seen["alive"][dead] = False
        seen["health"][dead] = 0.0
        return Look(seen, self._kinds, self._n_agents)

    @cached_property
    def agents(self) -> dict[int, Unit]:
        """Allies by agent number."""
        return {k: self._unit(k) for k in range(self._n_agents)}

    @cached_property
    def enemies(self) -> dict[int, Unit]:
        """Enemies by their number among the targets."""
        return {k: self._unit(self._n_agents + k) for k in range(len(self.raw) - self._n_agents)}

    def _unit(self, index: int) -> Unit:
        raw, (facts, number) = self.raw[index], self._kinds[index]
        enemy = int(raw["owner"])
        return Unit(
            tag=index + 1,
            unit_type=number,
            owner=1 + enemy,
            alliance=4 if enemy else 1,
            pos=Point(float(raw["x"]), float(raw["y"])),
            facing=math.atan2(raw["face_y"], raw["face_x"]) % (2 * math.pi),
            radius=facts.radius,
            is_flying="ground" not in facts.plane,
            health=float(raw["health"]),
            health_max=facts.health,
            shield=float(raw["shield"]),
            shield_max=facts.shield,
            energy=float(raw["energy"]),
            energy_max=facts.energy_max,
            weapon_cooldown=float(raw["cooldown"]),
            engaged_target_tag=int(raw["target"]) + 1,
        )

    def command(self, agent: int, action: int) -> Command | None:
        """The order that an action is for an agent; None for no order."""
        if action == NO_OP:
            return None
        unit = self.agents[agent]
        if action == STOP:
            return Command(ABILITIES["stop"], (unit.tag,))
        if action < FIRST_TARGET:
            east, north = STRIDES[_MOVES[action]]
            place = Point(unit.pos.x + MOVE_AMOUNT * east, unit.pos.y + MOVE_AMOUNT * north)
            return Command(ABILITIES["move"], (unit.tag,), target_world_space_pos=place)
        heals = self._kinds[agent][0].heal is not None
        target = (self.agents if heals else self.enemies)[action - FIRST_TARGET]
        return Command(ABILITIES["heal" if heals else "attack"], (unit.tag,), target_unit_tag=target.tag)
