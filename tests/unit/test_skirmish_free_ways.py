"""Free ways are found by shortcuts: they equal what the rules say, worked out here the long way."""

import math

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_cdt

from ptde_core.envs.skirmish import fields, free_ways, map_constants, nearby, paths
from ptde_core.envs.skirmish.map_constants import HEEDED
from ptde_core.envs.skirmish.scratch import BENDS, BLOCK_SQUARE, BLOCK_X, BLOCK_Y, scratch
from ptde_core.envs.skirmish.skirmish import Skirmish
from ptde_core.envs.skirmish.vectors import WORD

OPEN = np.full((9, 9), 9, np.uint8)
Blockers = NDArray[np.float64]  # (n, 3) offset and squared gap


@numba.njit(error_model="numpy")
def _bend(cells, room, blocked, side, dx, dy, ahead):
    return free_ways.bend(cells, -1.0, 4.0, 4.0, room, blocked, side, dx, dy, ahead)


@numba.njit(error_model="numpy")
def _may_be_within(room, squares, first, end, x, y):
    return nearby.may_be_within(room, squares, first, end, x, y)


@numba.njit(error_model="numpy")
def _fits(cells, r, x, y):
    return free_ways.fits(cells, r, x, y)


@numba.njit(error_model="numpy")
def _lane_is_free(cells, x0, y0, x1, y1):
    return paths.lane_is_free(cells, x0, y0, x1, y1)


def _stands_in(blocker: NDArray[np.float64], bx: float, by: float, ahead: float) -> bool:
    rx, ry, square = blocker
    along = rx * bx + ry * by
    part = min(along, ahead)
    ox, oy = rx - part * bx, ry - part * by
    return bool(along > 0.0 and ox * ox + oy * oy < square)


def _plain_bend(blockers: Blockers, side: int, dx: float, dy: float, ahead: float) -> tuple[float, float, int]:
    in_way = [b for b in blockers if _stands_in(b, dx, dy, ahead)]
    if not in_way:
        return dx, dy, 0
    first = min(in_way, key=lambda b: b[0] * dx + b[1] * dy)
    liked = side or (-1 if dx * first[1] - dy * first[0] > 0.0 else 1)
    if side == 0:
        order = [(k, turn) for k in range(1, BENDS + 1) for turn in (liked, -liked)]
    else:
        order = [(k, turn) for turn in (liked, -liked) for k in range(1, BENDS + 1)]
    for k, turn in order:
        c, s = free_ways._BEND_COS[k], turn * free_ways._BEND_SIN[k]
        bx, by = dx * c - dy * s, dx * s + dy * c
        if not any(_stands_in(b, bx, by, ahead) for b in blockers):
            return bx, by, turn
    return 0.0, 0.0, side


@pytest.mark.parametrize("side", [-1, 0, 1])
@pytest.mark.parametrize("kind", ["anywhere", "tangent", "overlapping"])
def test_bends_equal_the_plain_search(side: int, kind: str) -> None:
    """Also where a blocker just touches a way, so that rounding decides."""
    rng = np.random.default_rng(side + 1)
    seen = set()
    for _ in range(400):
        angle, ahead, count = rng.uniform(0, 2 * math.pi), rng.choice([1.0, 0.6, 1e-4]), rng.integers(1, 9)
        dx, dy = math.cos(angle), math.sin(angle)
        away, gap, where = rng.uniform(0.5, 1.7, count), rng.uniform(0.4, 0.9, count), rng.uniform(-2.2, 2.2, count)
        if kind == "tangent":  # to the straight way, and on the circle around its end
            gap, where = away * np.abs(np.sin(where)), np.abs(where)
        elif kind == "overlapping":
            away = gap * rng.uniform(0.9, 1.0, count).round(1)
        blockers = np.stack([away * np.cos(angle + where), away * np.sin(angle + where), gap**2], axis=1)
        room = scratch(BENDS + 1)
        room.block[[BLOCK_X, BLOCK_Y, BLOCK_SQUARE], :count] = blockers.T
        found = _bend(OPEN, room, count, side, dx, dy, ahead)
        assert found == _plain_bend(blockers, side, dx, dy, ahead)
        seen.add((found[2], found[:2] == (0.0, 0.0)))
    assert len(seen) >= 2  # straight on and bent at least


@settings(deadline=None, max_examples=60)
@given(
    units=st.integers(1, 150),
    extent=st.sampled_from([8, 32, 200]),
    spread=st.sampled_from([0.0, 1e-6, 1.0, 30.0]),
    seed=st.integers(0, 10**6),
)
def test_nobody_who_is_near_is_missed_and_few_others_are_found(
    units: int, extent: int, spread: float, seed: int
) -> None:
    """Places that single precision rounds, and some just at the limit, where rounding decides."""
    rng = np.random.default_rng(seed)
    room, point = scratch(units), rng.uniform(0, extent, 2)
    pair = np.full((fields.PAIRS, units, units), -1.0)
    pair[fields.HEED] = rng.choice([0.0, 1.5, 2.0, 3.1], (units, units)) ** 2
    squares = map_constants._rough_limits(pair, extent)[HEEDED, 0]
    limits, angles = np.sqrt(pair[fields.HEED, 0]), rng.uniform(0, 2 * math.pi, units)
    away = limits * (1 + rng.normal(0, spread, units))
    places = np.clip(point[:, None] + away * np.array([np.cos(angles), np.sin(angles)]), 0, extent)
    alive = rng.random(units) < 0.8
    room.xs[:units], room.ys[:units] = np.where(alive, places[0], np.inf), places[1]
    words = [int(_may_be_within(room, squares, first, units, *point)) for first in range(0, units, WORD)]
    found = np.array([bool(words[j // WORD] >> j % WORD & 1) for j in range(units)])
    distance = np.hypot(*(places - point[:, None]))
    assert not (alive & (distance < limits) & ~found).any(), "somebody is missed"
    assert not (found & ~alive).any()
    assert not (found & (distance > limits + 1e-3 * extent)).any(), "the bound is far from tight"


@pytest.mark.parametrize("map_name", ["corridor", "3m", "2c_vs_64zg"])
def test_walls_count_as_if_every_point_was_tested(map_name: str) -> None:
    """Bodies and lanes anywhere on the map and beyond its edge, on the edges of cells too."""
    cells = Skirmish(map_name, 1).inside[0].floor
    width, height = cells.shape

    def corners_free(x: float, y: float, r: float) -> bool:
        spots = [(math.floor(x + ox), math.floor(y + oy)) for ox in (-r, r) for oy in (-r, r)]
        return all(0 <= cx < width and 0 <= cy < height and cells[cx, cy] > 0 for cx, cy in spots)

    rng, answers = np.random.default_rng(0), set()
    for n in range(3000):
        x0, y0, x1, y1 = rng.uniform(-1, np.array([width, height, width, height]) + 1)
        if n % 3 == 0:
            x0, y0 = round(x0), round(y0)
        r = rng.choice([0.3, 0.375, 0.875, 1.0, 1.6])
        assert _fits(cells, r, x0, y0) == corners_free(x0, y0, r)
        paces = int(math.sqrt((x1 - x0) ** 2 + (y1 - y0) ** 2) / 0.25) + 1
        line = [(x0 + (x1 - x0) * k / paces, y0 + (y1 - y0) * k / paces) for k in range(paces + 1)]
        free = all(corners_free(x, y, paths.CLEARANCE) for x, y in line)
        assert _lane_is_free(cells, x0, y0, x1, y1) == free
        answers.add(free)
    assert answers == {True, False}


@settings(deadline=None, max_examples=30)
@given(
    width=st.integers(1, 40),
    height=st.integers(1, 600),
    walls=st.sampled_from([0.0, 0.001, 0.1, 0.5, 1.0]),
    seed=st.integers(0, 99),
)
def test_depths_are_scipys_chessboard_distances(width: int, height: int, walls: float, seed: int) -> None:
    walkable = np.random.default_rng(seed).random((width, height)) >= walls
    expected = distance_transform_cdt(np.pad(walkable, 1), "chessboard")[1:-1, 1:-1]
    np.testing.assert_array_equal(map_constants._depths(walkable), expected)


def test_depths_end_at_255() -> None:
    depths = map_constants._depths(np.ones((601, 601), bool))
    assert (depths[0, 0], depths[254, 300], depths[300, 300]) == (1, 255, 255)
