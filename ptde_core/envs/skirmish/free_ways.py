"""Where a unit can walk: off walls, and in the nearest direction in which no unit stands in its way."""

import math

import numpy as np
from numpy.typing import NDArray

from ptde_core.envs.skirmish.compiled import kernel
from ptde_core.envs.skirmish.map_constants import LOOKAHEAD

Block = NDArray[np.float64]  # (3, U) scratch: offsets and squared gaps of what stands in the way

_BENDS = 8  # bends tried on each side
_WIDEST_BEND = 108.0  # degrees, fitted (docs/explanation/skirmish.md): how far back a unit goes around others
_BEND_COS = np.cos(np.deg2rad(np.linspace(0.0, _WIDEST_BEND, _BENDS + 1)))
_BEND_SIN = np.sin(np.deg2rad(np.linspace(0.0, _WIDEST_BEND, _BENDS + 1)))


@kernel
def fits(cells: NDArray[np.uint8], r: float, x: float, y: float) -> bool:
    """Whether a centre at (x, y) stays r off walls; r < 0: a flyer, which only minds the map's edge."""
    width, height = cells.shape
    if r < 0.0:
        return bool(0.0 <= x <= width and 0.0 <= y <= height)
    west, east = math.floor(x - r), math.floor(x + r)
    south, north = math.floor(y - r), math.floor(y + r)
    if west < 0 or south < 0 or east >= width or north >= height:
        return False
    return bool(
        cells[west, south] != 0 and cells[west, north] != 0 and cells[east, south] != 0 and cells[east, north] != 0
    )


@kernel
def bend(
    cells: NDArray[np.uint8],
    r: float,
    px: float,
    py: float,
    block: Block,
    blocked: int,
    side: int,
    dx: float,
    dy: float,
    ahead: float,
) -> tuple[float, float, int]:
    """The direction nearest to (dx, dy) in which the way is free for `ahead`, and its side (1 left, -1 right).

    On the side once chosen, or where none is, on the one that passes the first blocker more closely. (0, 0): shut in.
    """
    first = _first_blocker(block, blocked, dx, dy, ahead)
    if first < 0:
        return dx, dy, 0
    wall_near = r >= 0.0 and not fits(cells, r + 0.5 * LOOKAHEAD, px, py)
    preferred = float(side)
    if side == 0:
        preferred = -1.0 if dx * block[1, first] - dy * block[0, first] > 0.0 else 1.0
    likely = first
    for n in range(2 * _BENDS):
        if side == 0:  # both sides in turn, small bends first
            k, turn = n // 2 + 1, preferred if n % 2 == 0 else -preferred
        else:  # all bends of the chosen side first
            k, turn = n % _BENDS + 1, preferred if n < _BENDS else -preferred
        s = turn * _BEND_SIN[k]
        bx, by = dx * _BEND_COS[k] - dy * s, dx * s + dy * _BEND_COS[k]
        if wall_near and not fits(cells, r, px + bx * 0.5 * LOOKAHEAD, py + by * 0.5 * LOOKAHEAD):
            continue
        found = _any_blocker(block, blocked, bx, by, ahead, likely)
        if found < 0:
            return bx, by, 1 if turn > 0.0 else -1
        likely = found
    return 0.0, 0.0, side


@kernel
def _first_blocker(block: Block, blocked: int, dx: float, dy: float, ahead: float) -> int:
    """The nearest entry of `block` that the straight way of length `ahead` would run into; -1: none."""
    found, least = -1, math.inf
    for n in range(blocked):
        rx, ry = block[0, n], block[1, n]
        along = rx * dx + ry * dy
        if along <= 0.0 or along >= least:
            continue
        part = min(along, ahead)
        ox, oy = rx - part * dx, ry - part * dy
        if ox * ox + oy * oy < block[2, n]:
            found, least = n, along
    return found


@kernel
def _any_blocker(block: Block, blocked: int, dx: float, dy: float, ahead: float, likely: int) -> int:
    """An entry of `block` that the straight way of length `ahead` would run into, `likely` if that is one; -1: none."""
    if _blocks(block, likely, dx, dy, ahead):
        return likely
    for n in range(blocked):
        if _blocks(block, n, dx, dy, ahead):
            return n
    return -1


@kernel
def _blocks(block: Block, n: int, dx: float, dy: float, ahead: float) -> bool:
    """Whether the straight way of length `ahead` would run into an entry of `block`."""
    rx, ry = block[0, n], block[1, n]
    along = rx * dx + ry * dy
    part = min(along, ahead)
    ox, oy = rx - part * dx, ry - part * dy
    return bool(along > 0.0 and ox * ox + oy * oy < block[2, n])
