"""One battle as a GIF: terrain, units in their true size, health and shield, who fights whom.

The sides differ in colour, lightness and letter colour, so that they can be told apart by everyone and in print.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

WIDTH = 480  # pixels, at most
FINER = 2  # drawn this many times larger and scaled down: smooth edges
LINES_HEIGHT = 48  # pixels above the field, for two lines of text
MARGIN = 2.0  # cells shown around the units
SMALLEST_VIEW = 14.0  # cells across, so that two units do not fill the picture
STEP_MS = 140
LAST_MS = 2500
COLORS = 64

GROUND, WALL, GRID = "#F1EEE6", "#A7A39A", "#E4E0D5"
TEXT, BAR_BACK, HEALTH, SHIELD = "#1A1A1A", "#3A3A3A", "#F5C400", "#9AD7FF"
FILL = ("#7CC4F2", "#8C2D04")  # allies light blue, enemies dark red: far apart in lightness too
RIM = ("#0B4F7D", "#3B0F00")
LETTER = ("#06263D", "#FFFFFF")
SIDE_NAMES = ("allies", "enemies")


@dataclass(frozen=True)
class UnitLook:
    """What has to be known of a unit to draw it. Radius in cells."""

    name: str
    radius: float
    max_health: float
    max_shield: float


@dataclass(frozen=True)
class Scene:
    """What stays the same during a battle.

    Args:
        title: who plays what.
        looks: one per unit, in the order of the raw unit arrays.
        floor: (width, height) bool, cell [x, y]: where ground units walk; y grows to the north.
    """

    title: str
    looks: tuple[UnitLook, ...]
    floor: NDArray[np.bool_]


class _View:
    """The part of the map that is shown, and where its points fall in the picture (pixels, `FINER` times larger)."""

    def __init__(self, frames: Sequence[NDArray[np.void]], floor: NDArray[np.bool_]) -> None:
        alive = np.stack([frame["alive"] for frame in frames])  # (T+1, U)
        x = np.stack([frame["x"] for frame in frames])[alive]
        y = np.stack([frame["y"] for frame in frames])[alive]
        self.x0, self.x1 = _range(x, floor.shape[0])
        self.y0, self.y1 = _range(y, floor.shape[1])
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


def draw_battle_gif(frames: Sequence[NDArray[np.void]], scene: Scene, path: Path, outcome: str) -> None:
    """Write an animated GIF with one picture per element of `frames`.

    Args:
        frames: T+1 arrays (U,) of raw units, from the first view to the last: fields owner (0 ally, 1 enemy), x, y,
            health, shield, cooldown, alive, target (index of a unit or -1) and swinging.
        scene: what stays the same.
        path: where to; its folder is made.
        outcome: how it ended ("won"), shown on the last picture.

    Raises:
        ValueError: no frames, or frames that do not fit the scene.
    """
    if not frames or any(len(frame) != len(scene.looks) for frame in frames):
        raise ValueError("a battle needs at least one frame, and one look per unit of it")
    view = _View(frames, scene.floor)
    ground = _ground(view, scene.floor)
    pictures = []
    for step, frame in enumerate(frames):
        ending = f", {outcome}" if step == len(frames) - 1 else ""
        large = ground.copy()
        draw = ImageDraw.Draw(large)
        _draw_text(draw, view, scene, frame, f"step {step} of {len(frames) - 1}{ending}")
        _draw_units(draw, view, scene, frames, step)
        pictures.append(large.reduce(FINER))
    palette = _palette(pictures)
    flat = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    path.parent.mkdir(parents=True, exist_ok=True)
    durations = [STEP_MS] * (len(flat) - 1) + [LAST_MS]
    flat[0].save(path, save_all=True, append_images=flat[1:], duration=durations, loop=0, optimize=False)


def _range(places: NDArray[np.float64], limit: int) -> tuple[float, float]:
    """The shown stretch of one axis, in cells: around all places, wide enough, inside the map if the map allows it."""
    low, high = float(places.min()) - MARGIN, float(places.max()) + MARGIN
    missing = max(0.0, min(SMALLEST_VIEW, limit) - (high - low)) / 2
    low, high = low - missing, high + missing
    shift = max(0.0, -low) - max(0.0, high - limit)
    return max(0.0, low + shift), min(float(limit), high + shift)


def _palette(pictures: Sequence[Image.Image]) -> Image.Image:
    """One set of colours for all pictures, taken from the first, the middle and the last."""
    chosen = [pictures[0], pictures[len(pictures) // 2], pictures[-1]]
    sheet = Image.new("RGB", (chosen[0].width, sum(picture.height for picture in chosen)))
    for number, picture in enumerate(chosen):
        sheet.paste(picture, (0, number * picture.height))
    return sheet.quantize(COLORS)


def _ground(view: _View, floor: NDArray[np.bool_]) -> Image.Image:
    """The picture's background: white above, cells below; outside the map is wall."""
    picture = Image.new("RGB", view.size, WALL)
    draw = ImageDraw.Draw(picture)
    for x in range(int(view.x0), min(int(np.ceil(view.x1)), floor.shape[0])):
        for y in range(int(view.y0), min(int(np.ceil(view.y1)), floor.shape[1])):
            if floor[x, y]:
                left, top = view.at(x, y + 1)
                right, bottom = view.at(x + 1, y)
                draw.rectangle((left, top, right, bottom), fill=GROUND, outline=GRID)
    draw.rectangle((0, 0, view.size[0], view.top), fill="#FFFFFF")
    return picture


def _draw_text(draw: ImageDraw.ImageDraw, view: _View, scene: Scene, frame: NDArray[np.void], counter: str) -> None:
    left = [int(np.sum(frame["alive"] & (frame["owner"] == side))) for side in (0, 1)]
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


def _draw_units(
    draw: ImageDraw.ImageDraw, view: _View, scene: Scene, frames: Sequence[NDArray[np.void]], step: int
) -> None:
    frame = frames[step]
    for unit in np.flatnonzero(~frame["alive"]):
        _draw_grave(draw, view, _last_alive(frames, step, int(unit)))
    # A swing that began and ended within the step has left its trace in the cooldown alone.
    struck = frame["swinging"] | (frame["cooldown"] > frames[max(0, step - 1)]["cooldown"])
    for unit in np.flatnonzero(frame["alive"] & struck & (frame["target"] >= 0)):
        here, there = frame[unit], frame[frame[unit]["target"]]
        ends = (view.at(here["x"], here["y"]), view.at(there["x"], there["y"]))
        draw.line(ends, fill=RIM[here["owner"]], width=max(3, int(0.12 * view.scale)))
    for unit in np.flatnonzero(frame["alive"]):
        _draw_body(draw, view, frame[unit], scene.looks[unit])
    for unit in np.flatnonzero(frame["alive"]):  # bars above all bodies: a crowd hides none
        _draw_bars(draw, view, frame[unit], scene.looks[unit])


def _last_alive(frames: Sequence[NDArray[np.void]], step: int, unit: int) -> Any:
    """The unit as it was when it was last seen alive; at the first frame, as it is."""
    return next((frames[k][unit] for k in range(step, -1, -1) if frames[k][unit]["alive"]), frames[0][unit])


def _draw_grave(draw: ImageDraw.ImageDraw, view: _View, unit: Any) -> None:
    left, top, right, bottom = view.box(unit["x"], unit["y"], 0.25)
    width = max(2, int(0.08 * view.scale))
    draw.line((left, top, right, bottom), fill=FILL[unit["owner"]], width=width)
    draw.line((left, bottom, right, top), fill=FILL[unit["owner"]], width=width)


def _draw_body(draw: ImageDraw.ImageDraw, view: _View, unit: Any, look: UnitLook) -> None:
    side = int(unit["owner"])
    box = view.box(unit["x"], unit["y"], look.radius)
    draw.ellipse(box, fill=FILL[side], outline=RIM[side], width=max(2, int(0.06 * view.scale)))
    font = _font(int(1.25 * look.radius * view.scale))
    draw.text(view.at(unit["x"], unit["y"]), look.name[0].upper(), fill=LETTER[side], font=font, anchor="mm")


def _draw_bars(draw: ImageDraw.ImageDraw, view: _View, unit: Any, look: UnitLook) -> None:
    """Health over the unit, and its shield over that."""
    left, top, right, _ = view.box(unit["x"], unit["y"], max(look.radius, 0.4))
    height = max(6.0, 0.2 * view.scale)
    bottom = top - 0.06 * view.scale
    for value, largest, color in ((unit["health"], look.max_health, HEALTH), (unit["shield"], look.max_shield, SHIELD)):
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
