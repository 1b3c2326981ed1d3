"""Pictures of a football episode from above: pitch, players of both teams, ball, score.

Everything is read from the global state, by the names of its features.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ptde_core.envs.engines.football.scenarios import SCENARIOS, read_map

WIDTH = 560  # pixels
FINER = 2  # drawn this many times larger and scaled down: smooth edges
TOP = 48  # pixels above the pitch, for two lines of text
MARGIN = 0.06  # shown around the pitch, in half lengths
HALF_WIDTH = 0.42  # of the pitch, in half lengths (the engine's unit)
GOAL = 0.044  # half its width
BOX = (0.31, 0.24)  # penalty area: depth, half width
AREA = (0.105, 0.11)  # goal area
CIRCLE = 0.18
PLAYER, BALL = 0.024, 0.013  # radii as drawn, enlarged

# The pitch's lines from (x, y) to (x, y), and our goal's and theirs.
LINES = (
    (-1, -HALF_WIDTH, 1, -HALF_WIDTH),
    (-1, HALF_WIDTH, 1, HALF_WIDTH),
    (0, -HALF_WIDTH, 0, HALF_WIDTH),
    *((side, -HALF_WIDTH, side, HALF_WIDTH) for side in (-1, 1)),
    *(
        line
        for side in (-1, 1)
        for depth, half in (BOX, AREA)
        for line in (
            (side, -half, side * (1 - depth), -half),
            (side, half, side * (1 - depth), half),
            (side * (1 - depth), -half, side * (1 - depth), half),
        )
    ),
    *((side * (1 + MARGIN / 2), -GOAL, side * (1 + MARGIN / 2), GOAL) for side in (-1, 1)),
)

GRASS, LINE, TEXT = "#DCE8D2", "#FFFFFF", "#1A1A1A"
FILL = {"left": "#7CC4F2", "right": "#8C2D04"}  # differ in lightness too
RIM = {"left": "#0B4F7D", "right": "#3B0F00"}
OURS = "#F5C400"  # ring around the players that the agents control
LETTER = {"left": "#06263D", "right": "#FFFFFF"}
NAMES = {"left": "our team", "right": "opponents"}


def draw_football(
    states: NDArray[np.float32],
    rewards: NDArray[np.float32],
    state_names: Sequence[str],
    map_name: str,
    title: str,
    outcome: str,
) -> list[Image.Image]:
    """One picture per state of the episode.

    Args:
        states: (T+1, S).
        rewards: (T,) of goals alone: they give the score.
        state_names: names of the state's features.
        map_name: the scenario, which decides the players that the agents control.
        title: who plays what.
        outcome: how it ended, shown on the last picture.
    """
    players = SCENARIOS[read_map(map_name).scenario].players
    goals = np.concatenate([[0], np.cumsum(np.round(rewards).astype(int))])  # ours minus theirs
    column = {name: k for k, name in enumerate(state_names)}
    places = [tuple(name.split("_")[:2]) for name in state_names if name.endswith("_tired")]
    pictures = []
    for step, state in enumerate(states):
        large = _pitch()
        draw = ImageDraw.Draw(large)
        ending = f", {outcome}" if step == len(states) - 1 else ""
        score = f"{max(goals[step], 0)} : {max(-goals[step], 0)}"
        _write(draw, title, score, f"step {step} of {len(states) - 1}{ending}")
        for team, number in places:
            x, y = (float(state[column[f"{team}_{number}_{axis}"]]) for axis in "xy")
            if state[column[f"ball_of_{team}_{number}"]]:
                draw.ellipse(_circle(x, y, PLAYER * 1.45), outline=TEXT, width=2 * FINER)
            ours = team == "left" and int(number) in players
            rim = OURS if ours else RIM[team]
            draw.ellipse(_circle(x, y, PLAYER), fill=FILL[team], outline=rim, width=2 * FINER)
            draw.text(_at(x, y), number, fill=LETTER[team], font=_font(10 * FINER), anchor="mm")
        x, y, height = (float(state[column[f"ball_{axis}"]]) for axis in "xyz")
        draw.ellipse(_circle(x, y, BALL * (1 + height)), fill="#FFFFFF", outline=TEXT, width=FINER)
        pictures.append(large.reduce(FINER))
    return pictures


def _scale() -> float:
    return FINER * WIDTH / (2 + 2 * MARGIN)


def _at(x: float, y: float) -> tuple[float, float]:
    """The pixel of a point of the pitch, `FINER` times larger; we play to the right."""
    return (x + 1 + MARGIN) * _scale(), FINER * TOP + (y + HALF_WIDTH + MARGIN) * _scale()


def _circle(x: float, y: float, radius: float) -> tuple[float, float, float, float]:
    column, row = _at(x, y)
    size = radius * _scale()
    return column - size, row - size, column + size, row + size


def _pitch() -> Image.Image:
    height = FINER * TOP + int(2 * (HALF_WIDTH + MARGIN) * _scale())
    picture = Image.new("RGB", (FINER * WIDTH, height - height % FINER), GRASS)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, FINER * WIDTH, FINER * TOP), fill="#FFFFFF")

    def box(x0: float, y0: float, x1: float, y1: float) -> None:
        (left, top), (right, bottom) = _at(min(x0, x1), min(y0, y1)), _at(max(x0, x1), max(y0, y1))
        draw.rectangle((left, top, right, bottom), outline=LINE, width=2 * FINER)

    box(-1, -HALF_WIDTH, 1, HALF_WIDTH)
    draw.line((*_at(0, -HALF_WIDTH), *_at(0, HALF_WIDTH)), fill=LINE, width=2 * FINER)
    draw.ellipse(_circle(0, 0, CIRCLE), outline=LINE, width=2 * FINER)
    for side in (-1, 1):
        for depth, half in (BOX, AREA):
            box(side, -half, side * (1 - depth), half)
        box(side, -GOAL, side * (1 + MARGIN / 2), GOAL)
    return picture


def _write(draw: ImageDraw.ImageDraw, title: str, score: str, counter: str) -> None:
    size = 15 * FINER
    room = (FINER * WIDTH - 16 * FINER) / draw.textlength(title, font=_font(size))
    draw.text((8 * FINER, 4 * FINER), title, fill=TEXT, font=_font(int(size * min(1.0, room))))
    small = _font(13 * FINER)
    draw.text((8 * FINER, 25 * FINER), counter, fill=TEXT, font=small)
    draw.text((FINER * WIDTH / 2, 25 * FINER), score, fill=TEXT, font=_font(15 * FINER), anchor="ma")
    column = FINER * (WIDTH - 8)
    for team, name in reversed(list(NAMES.items())):  # from the right edge inwards
        column -= int(draw.textlength(name, font=small))
        draw.text((column, 25 * FINER), name, fill=TEXT, font=small)
        column -= 14 * FINER
        dot = (column, 29 * FINER, column + 10 * FINER, 39 * FINER)
        draw.ellipse(dot, fill=FILL[team], outline=RIM[team], width=FINER)
        column -= 12 * FINER


def _font(size: int) -> Any:
    return ImageFont.load_default(size=max(8, size))
