"""Pictures of a battle: terrain, units in their true size, health and shield, attacks.

The sides differ in colour, lightness and letter colour, so that the colour-blind and a black and white print can tell
them apart.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ptde_core.storage.replay_file import UnitLook, Units

WIDTH = 480  # pixels, at most
FINER = 2  # drawn this many times larger and scaled down: smooth edges
LINES_HEIGHT = 48  # pixels above the field, for two lines of text
MARGIN = 2.0  # cells shown around the units
OUTSIDE = 1.0  # of these at most beyond the edge of the map, so that units there are not cut
SMALLEST_VIEW = 14.0  # cells across, so that two units do not fill the picture

GROUND, WALL, GRID = "#F1EEE6", "#A7A39A", "#E4E0D5"
TEXT, BAR_BACK, HEALTH, SHIELD = "#1A1A1A", "#3A3A3A", "#F5C400", "#9AD7FF"
FILL = ("#7CC4F2", "#8C2D04")  # allies light blue, enemies dark red: far apart in lightness too
RIM = ("#0B4F7D", "#3B0F00")
LETTER = ("#06263D", "#FFFFFF")
SIDE_NAMES = ("allies", "enemies")


@dataclass(frozen=True)
class Scene:
    """What stays the same during a battle.

    Args:
        title: who plays what.
        looks: one per unit, in the order of the units' arrays.
        floor: (width, height) bool: whether ground units can enter cell [x, y]; y grows to the north.
    """

    title: str
    looks: tuple[UnitLook, ...]
    floor: NDArray[np.bool_]


class _View:
    """The part of the map that is shown, and where its points fall in the picture (pixels, `FINER` times larger)."""

    def __init__(self, units: Units, floor: NDArray[np.bool_]) -> None:
        self.x0, self.x1, self.y0, self.y1 = shown_part(units, floor)
        self.scale = FINER * WIDTH / max(self.x1 - self.x0, self.y1 - self.y0)
        self.top = FINER * LINES_HEIGHT

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the large picture, whole multiples of `FINER`."""
        width = max(int((self.x1 - self.x0) * self.scale), FINER * WIDTH)  # narrower fields are centred: see `at`
        height = self.top + int((self.y1 - self.y0) * self.scale)
        return width - width % FINER, height - height % FINER

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The pixel of a point of the map; north is up."""
        left = (self.size[0] - (self.x1 - self.x0) * self.scale) / 2
        return left + (x - self.x0) * self.scale, self.top + (self.y1 - y) * self.scale

    def box(self, x: float, y: float, radius: float) -> tuple[float, float, float, float]:
        """The square around a circle of the map, in pixels."""
        column, row = self.at(x, y)
        size = radius * self.scale
        return column - size, row - size, column + size, row + size


def draw_battle(units: Units, scene: Scene, ending: str) -> list[Image.Image]:
    """One picture for each of the T+1 views.

    Args:
        units: of one episode.
        scene: what stays the same.
        ending: how it ended ("won"), shown on the last picture.

    Raises:
        ValueError: units that do not fit the scene.
    """
    steps, count = len(units.x) - 1, units.x.shape[1]
    if count != len(scene.looks):
        raise ValueError("a battle needs one look per unit of it")
    view = _View(units, scene.floor)
    ground = _ground(view, scene.floor)
    pictures = []
    for step in range(steps + 1):
        large = ground.copy()
        draw = ImageDraw.Draw(large)
        _draw_text(
            draw, view, scene, units.alive[step], f"step {step} of {steps}{f', {ending}' if step == steps else ''}"
        )
        _draw_units(draw, view, scene, units, step)
        pictures.append(large.reduce(FINER))
    return pictures


def shown_part(units: Units, floor: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    """The part of the map where units are seen alive, in cells: west, east, south, north."""
    west, east = _range(units.x[units.alive], floor.shape[0])
    south, north = _range(units.y[units.alive], floor.shape[1])
    return west, east, south, north


def _range(places: NDArray[np.float32], limit: int) -> tuple[float, float]:
    """The part of one axis that is shown, in cells: around all units, at least `SMALLEST_VIEW` wide."""
    low, high = float(places.min()) - MARGIN, float(places.max()) + MARGIN
    missing = max(0.0, min(SMALLEST_VIEW, limit) - (high - low)) / 2
    low, high = low - missing, high + missing
    first, last = -OUTSIDE, limit + OUTSIDE
    shift = max(0.0, first - low) - max(0.0, high - last)
    return max(first, low + shift), min(last, high + shift)


def _ground(view: _View, floor: NDArray[np.bool_]) -> Image.Image:
    """The picture's background: white above, cells below; outside the map is wall."""
    picture = Image.new("RGB", view.size, WALL)
    draw = ImageDraw.Draw(picture)
    for x in range(max(0, int(view.x0)), min(int(np.ceil(view.x1)), floor.shape[0])):
        for y in range(max(0, int(view.y0)), min(int(np.ceil(view.y1)), floor.shape[1])):
            if floor[x, y]:
                left, top = view.at(x, y + 1)
                right, bottom = view.at(x + 1, y)
                draw.rectangle((left, top, right, bottom), fill=GROUND, outline=GRID)
    draw.rectangle((0, 0, view.size[0], view.top), fill="#FFFFFF")
    return picture


def _draw_text(draw: ImageDraw.ImageDraw, view: _View, scene: Scene, alive: NDArray[np.bool_], counter: str) -> None:
    sides = np.array([look.side for look in scene.looks])
    left = [int(np.sum(alive & (sides == side))) for side in (0, 1)]
    small, title = _font(13 * FINER), _font(15 * FINER)
    room = (view.size[0] - 16 * FINER) / draw.textlength(scene.title, font=title)
    if room < 1:
        title = _font(int(15 * FINER * room))
    draw.text((8 * FINER, 4 * FINER), scene.title, fill=TEXT, font=title)
    draw.text((8 * FINER, 25 * FINER), counter, fill=TEXT, font=small)
    column = view.size[0] - 8 * FINER
    for side in (1, 0):  # from the right edge inwards
        text = f"{left[side]} {SIDE_NAMES[side]}"
        column -= int(draw.textlength(text, font=small))
        draw.text((column, 25 * FINER), text, fill=TEXT, font=small)
        dot = 10 * FINER
        column -= dot + 4 * FINER
        top = 29 * FINER
        draw.ellipse((column, top, column + dot, top + dot), fill=FILL[side], outline=RIM[side], width=FINER)
        column -= 12 * FINER


def _draw_units(draw: ImageDraw.ImageDraw, view: _View, scene: Scene, units: Units, step: int) -> None:
    living = np.flatnonzero(units.alive[step])
    for unit in np.flatnonzero(~units.alive[step]):
        last = max(0, int(np.flatnonzero(units.alive[: step + 1, unit]).max(initial=0)))
        _draw_grave(draw, view.box(units.x[last, unit], units.y[last, unit], 0.25), scene.looks[unit].side, view.scale)
    for unit, other in units.hits[units.hits[:, 0] == step - 1, 1:]:  # of the step before this view
        ends = [view.at(units.x[step, one], units.y[step, one]) for one in (unit, other)]
        draw.line(ends, fill=RIM[scene.looks[unit].side], width=max(3, int(0.12 * view.scale)))
    for unit in living:
        _draw_body(draw, view, (units.x[step, unit], units.y[step, unit]), scene.looks[unit])
    for unit in living:  # bars last, so that no unit hides them
        look = scene.looks[unit]
        left, top, right, _ = view.box(units.x[step, unit], units.y[step, unit], max(look.radius, 0.4))
        shares = (
            (units.health[step, unit], look.max_health, HEALTH),
            (units.shield[step, unit], look.max_shield, SHIELD),
        )
        _draw_bars(draw, (left, top, right), shares, view.scale)


def _draw_grave(draw: ImageDraw.ImageDraw, box: tuple[float, float, float, float], side: int, scale: float) -> None:
    left, top, right, bottom = box
    width = max(2, int(0.08 * scale))
    draw.line((left, top, right, bottom), fill=FILL[side], width=width)
    draw.line((left, bottom, right, top), fill=FILL[side], width=width)


def _draw_body(draw: ImageDraw.ImageDraw, view: _View, place: tuple[float, float], look: UnitLook) -> None:
    box = view.box(*place, look.radius)
    draw.ellipse(box, fill=FILL[look.side], outline=RIM[look.side], width=max(2, int(0.06 * view.scale)))
    font = _font(int(1.25 * look.radius * view.scale))
    draw.text(view.at(*place), look.name[0].upper(), fill=LETTER[look.side], font=font, anchor="mm")


def _draw_bars(
    draw: ImageDraw.ImageDraw,
    edge: tuple[float, float, float],
    shares: tuple[tuple[float, float, str], ...],
    scale: float,
) -> None:
    """Health over the unit, and its shield over that.

    Args:
        draw: the picture.
        edge: left, top and right of the unit, in pixels.
        shares: value, largest value and colour of each bar, from below.
        scale: pixels of a cell.
    """
    left, top, right = edge
    height = max(6.0, 0.2 * scale)
    bottom = top - 0.06 * scale
    for value, largest, color in shares:
        if largest <= 0:
            continue
        draw.rectangle((left, bottom - height, right, bottom), fill=BAR_BACK)
        share = min(1.0, max(0.0, float(value) / largest))
        if share > 0:
            inner = left + 2 + share * (right - left - 4)
            draw.rectangle((left + 2, bottom - height + 2, inner, bottom - 2), fill=color)
        bottom -= height + 1


def _font(size: int) -> Any:
    return ImageFont.load_default(size=max(8, size))
