"""What SMAC's class tells of a map: its attributes, the sizes of what it shows, its ranges and its ground."""

import math
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ptde_core.base.errors import PtdeError
from ptde_core.envs.skirmish.fields import ATTACK_DISTANCE, FIRST_TARGET, SIGHT
from ptde_core.envs.skirmish.skirmish import UNIT_TYPES, Skirmish
from ptde_core.envs.skirmish.units import UnitFacts, unit_facts
from ptde_core.envs.smac_api.multi_agent_env import MultiAgentEnv
from ptde_core.envs.smac_api.smac_units import FIRST_ALLIED_TYPE, MOVE_AMOUNT, STRIDES, TYPE_NUMBERS, Unit

_MAP_TYPES = {
    ("marine",): "marines",
    ("stalker",): "stalkers",
    ("zealot",): "zealots",
    ("colossus",): "colossus",
    ("hydralisk",): "hydralisks",
    ("stalker", "zealot"): "stalkers_and_zealots",
    ("colossus", "stalker", "zealot"): "colossi_stalkers_zealots",
    ("marauder", "marine", "medivac"): "MMM",
    ("baneling", "zergling"): "bane",
}
"""SMAC's `map_type` by the allied unit types."""

_PLAIN_COOLDOWN = 15  # SMAC's divisor for units that it has none of their own for


class SmacMap(MultiAgentEnv):
    """The part of SMAC's class that no battle changes.

    Attributes have SMAC's names. `marine_id`, `zealot_id` and so on are the `unit_type` of allied units, 0 for types
    that are not on the allied side.
    """

    n_actions_no_attack = FIRST_TARGET
    n_actions_move = 4
    n_obs_pathing = 8
    n_obs_height = 9
    marine_id = marauder_id = medivac_id = 0
    hydralisk_id = zergling_id = baneling_id = 0
    stalker_id = colossus_id = zealot_id = 0
    terrain_height = None  # skirmish's ground is flat

    def __init__(self, env: Skirmish) -> None:
        facts, spec = env.facts, env.spec
        self.map_name = spec.map
        self.n_agents, self.n_enemies = spec.n_agents, facts.n_enemies
        self.n_actions = spec.n_actions
        self.episode_limit = spec.episode_limit
        self._spec = spec
        self._type_bits = facts.ally_type_bits, facts.enemy_type_bits
        self.unit_type_bits = len(facts.ally_type_bits)
        self.shield_bits_ally, self.shield_bits_enemy = (int(facts.has_shields(side)) for side in (0, 1))

        self._agent_race, self._bot_race = (_race(facts.facts(side)) for side in (0, 1))

        raw = env.raw_units()[0]
        bodies = [unit_facts(UNIT_TYPES[unit["type"]], int(unit["owner"])) for unit in raw]
        allied = tuple(sorted({body.name for body in bodies[: self.n_agents]}))
        self.map_type = _MAP_TYPES.get(allied, "_and_".join(allied))
        self._min_unit_type = FIRST_ALLIED_TYPE
        self._allied_types = {name: FIRST_ALLIED_TYPE + k for k, name in enumerate(allied)}
        for name, number in self._allied_types.items():
            setattr(self, f"{name}_id", number)
        numbers = [
            TYPE_NUMBERS[body.name] if unit["owner"] else self._allied_types[body.name]
            for body, unit in zip(bodies, raw, strict=True)
        ]
        self._kinds = list(zip(bodies, numbers, strict=True))  # U of facts and unit_type
        self._heals = np.array([body.heal is not None for body in bodies])  # (U,)
        self._facts_of: dict[int, UnitFacts] = {number: body for body, number in self._kinds}

        self.map_x, self.map_y = facts.terrain.width, facts.terrain.height
        self.max_distance_x, self.max_distance_y = self.map_x, self.map_y
        self.pathing_grid: NDArray[np.bool_] = facts.terrain.floor.copy()  # (map_x, map_y) True: a move may point there

        bits = [f"type_{k}" for k in range(self.unit_type_bits)]
        shields = [["shield"] * has for has in (self.shield_bits_ally, self.shield_bits_enemy)]
        self.ally_state_attr_names = ["health", "energy/cooldown", "rel_x", "rel_y", *shields[0], *bits]
        self.enemy_state_attr_names = ["health", "rel_x", "rel_y", *shields[1], *bits]

    def get_obs_size(self) -> int:
        """Length of an observation."""
        return self._spec.obs_size

    def get_state_size(self) -> int:
        """Length of the state."""
        return self._spec.state_size

    def get_total_actions(self) -> int:
        """Actions of an agent: 6 + enemies."""
        return self.n_actions

    def get_obs_feature_names(self) -> list[str]:
        """One name per number of an observation, in order."""
        return list(self._spec.obs_names)

    def get_state_feature_names(self) -> list[str]:
        """One name per number of the state, in order."""
        return list(self._spec.state_names)

    def get_obs_move_feats_size(self) -> int:
        """Length of an observation's first block: the four directions."""
        return self.n_actions_move

    def get_obs_enemy_feats_size(self) -> tuple[int, int]:
        """Its second block: enemies, and numbers about each."""
        return self.n_enemies, 5 + self.shield_bits_enemy + self.unit_type_bits

    def get_obs_ally_feats_size(self) -> tuple[int, int]:
        """Its third block: other allies, and numbers about each."""
        return self.n_agents - 1, 5 + self.shield_bits_ally + self.unit_type_bits

    def get_obs_own_feats_size(self) -> int:
        """Its last block: numbers about oneself."""
        return 1 + self.shield_bits_ally + self.unit_type_bits

    def get_ally_num_attributes(self) -> int:
        """How many numbers the state has about an ally, last actions aside."""
        return len(self.ally_state_attr_names)

    def get_enemy_num_attributes(self) -> int:
        """How many numbers the state has about an enemy."""
        return len(self.enemy_state_attr_names)

    def get_env_info(self) -> dict[str, Any]:
        """Sizes, and what the state says of one ally and of one enemy (`agent_features`, `enemy_features`)."""
        return super().get_env_info() | {
            "agent_features": self.ally_state_attr_names,
            "enemy_features": self.enemy_state_attr_names,
        }

    @staticmethod
    def distance(x1: float, y1: float, x2: float, y2: float) -> float:
        """Cells between two points."""
        return math.hypot(x2 - x1, y2 - y1)

    def unit_shoot_range(self, agent_id: int) -> float:  # noqa: ARG002  SMAC's signature; all agents have the same
        """Cells from centre to centre up to which attacks and heals are offered: 6 for all agents."""
        return ATTACK_DISTANCE

    def unit_sight_range(self, agent_id: int) -> float:  # noqa: ARG002  as above
        """Cells below which an agent sees a unit: 9 for all agents."""
        return SIGHT

    def unit_max_cooldown(self, unit: Unit) -> float:
        """What the state divides an allied unit's cooldown by, in game loops; of a medivac, its energy. Enemies: 15."""
        if unit.unit_type not in self._allied_types.values():
            return _PLAIN_COOLDOWN
        facts = self._facts_of[unit.unit_type]
        return facts.energy_max if facts.heal else facts.cooldown_norm

    def unit_max_shield(self, unit: Unit) -> float | None:
        """Largest shield of a unit's type; None for types without a shield."""
        return self._facts_of[unit.unit_type].shield or None

    def get_unit_type_id(self, unit: Unit, ally: bool) -> int:
        """Position of a unit's type among the type bits of its side, from 0.

        Raises:
            PtdeError: an enemy on a map that shows no types.
        """
        bits = self._type_bits[0 if ally else 1]
        if bits:
            return bits.index(self._facts_of[unit.unit_type].name)
        if not ally:
            raise PtdeError(f"map {self.map_name!r} shows no types of enemies", "its unit_type_bits is 0")
        return unit.unit_type - self._min_unit_type

    def can_move(self, unit: Unit, direction: int) -> bool:
        """Whether the cell one ahead is on the map and walkable; direction: a `Direction`, or 0 to 3."""
        east, north = STRIDES[direction]
        half = MOVE_AMOUNT / 2
        x, y = int(unit.pos.x + half * east), int(unit.pos.y + half * north)
        return self.check_bounds(x, y) and bool(self.pathing_grid[x, y])

    def check_bounds(self, x: float, y: float) -> bool:
        """Whether a point is on the map."""
        return bool(0 <= x < self.map_x and 0 <= y < self.map_y)

    def get_surrounding_points(self, unit: Unit, include_self: bool = False) -> list[tuple[int, int]]:
        """Cells around a unit: 4 away to the north, south, east and west, then 2 and 2 away on the diagonals (8).

        Args:
            unit: its position is cut to whole cells.
            include_self: append its own cell (9).
        """
        x, y, d = int(unit.pos.x), int(unit.pos.y), MOVE_AMOUNT
        straight = [(x, y + 2 * d), (x, y - 2 * d), (x + 2 * d, y), (x - 2 * d, y)]
        oblique = [(x + d, y + d), (x - d, y - d), (x + d, y - d), (x - d, y + d)]
        return [*straight, *oblique, *([(x, y)] if include_self else [])]

    def get_surrounding_pathing(self, unit: Unit) -> list[int]:
        """1 where a cell of `get_surrounding_points` is walkable or off the map, else 0 (8)."""
        points = self.get_surrounding_points(unit)
        return [int(self.pathing_grid[point]) if self.check_bounds(*point) else 1 for point in points]

    def get_surrounding_height(self, unit: Unit) -> NoReturn:
        """Skirmish's ground has no heights.

        Raises:
            PtdeError: always.
        """
        raise PtdeError(f"skirmish's ground has no heights (asked for unit {unit.tag})", "its cliffs are walls")

    def render(self, mode: str = "human") -> NoReturn:
        """Skirmish has no window.

        Raises:
            PtdeError: always; it says what draws battles instead.
        """
        raise PtdeError(f"skirmish has no window to render in (mode {mode!r})", "`ptde visualize` draws battles as GIF")

    def save_replay(self) -> NoReturn:
        """A .SC2Replay can only be written by StarCraft II.

        Raises:
            PtdeError: always; it says what draws battles instead.
        """
        raise PtdeError("skirmish cannot write StarCraft II replays", "`ptde visualize` draws battles as GIF")


def _race(units: Sequence[UnitFacts]) -> str:
    """SMAC's letter of a side's race; of a mixed side, P where it has shields, else that of its first unit."""
    return "P" if any(unit.race == "protoss" for unit in units) else units[0].race[0].upper()
