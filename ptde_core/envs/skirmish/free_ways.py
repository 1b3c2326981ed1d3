"""Where a unit can walk: off walls, and in the nearest direction in which no unit stands in its way."""

import math

import numpy as np
from numpy.typing import NDArray

from ptde_core.envs.skirmish.compiled import kernel
from ptde_core.envs.skirmish.map_constants import LOOKAHEAD
from ptde_core.envs.skirmish.scratch import (
    BENDS,
    BLOCK_SQUARE,
    BLOCK_X,
    BLOCK_Y,
    ROUGH_FROM,
    ROUGH_LEFT,
    ROUGH_RIGHT,
    ROUGH_X,
    ROUGH_Y,
    Scratch,
)
from ptde_core.envs.skirmish.vectors import worst_excesses

_WIDEST_BEND = 108.0  # degrees, fitted (docs/explanation/skirmish.md): how far back a unit goes around others
_BEND_COS = np.cos(np.deg2rad(np.linspace(0.0, _WIDEST_BEND, BENDS + 1)))
_BEND_SIN = np.sin(np.deg2rad(np.linspace(0.0, _WIDEST_BEND, BENDS + 1)))
_ROUGH_COS, _ROUGH_SIN = _BEND_COS[1:].astype(np.float32), _BEND_SIN[1:].astype(np.float32)
_DOUBT = 1e-4  # excesses as small as this do not decide: far more than rounding in single precision can be


@kernel
def open_around(cells: NDArray[np.uint8], cx: int, cy: int) -> int:
    """How many cells around a cell are free in every direction: 0 beside a wall, -1 in one or off the map."""
    width, height = cells.shape
    return int(cells[cx, cy]) - 1 if 0 <= cx < width and 0 <= cy < height else -1


@kernel
def fits(cells: NDArray[np.uint8], r: float, x: float, y: float) -> bool:
    """Whether a centre at (x, y) stays r off walls; r < 0: a flyer, which only minds the map's edge."""
    width, height = cells.shape
    if r < 0.0:
        return bool(0.0 <= x <= width and 0.0 <= y <= height)
    if r < open_around(cells, math.floor(x), math.floor(y)):
        return True
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
    scratch: Scratch,
    blocked: int,
    side: int,
    dx: float,
    dy: float,
    ahead: float,
) -> tuple[float, float, int]:
    """The direction nearest to (dx, dy) in which the way is free for `ahead`, and its side (1 left, -1 right).

    On the side once chosen, or where none is, on the one that passes the first blocker more closely. (0, 0): shut in.
    """
    block = scratch.block
    straight = _measure_straight(scratch, blocked, dx, dy, ahead)
    if straight == 0 or (straight == 1 and _first_blocker(block, blocked, dx, dy, ahead) < 0):
        return dx, dy, 0
    wall_near = r >= 0.0 and not fits(cells, r + 0.5 * LOOKAHEAD, px, py)
    preferred = float(side)
    if side == 0:
        first = _first_blocker(block, blocked, dx, dy, ahead)
        preferred = -1.0 if dx * block[BLOCK_Y, first] - dy * block[BLOCK_X, first] > 0.0 else 1.0
    first_other = 1 if side == 0 else BENDS  # when it is the other side's turn for the first time
    for n in range(2 * BENDS):
        if side == 0:  # both sides in turn, small bends first
            k, turn = n // 2 + 1, preferred if n % 2 == 0 else -preferred
        else:  # all bends of the chosen side first
            k, turn = n % BENDS + 1, preferred if n < BENDS else -preferred
        excesses = scratch.rough[ROUGH_LEFT if turn > 0.0 else ROUGH_RIGHT]
        if n in (0, first_other):
            _measure_bends(scratch.rough, blocked, np.float32(dx), np.float32(dy), np.float32(turn), excesses)
        excess = excesses[k - 1]
        if excess > _DOUBT:
            continue
        s = turn * _BEND_SIN[k]
        bx, by = dx * _BEND_COS[k] - dy * s, dx * s + dy * _BEND_COS[k]
        if wall_near and not fits(cells, r, px + bx * 0.5 * LOOKAHEAD, py + by * 0.5 * LOOKAHEAD):
            continue
        if excess < -_DOUBT or _first_blocker(block, blocked, bx, by, ahead) < 0:
            return bx, by, 1 if turn > 0.0 else -1
    return 0.0, 0.0, side


@kernel
def _measure_straight(scratch: Scratch, blocked: int, dx: float, dy: float, ahead: float) -> int:
    """Whether the straight way is free (0), not (2 and more), or in doubt (1); and what `_measure_bends` needs.

    A blocker at distance d with gap g stands in a direction if it lies farther along it than sqrt(d^2 - g^2), or,
    where that is more than `ahead`, than (d^2 - g^2 + ahead^2) / (2 ahead). The excess of a direction is by how much
    the worst blocker does: below 0, the way is free.
    """
    near, half, found = ahead * ahead, 0.5 / ahead, 0
    block, rough = scratch.block, scratch.rough
    for n in range(blocked):
        rx, ry = block[BLOCK_X, n], block[BLOCK_Y, n]
        square = rx * rx + ry * ry - block[BLOCK_SQUARE, n]
        tangent = math.sqrt(max(square, 0.0))
        enough = tangent if square < near else (square + near) * half
        rough[ROUGH_X, n], rough[ROUGH_Y, n], rough[ROUGH_FROM, n] = rx, ry, enough
        excess = rx * dx + ry * dy - enough
        found |= int(excess > -_DOUBT) + 2 * int(excess > _DOUBT)
    return found


@kernel
def _measure_bends(
    rough: NDArray[np.float32],
    blocked: int,
    dx: np.float32,
    dy: np.float32,
    turn: np.float32,
    excesses: NDArray[np.float32],
) -> None:
    """The excesses (BENDS,) of all bends to one side at once: that takes less time than to choose which to try."""
    worst_excesses(
        rough[ROUGH_X].ctypes.data, rough[ROUGH_Y].ctypes.data, rough[ROUGH_FROM].ctypes.data, blocked,
        dx, dy, turn, _ROUGH_COS.ctypes.data, _ROUGH_SIN.ctypes.data, excesses.ctypes.data,
    )  # fmt: skip


@kernel
def _first_blocker(block: NDArray[np.float64], blocked: int, dx: float, dy: float, ahead: float) -> int:
    """The nearest entry of `block` that the straight way of length `ahead` would run into; -1: none."""
    found, least = -1, math.inf
    for n in range(blocked):
        rx, ry = block[BLOCK_X, n], block[BLOCK_Y, n]
        along = rx * dx + ry * dy
        part = min(along, ahead)
        ox, oy = rx - part * dx, ry - part * dy
        if (along > 0.0) & (along < least) & (ox * ox + oy * oy < block[BLOCK_SQUARE, n]):
            found, least = n, along
    return found
