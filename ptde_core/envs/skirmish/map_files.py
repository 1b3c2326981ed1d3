"""Map files (`data/maps/*.toml`, or a user's own) read into `MapFacts`; sizes and rewards are derived, never stored."""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptde_core.base.errors import PtdeError, nearest, quoted, unknown
from ptde_core.base.made_from import digest_of
from ptde_core.base.untrusted import read_toml
from ptde_core.envs.skirmish.corners import wall_corners
from ptde_core.envs.skirmish.switches import Switches
from ptde_core.envs.skirmish.units import UnitFacts, unit_facts, unit_names

_DATA = Path(__file__).parent / "data"
_MAPS = _DATA / "maps"
MOST_CORNERS = 400  # of walls: ways around them are planned in seconds; SMAC's maps have 28 at most
LONGEST = 100_000  # env steps of an episode; SMAC's longest is 400
WALL, FLOOR, CLIFF, EDGE = "#", ".", "^", ":"

ORDER_KEYS: Mapping[str, tuple[str, ...]] = {
    "attack_move": ("x", "y"),
    "attack_move_random_on_segment": ("x0", "y0", "x1", "y1"),
    "attack_units": (),
    "none": (),
}
"""What the enemy may be ordered, and the coordinates that each order needs."""


@dataclass(frozen=True)
class Group:
    """Units of one type created together: the first on (x, y), the others on the nearest free spots."""

    type: str
    count: int
    x: float
    y: float


@dataclass(frozen=True)
class EnemyOrder:
    """The one order of the map script to all enemies. `points` are (x, y) pairs: 1 for a point, 2 for a segment."""

    kind: str
    points: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Terrain:
    """The ground as cells [x, y].

    `floor`: pathable for everybody in SMAC's grid, which decides the move actions (smac-contract#availability).
    `cliff`: for cliff walkers (colossus) only. `edge`: floor along the map's edge that nothing which walks gets to.
    """

    floor: NDArray[np.bool_]  # (width, height)
    cliff: NDArray[np.bool_]  # (width, height)
    edge: NDArray[np.bool_]  # (width, height)

    @property
    def walkable(self) -> NDArray[np.bool_]:
        """Where anyone can walk (width, height)."""
        return self.floor & ~self.edge

    @property
    def width(self) -> int:
        """Cells from west to east."""
        return int(self.floor.shape[0])

    @property
    def height(self) -> int:
        """Cells from south to north."""
        return int(self.floor.shape[1])


@dataclass(frozen=True)
class MapFacts:
    """One map. Everything else about it (sizes, rewards, agent order) follows from this and the unit facts."""

    name: str
    terrain: Terrain
    limit: int  # env steps
    allies: tuple[Group, ...]  # in creation order
    enemies: tuple[Group, ...]  # in creation order, after the allies
    enemy_order: EnemyOrder
    ally_type_bits: tuple[str, ...]  # type of each one-hot position; empty where SMAC shows none
    enemy_type_bits: tuple[str, ...]
    switches: Switches

    def digest(self) -> str:
        """Short hash of all that is played, whatever the map is called: 16 hexadecimal digits."""
        facts = asdict(self)
        del facts["name"]
        return digest_of(facts | {"terrain": {key: cells.tolist() for key, cells in facts["terrain"].items()}})

    @property
    def n_agents(self) -> int:
        """Allied units: one agent each."""
        return sum(group.count for group in self.allies)

    @property
    def n_enemies(self) -> int:
        """Enemy units."""
        return sum(group.count for group in self.enemies)

    def facts(self, side: int) -> tuple[UnitFacts, ...]:
        """Unit facts of every unit of a side (0 allies, 1 enemies) in creation order."""
        groups = self.enemies if side else self.allies
        return tuple(unit_facts(group.type, side) for group in groups for _ in range(group.count))

    def has_shields(self, side: int) -> bool:
        """Whether SMAC shows a shield feature for that side: its race is Protoss (smac-contract#views)."""
        return any(unit.race == "protoss" for unit in self.facts(side))


def map_names() -> tuple[str, ...]:
    """The built-in maps, small to large as people name them (natural order)."""
    return tuple(sorted((path.stem for path in _MAPS.glob("*.toml")), key=_natural))


def _natural(name: str) -> tuple[int, str]:
    digits = "".join(c for c in name[: len(name) - len(name.lstrip("0123456789"))])
    return (int(digits) if digits else 10**6, name)


def load_map(name_or_path: str | Path) -> MapFacts:
    """A built-in map by its name, or a user's map file (a path ending in `.toml`).

    A user's map is called by its file's name and the begin of its digest (`hill@1a2b3c4d`): another content, another
    map, and never one of SMAC's.

    Raises:
        PtdeError: unknown name (the nearest is offered), missing file, or a file that does not describe a map.
    """
    if isinstance(name_or_path, Path) or name_or_path.endswith(".toml"):
        facts = read_map(Path(name_or_path))
        return replace(facts, name=f"{facts.name}@{facts.digest()[:8]}")
    if name_or_path not in map_names():
        raise unknown("map", name_or_path, map_names(), "see `ptde maps`")
    return read_map(_MAPS / f"{name_or_path}.toml")


def read_map(path: Path) -> MapFacts:
    """`MapFacts` of a map file, validated.

    Raises:
        PtdeError: what is wrong with the file, with the offending key and value.
    """
    table = read_toml(path, "map file", "check the path", "see docs/how-to/own-maps.md for an example")
    return build_map(path.stem, table)


_REQUIRED = ("terrain", "limit", "allies", "enemies", "enemy_order")
_OPTIONAL = ("ally_type_bits", "enemy_type_bits", "switches")


def build_map(name: str, table: Mapping[str, Any]) -> MapFacts:
    """`MapFacts` from the keys of a map file.

    Raises:
        PtdeError: as `read_map`.
    """
    where = f"map {name!r}"
    for key in table:
        if key not in _REQUIRED + _OPTIONAL:
            raise PtdeError(f"{where} has an unknown key {quoted(repr(key))}", nearest(key, _REQUIRED + _OPTIONAL))
    for key in _REQUIRED:
        if key not in table:
            raise PtdeError(f"{where} lacks the key {quoted(repr(key))}", "see docs/how-to/own-maps.md for an example")
    limit = table["limit"]
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= LONGEST:
        told = f"give the episode limit as env steps, 1 to {LONGEST:,}"
        raise PtdeError(f"{where}: limit = {quoted(repr(limit))}", told)
    terrain = _terrain(where, table["terrain"])
    allies, enemies = (_groups(where, side, table[side], terrain) for side in ("allies", "enemies"))
    bits = _default_type_bits(allies, enemies)
    shown = {
        side: _type_bits(where, f"{side}_type_bits", table.get(f"{side}_type_bits", list(bits)), groups, bits)
        for side, groups in (("ally", allies), ("enemy", enemies))
    }
    if len(shown["ally"]) != len(shown["enemy"]):
        raise PtdeError(f"{where}: the two lists of type bits differ in length", "give both the same length")
    switches = table.get("switches", {})
    if not isinstance(switches, dict):
        raise PtdeError(f"{where}: switches = {quoted(repr(switches))}", "write them as a [switches] table")
    return MapFacts(
        name=name,
        terrain=terrain,
        limit=limit,
        allies=allies,
        enemies=enemies,
        enemy_order=_order(where, table["enemy_order"], terrain),
        ally_type_bits=shown["ally"],
        enemy_type_bits=shown["enemy"],
        switches=Switches.of(switches, where),
    )


def _default_type_bits(allies: tuple[Group, ...], enemies: tuple[Group, ...]) -> tuple[str, ...]:
    """SMAC shows types only where a side mixes them; then in the order of the allied sort.

    Source: smac-contract#unit-order.
    """
    kinds = [{group.type for group in groups} for groups in (allies, enemies)]
    return tuple(sorted(kinds[0] | kinds[1])) if max(map(len, kinds)) > 1 else ()


def _type_bits(
    where: str, key: str, value: Any, groups: tuple[Group, ...], default: tuple[str, ...]
) -> tuple[str, ...]:
    """The types of a side's one-hot positions, as the file orders them: each type of the side has to be there."""
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise PtdeError(f"{where}: {key} = {quoted(repr(value))}", "give a list of unit types")
    complete = {group.type for group in groups} <= set(value) or not (value or default)
    if len(set(value)) != len(value) or not set(value) <= set(unit_names()) or not complete:
        raise PtdeError(f"{where}: {key} = {quoted(value)}", "name every type of the side once")
    return tuple(value)


@cache
def _built_in_terrains() -> dict[str, tuple[str, ...]]:
    tables = tomllib.loads((_DATA / "terrain.toml").read_text(encoding="utf-8"))
    return {name: tuple(table["rows"]) for name, table in tables.items()}


def terrain_names() -> tuple[str, ...]:
    """The grounds that a map may name instead of drawing its own."""
    return tuple(_built_in_terrains())


def _terrain(where: str, value: Any) -> Terrain:
    """The named ground, or one drawn as rows of `#`, `.` and `^`, north first."""
    if isinstance(value, str):
        if value not in _built_in_terrains():
            raise PtdeError(f"{where}: no terrain named {quoted(repr(value))}", nearest(value, terrain_names()))
        rows: list[str] = list(_built_in_terrains()[value])
    elif isinstance(value, list) and value and all(isinstance(row, str) and row for row in value):
        rows = value
    else:
        raise PtdeError(
            f"{where}: terrain = {quoted(repr(value))}", "give a terrain's name or a list of rows, north first"
        )
    for index, row in enumerate(rows):
        if len(row) != len(rows[0]) or set(row) - {WALL, FLOOR, CLIFF, EDGE}:
            raise PtdeError(
                f"{where}: terrain row {index} is {quoted(repr(row))}",
                "use rows of equal length of '.', ':', '#' and '^'",
            )
    cells = np.array([list(row) for row in reversed(rows)]).T  # (width, height)
    if not 4 <= min(cells.shape) <= max(cells.shape) <= 64:
        raise PtdeError(f"{where}: the terrain is {cells.shape[0]} x {cells.shape[1]} cells", "use 4 to 64 each way")
    edge = cells == EDGE
    terrain = Terrain(floor=(cells == FLOOR) | edge, cliff=cells == CLIFF, edge=edge)
    if (corners := len(wall_corners(terrain.walkable))) > MOST_CORNERS:
        problem = f"{where}: {corners:,} floor cells lie at corners of walls, and ways are planned around each"
        raise PtdeError(problem, f"draw fewer walls or larger ones: at most {MOST_CORNERS:,} such cells")
    return terrain


def _number(where: str, key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise PtdeError(f"{where}: {key} = {quoted(repr(value))}", "give a number")
    return float(value)


def _groups(where: str, side: str, value: Any, terrain: Terrain) -> tuple[Group, ...]:
    if not isinstance(value, list) or not value:
        raise PtdeError(f"{where}: {side} = {quoted(repr(value))}", "give at least one { type, count, x, y }")
    groups = []
    for entry in value:
        if not isinstance(entry, dict) or set(entry) != {"type", "count", "x", "y"}:
            raise PtdeError(f"{where}: a group of {side} is {quoted(repr(entry))}", "give exactly type, count, x and y")
        if entry["type"] not in unit_names():
            raise unknown(f"unit type (of {side} in {where})", str(entry["type"]), unit_names())
        count = entry["count"]
        if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= 64:
            raise PtdeError(f"{where}: count = {quoted(repr(count))} in {side}", "give a whole number from 1 to 64")
        x, y = _number(where, "x", entry["x"]), _number(where, "y", entry["y"])
        if not _on_floor(terrain, x, y):
            raise PtdeError(f"{where}: the {side}' point ({x:g}, {y:g}) is not on walkable ground", "move it")
        groups.append(Group(str(entry["type"]), count, x, y))
    if sum(group.count for group in groups) > 64:
        raise PtdeError(f"{where}: more than 64 {side}", "use fewer units")
    return tuple(groups)


def _on_floor(terrain: Terrain, x: float, y: float) -> bool:
    inside = 0 <= x < terrain.width and 0 <= y < terrain.height
    return inside and bool(terrain.walkable[int(x), int(y)])


def _order(where: str, value: Any, terrain: Terrain) -> EnemyOrder:
    kind = str(value.get("kind")) if isinstance(value, dict) else ""
    if kind not in ORDER_KEYS:
        raise PtdeError(f"{where}: enemy_order = {quoted(repr(value))}", f"give a kind: {', '.join(ORDER_KEYS)}")
    keys = ORDER_KEYS[kind]
    if set(value) != {"kind", *keys}:
        raise PtdeError(
            f"{where}: enemy_order = {quoted(repr(value))}", f"{kind} takes {', '.join(keys) or 'no coordinates'}"
        )
    numbers = [_number(where, f"enemy_order.{key}", value[key]) for key in keys]
    points = tuple(zip(numbers[::2], numbers[1::2], strict=True))
    for x, y in points:
        if not _on_floor(terrain, x, y):
            raise PtdeError(f"{where}: the order's point ({x:g}, {y:g}) is not on walkable ground", "move it")
    return EnemyOrder(kind, points)
