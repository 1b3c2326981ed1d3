"""An episode as text: one screen per view, to be played on a terminal."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

import numpy as np

from ptde_core.base.errors import PtdeError
from ptde_core.storage.replay_file import UnitLook, Units
from ptde_core.viewing.replays.battle_drawing import shown_part
from ptde_core.viewing.replays.chosen_episodes import Shown

BLANK = "blank"
KINDS = ("ally", "enemy", "other")  # by side
HEAD_LINES = 2
LIST_WIDTH = 34  # characters for the list of units
WORD_WIDTH = 22


@dataclass(frozen=True)
class UnitLine:
    """One unit in the list: its letter on the field, its side, the share of its health and shield, what it does."""

    letter: str
    kind: str
    share: float
    words: str


@dataclass(frozen=True)
class Screen:
    """One view. `field`: rows from north to south, each of (text, kind) runs."""

    title: str
    counter: str
    field: tuple[tuple[tuple[str, str], ...], ...]
    units: tuple[UnitLine, ...]


def screens_of(shown: Shown, width: int, height: int) -> Iterator[Screen]:
    """The T+1 screens of an episode, none larger than `width` by `height` characters.

    Raises:
        PtdeError: there are no places to show.
    """
    units, floor = shown.episode.units, shown.replay.floor
    if units is None or floor is None:
        backend = shown.replay.header.backend
        raise PtdeError(f"episodes of {backend} cannot be played on a terminal", "take --format html")
    west, east, south, north = shown_part(units, floor)
    columns, rows = max(10, (width - LIST_WIDTH - 2) // 2), max(5, height - HEAD_LINES)
    cell = max((east - west) / columns, (north - south) / rows, 0.5)  # of the map, per two characters
    across, down = int(np.ceil((east - west) / cell)), int(np.ceil((north - south) / cell))
    ground = [
        [_ground(floor, west + (x + 0.5) * cell, north - (y + 0.5) * cell) for x in range(across)] for y in range(down)
    ]
    looks, steps = shown.replay.header.looks, shown.episode.length
    letters = letters_of(looks, shown.episode.actions.shape[1])
    for step in range(steps + 1):
        cells = [list(row) for row in ground]
        for unit in np.flatnonzero(units.alive[step]):
            x = max(0, min(int((units.x[step, unit] - west) / cell), across - 1))
            y = max(0, min(int((north - units.y[step, unit]) / cell), down - 1))
            cells[y][x] = (letters[unit].ljust(2), KINDS[looks[unit].side])
        ending = f", {shown.ending}" if step == steps else ""
        yield Screen(
            title=f"{shown.title} on {shown.place}",
            counter=f"step {step} of {steps}, return {shown.episode.reward[:step].sum():.2f}{ending}",
            field=tuple(tuple(("".join(t for t, _ in run), kind) for kind, run in _runs(row)) for row in cells),
            units=_lines(shown, letters, units, step, rows),
        )


def letters_of(looks: tuple[UnitLook, ...], agents: int) -> list[str]:
    """A sign for each unit: an agent's number, for others the first letter of their type in lower case."""
    return [str(unit) if unit < agents else look.name[0].lower() for unit, look in enumerate(looks)]


def _runs(row: list[tuple[str, str]]) -> Iterator[tuple[str, Iterator[tuple[str, str]]]]:
    return groupby(row, key=itemgetter(1))


def _ground(floor: np.ndarray, x: float, y: float) -> tuple[str, str]:
    inside = 0 <= x < floor.shape[0] and 0 <= y < floor.shape[1]
    return ("· ", "floor") if inside and floor[int(x), int(y)] else ("##", "wall")


def _lines(shown: Shown, letters: list[str], units: Units, step: int, rows: int) -> tuple[UnitLine, ...]:
    """The units that fit, agents first; the last line says how many are left out."""
    header, episode = shown.replay.header, shown.episode
    found = []
    for unit, look in enumerate(header.looks):
        whole = look.max_health + look.max_shield
        share = float(units.health[step, unit] + units.shield[step, unit]) / whole if whole else 1.0
        words = look.name
        if not units.alive[step, unit]:
            share, words = 0.0, f"{look.name}, dead"
        elif unit < episode.actions.shape[1] and step < episode.length:
            action = header.action_names[episode.actions[step, unit]].replace("attack enemy_", "attacks ")
            words = f"{look.name}: {action}"
        found.append(UnitLine(letters[unit], KINDS[look.side], min(1.0, share), words[:WORD_WIDTH]))
    if len(found) <= rows:
        return tuple(found)
    more = len(found) - rows + 1
    return (*found[: rows - 1], UnitLine(" ", "other", 0.0, f"and {more} more"))
