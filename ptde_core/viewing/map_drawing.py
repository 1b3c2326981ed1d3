"""A map as text (terrain, units at their start, the enemy's order) and as a picture (PNG)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ptde_core.base.errors import PtdeError
from ptde_core.base.events import FileSaved, Listener, silent
from ptde_core.envs.skirmish.layout import Roster, build_roster
from ptde_core.envs.skirmish.map_files import CLIFF, EDGE, FLOOR, WALL, EnemyOrder, MapFacts, Terrain
from ptde_core.envs.skirmish.spec import VERSION, build_spec
from ptde_core.envs.skirmish.switches import Switches
from ptde_core.results.table import Table
from ptde_core.storage.whole_file import replacing
from ptde_core.viewing.replays.battle_drawing import FILL, FINER, GRID, GROUND, LETTER, RIM, TEXT
from ptde_core.viewing.replays.battle_drawing import WALL as WALL_COLOR

CellKind = Literal["wall", "floor", "cliff", "edge", "ally", "enemy", "mark"]

GOAL, SPAWN = "X", "*"
MORE = "+"  # after a unit's letter: the cell holds more than two units
GLYPHS: Mapping[CellKind, str] = {"wall": WALL * 2, "floor": FLOOR + " ", "cliff": CLIFF * 2, "edge": EDGE + " "}
SIDES = ("allies", "enemies")

CELL_PIXELS = 24
EDGE_PIXELS = 26  # around the field, for coordinates
TITLE_PIXELS = 56  # for two lines of text
LEGEND_PIXELS = 26
GOAL_COLOR = "#6A1B9A"
GROUND_COLORS: Mapping[CellKind, str] = {"floor": GROUND, "wall": WALL_COLOR, "cliff": "#CFC09A", "edge": "#C9C5BB"}
AXIS_EVERY = 4  # cells between coordinates
CROWD = 4.0  # cells around a spawn point in which its units stand
GOAL_ROOM = 2.2  # cells that an arrow stays away from a goal at which units stand


@dataclass(frozen=True)
class Cell:
    """One cell of the sheet: two characters, the first of which can stand alone, and what they show."""

    text: str
    kind: CellKind


@dataclass(frozen=True)
class MapSheet:
    """A map as text.

    Args:
        title: name and size.
        rows: cells from west to east, rows from north to south.
        units: the units, where they start, and their letters.
    """

    title: str
    rows: tuple[tuple[Cell, ...], ...]
    units: Table

    @property
    def legend(self) -> str:
        """The meaning of the signs that occur in it."""
        cells = {cell for row in self.rows for cell in row}
        kinds = {cell.kind for cell in cells}
        texts = {cell.text.strip() for cell in cells}
        parts = [
            f"{GLYPHS['wall']} wall" if "wall" in kinds else "",
            f"{GLYPHS['floor'].strip()} ground",
            f"{GLYPHS['cliff']} cliff (only a colossus crosses)" if "cliff" in kinds else "",
            f"{GLYPHS['edge'].strip()} the map's edge (nothing that walks gets there)" if "edge" in kinds else "",
            "large letters allies, small letters enemies",
            f"a letter and {MORE} more than two units" if any(text[1:] == MORE for text in texts) else "",
            f"{SPAWN} spawn point" if SPAWN in texts else "",
            f"{GOAL} where the enemy is sent" if GOAL in texts else "",
        ]
        return ", ".join(filter(None, parts)) + "."


def map_sheet(facts: MapFacts) -> MapSheet:
    """The sheet of a map.

    Raises:
        PtdeError: there is no room for its units around their spawn points.
    """
    roster, letters = build_roster(facts), unit_letters(facts)
    standing: dict[tuple[int, int], list[tuple[int, str]]] = {}
    for unit, side, x, y in zip(roster.units, roster.sides.tolist(), roster.x, roster.y, strict=True):
        standing.setdefault((int(x), int(y)), []).append((side, letters[unit.name, side]))
    marks = {(int(x), int(y)): SPAWN for group in (*facts.allies, *facts.enemies) for x, y in [(group.x, group.y)]}
    marks |= {(int(x), int(y)): GOAL for x, y in facts.enemy_order.points}
    ground = facts.terrain
    rows = []
    for y in reversed(range(ground.height)):
        row = []
        for x in range(ground.width):
            if (x, y) in standing:
                row.append(_unit_cell(standing[x, y]))
            elif (x, y) in marks:
                row.append(Cell(marks[x, y] + " ", "mark"))
            else:
                kind = _ground_kind(ground, x, y)
                row.append(Cell(GLYPHS[kind], kind))
        rows.append(tuple(row))
    return MapSheet(f"{facts.name}: {ground.width} x {ground.height} cells, north is up", tuple(rows), _units(facts))


def _ground_kind(ground: Terrain, x: int, y: int) -> CellKind:
    if ground.edge[x, y]:
        return "edge"
    return "floor" if ground.floor[x, y] else "cliff" if ground.cliff[x, y] else "wall"


def unit_letters(facts: MapFacts) -> dict[tuple[str, int], str]:
    """A letter for each (unit type, side): the first of the name that no other type has; upper case for allies."""
    taken: dict[str, str] = {}
    for group in (*facts.allies, *facts.enemies):
        if group.type not in taken:
            free = [letter for letter in group.type if letter.isalpha() and letter not in taken.values()]
            taken[group.type] = free[0]
    return {(name, side): letter if side else letter.upper() for name, letter in taken.items() for side in (0, 1)}


def order_text(order: EnemyOrder) -> str:
    """The enemy's order, in words."""
    points = [f"({x:g}, {y:g})" for x, y in order.points]
    match order.kind:
        case "attack_move":
            return f"walk to {points[0]} and attack what comes in sight"
        case "attack_move_random_on_segment":
            return f"walk to a random point between {points[0]} and {points[1]} and attack what comes in sight"
        case "attack_units":
            return "attack the allied units, wherever they are"
    return "none: they attack what comes in sight"


def draw_map(facts: MapFacts, path: Path, *, listen: Listener = silent) -> None:
    """Write the map's picture.

    Args:
        facts: the map.
        path: where to, a .png file; its folder is made.
        listen: told about the picture.

    Raises:
        PtdeError: not a .png, or there is no room for the map's units.
    """
    if path.suffix.lower() != ".png":
        raise PtdeError(f"{path} is not the name of a PNG file", "give --out a name that ends in .png")
    roster = build_roster(facts)
    with replacing(path) as file:
        _Picture(facts).drawn(roster).save(file, format="PNG")
    listen(FileSaved(path, f"map {facts.name}"))


def _unit_cell(units: list[tuple[int, str]]) -> Cell:
    """The first two units of a cell, or the first and a sign that there are more."""
    side, first = units[0]
    second = MORE if len(units) > 2 else units[1][1] if len(units) == 2 else " "
    return Cell(first + second, "enemy" if side else "ally")


def _units(facts: MapFacts) -> Table:
    letters = unit_letters(facts)
    groups = tuple(
        tuple(
            (SIDES[side], group.type, letters[group.type, side], str(group.count), f"({group.x:g}, {group.y:g})")
            for group in (facts.allies, facts.enemies)[side]
        )
        for side in (0, 1)
    )
    spec, standard = build_spec(facts, "skirmish", VERSION), Switches()
    changed = [f"{name} = {value}" for name, value in vars(facts.switches).items() if value != getattr(standard, name)]
    return Table(
        title=f"Units of {facts.name}",
        columns=("side", "type", "letter", "count", "spawn point"),
        groups=groups,
        text_columns=3,
        notes=(
            f"Order to the enemies: {order_text(facts.enemy_order)}.",
            f"Agents: {spec.n_agents}; actions: {spec.n_actions}; numbers in an observation: {spec.obs_size}, in the "
            f"state: {spec.state_size}; an episode is cut after {spec.episode_limit} env steps.",
            *([f"Switches that differ from the default: {', '.join(changed)}."] if changed else []),
        ),
    )


class _Picture:
    """The whole map as a picture; drawn `FINER` times larger and scaled down for smooth edges. Lengths in pixels."""

    def __init__(self, facts: MapFacts) -> None:
        self.facts = facts
        self.cell = CELL_PIXELS * FINER
        self.left, self.top = EDGE_PIXELS * FINER, TITLE_PIXELS * FINER
        self.bottom = self.top + facts.terrain.height * self.cell
        # Never narrower than the title: a map may be 4 cells wide.
        self.size = (
            max(self.left * 2 + facts.terrain.width * self.cell, 400 * FINER),
            self.bottom + (EDGE_PIXELS + LEGEND_PIXELS) * FINER,
        )
        self.image = Image.new("RGB", self.size, "#FFFFFF")
        self.draw = ImageDraw.Draw(self.image)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The pixel of a point of the map; north is up."""
        return self.left + x * self.cell, self.bottom - y * self.cell

    def drawn(self, roster: Roster) -> Image.Image:
        """The finished picture."""
        self._ground()
        self._axes()
        heads = self._order(roster)
        self._spawn_points(roster)
        self._bodies(roster)
        for head in heads:  # above the units: the allies mostly wait at the goal
            self.draw.polygon(head, fill=GOAL_COLOR)
        self._words()
        return self.image.reduce(FINER)

    def _words(self) -> None:
        facts, letters = self.facts, unit_letters(self.facts)
        title = f"{facts.name}: allies {facts.n_agents} (light), enemies {facts.n_enemies} (dark)"
        names = ", ".join(f"{letter} {name}" for (name, side), letter in letters.items() if not side)
        self.draw.text((self.left, 17 * FINER), title, fill=TEXT, font=self._font(15), anchor="lm")
        self.draw.text((self.left, 40 * FINER), names, fill=TEXT, font=self._font(12), anchor="lm")
        signs = ["flag: spawn point"]
        if facts.enemy_order.points:
            signs.append("arrow: where the enemy is sent")
        if facts.terrain.cliff.any():
            signs.append("brown: cliff, which only a colossus crosses")
        if facts.terrain.edge.any():
            signs.append("light grey: the map's edge, where nothing that walks gets")
        row = self.bottom + (EDGE_PIXELS + LEGEND_PIXELS / 2) * FINER
        self.draw.text((self.left, row), "; ".join(signs), fill=TEXT, font=self._font(12), anchor="lm")

    def _ground(self) -> None:
        ground = self.facts.terrain
        for x in range(ground.width):
            for y in range(ground.height):
                kind = _ground_kind(ground, x, y)
                color = GROUND_COLORS[kind]
                outline = GRID if kind == "floor" else color
                self.draw.rectangle((*self.at(x, y + 1), *self.at(x + 1, y)), fill=color, outline=outline)

    def _axes(self) -> None:
        gap = 4 * FINER
        for x in range(0, self.facts.terrain.width + 1, AXIS_EVERY):
            column, row = self.at(x, 0)
            self.draw.text((column, row + gap), str(x), fill=TEXT, font=self._font(11), anchor="mt")
        for y in range(0, self.facts.terrain.height + 1, AXIS_EVERY):
            column, row = self.at(0, y)
            self.draw.text((column - gap, row), str(y), fill=TEXT, font=self._font(11), anchor="rm")

    def _order(self, roster: Roster) -> list[list[tuple[float, float]]]:
        """A line from the enemies' centre to the point they are sent to, or to both ends of a stretch of points.

        Returns:
            The arrow heads that are still to be drawn.
        """
        heads = []
        enemies = roster.sides == 1
        start = np.array(self.at(float(roster.x[enemies].mean()), float(roster.y[enemies].mean())))
        points = self.facts.enemy_order.points
        goals = [np.array(self.at(x, y)) for x, y in points]
        if len(goals) > 1:
            self.draw.line([tuple(goal) for goal in goals], fill=GOAL_COLOR, width=2 * FINER)
        for (x, y), goal in zip(points, goals, strict=True):
            way = goal - start
            length = float(np.hypot(*way))
            if length < self.cell:  # sent to where they stand: there is no arrow to draw
                continue
            ahead = way / length
            aside = np.array([-ahead[1], ahead[0]])
            crowded = bool((np.hypot(roster.x - x, roster.y - y) < GOAL_ROOM).any())  # an arrow would hide them
            tip = goal - ahead * (min(GOAL_ROOM * self.cell, length / 2) if crowded else 0.0)
            neck = tip - ahead * 0.7 * self.cell
            self.draw.line((*start, *neck), fill=GOAL_COLOR, width=2 * FINER)
            heads.append([tuple(c) for c in (tip, neck + aside * 0.3 * self.cell, neck - aside * 0.3 * self.cell)])
        return heads

    def _bodies(self, roster: Roster) -> None:
        letters = unit_letters(self.facts)
        for unit, side, x, y in zip(roster.units, roster.sides.tolist(), roster.x, roster.y, strict=True):
            column, row = self.at(float(x), float(y))
            size = unit.radius * self.cell
            box = (column - size, row - size, column + size, row + size)
            self.draw.ellipse(box, fill=FILL[side], outline=RIM[side], width=FINER)
            letter = letters[unit.name, side]
            font = self._font(1.2 * unit.radius * CELL_PIXELS)
            self.draw.text((column, row), letter, fill=LETTER[side], font=font, anchor="mm")

    def _spawn_points(self, roster: Roster) -> None:
        """A flag at each spawn point, behind the units and taller than they are."""
        places = {
            (group.x, group.y, side) for side in (0, 1) for group in (self.facts.allies, self.facts.enemies)[side]
        }
        radius = np.array([unit.radius for unit in roster.units])
        for x, y, side in sorted(places):
            near = (np.hypot(roster.x - x, roster.y - y) < CROWD) & (np.abs(roster.x - x) < radius + 1.0)
            column, row = self.at(x, y)
            top = self.at(x, float((roster.y + radius)[near].max(initial=y)))[1] - 0.8 * self.cell
            width, height = 0.75 * self.cell, 0.5 * self.cell
            self.draw.line((column, row, column, top), fill="#000000", width=FINER)
            corners = ((column, top), (column + width, top + height / 2), (column, top + height))
            self.draw.polygon(corners, fill=FILL[side], outline="#000000")

    @staticmethod
    def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
        return ImageFont.load_default(size=max(8.0, size) * FINER)
