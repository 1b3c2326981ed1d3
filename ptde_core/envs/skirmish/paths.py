"""Ways around walls: turning points planned once per map, and the next one for a walking unit (smac-contract#movement).

The shortest way among walls is a chain of straight lines whose bends lie at wall corners. So a map needs only its
corners and, for each, the length of the shortest way from there to every cell; a unit then heads for the goal if a
straight line leads there, else for the visible corner with the least sum. Maps whose floor is one rectangle have
no corners and skip all of this. Standing units are walked around locally (`movement`).
"""

import math

import numpy as np
from numpy.typing import NDArray

from ptde_core.envs.skirmish.compiled import entry, kernel
from ptde_core.envs.skirmish.corners import wall_corners
from ptde_core.envs.skirmish.fields import WAY_X, WAY_Y, X, Y
from ptde_core.envs.skirmish.free_ways import open_around
from ptde_core.envs.skirmish.map_constants import MapTables, Reals
from ptde_core.envs.skirmish.map_files import Terrain

CLEARANCE = 0.3  # half the width of the lane that must be free for a line to count as straight
_PACE = 0.25  # distance between tested points of a line
_PACES_PER_CELL = int(1.0 / _PACE)


def plan_detours(terrain: Terrain) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Corners (K, 2) of the floor and the way's length (K, width, height) from each to every cell; inf: no way."""
    floor = terrain.walkable
    corners = wall_corners(floor)
    cells = np.argwhere(floor).astype(np.float64) + 0.5  # (C, 2)
    detour = np.full((len(corners), *floor.shape), np.inf)
    if len(corners) == 0:
        return corners, detour
    from scipy.ndimage import distance_transform_edt  # half a second, which maps without walls need not wait for
    from scipy.sparse.csgraph import dijkstra

    between = _seen(floor, corners, corners)  # (K, K) straight distance or inf
    ways = dijkstra(np.where(np.isfinite(between), between, 0.0), directed=False)  # (K, K)
    to_cells = _seen(floor, corners, cells)  # (K, C)
    best = np.full(to_cells.shape, np.inf)
    for k in range(len(corners)):
        best = np.minimum(best, ways[:, k : k + 1] + to_cells[k])
    detour[:, cells[:, 0].astype(int), cells[:, 1].astype(int)] = best
    nearest = distance_transform_edt(~floor, return_distances=False, return_indices=True)  # (2, width, height)
    return corners, np.ascontiguousarray(detour[:, nearest[0], nearest[1]])  # a wall cell: as its nearest floor


def _seen(floor: NDArray[np.bool_], a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distances (A, B) where a straight lane leads from a point of `a` to one of `b`, else inf."""
    out = np.full((len(a), len(b)), np.inf)
    for i, start in enumerate(a):
        span = b - start  # (B, 2)
        distance = np.hypot(span[:, 0], span[:, 1])  # (B,)
        paces = np.linspace(0.0, 1.0, 2 + int(distance.max() / _PACE))  # (S,)
        _keep_free(floor, start[0], start[1], span, paces, distance, out[i])
    return out


@entry
def _keep_free(
    floor: NDArray[np.bool_],
    x0: float,
    y0: float,
    span: NDArray[np.float64],
    paces: NDArray[np.float64],
    distance: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Write the distances (B,) of those lanes into `out` (B,) of which every point tested is on the floor."""
    width, height = floor.shape
    for j in range(span.shape[0]):
        free, k = True, 0
        while free and k < paces.shape[0]:
            x, y = x0 + paces[k] * span[j, 0], y0 + paces[k] * span[j, 1]
            west, east = math.floor(x - CLEARANCE), math.floor(x + CLEARANCE)
            south, north = math.floor(y - CLEARANCE), math.floor(y + CLEARANCE)
            free = west >= 0 and south >= 0 and east < width and north < height
            if free:
                free = floor[west, south] and floor[west, north] and floor[east, south] and floor[east, north]
            k += 1
        if free:
            out[j] = distance[j]


@kernel
def lane_is_free(floor: NDArray[np.uint8], x0: float, y0: float, x1: float, y1: float) -> bool:
    """Whether a lane of width 2 CLEARANCE from one point to another stays on the floor."""
    width, height = floor.shape
    distance = math.sqrt((x1 - x0) ** 2 + (y1 - y0) ** 2)
    paces = int(distance / _PACE) + 1
    k = 0
    while k <= paces:
        x, y = x0 + (x1 - x0) * k / paces, y0 + (y1 - y0) * k / paces
        around = open_around(floor, math.floor(x), math.floor(y))
        if around > 0:  # nor can the lane leave the floor within the next `around` - CLEARANCE
            k += _PACES_PER_CELL * around - 1
            continue
        west, east = math.floor(x - CLEARANCE), math.floor(x + CLEARANCE)
        south, north = math.floor(y - CLEARANCE), math.floor(y + CLEARANCE)
        if west < 0 or south < 0 or east >= width or north >= height:
            return False
        if floor[west, south] == 0 or floor[west, north] == 0 or floor[east, south] == 0 or floor[east, north] == 0:
            return False
        k += 1
    return True


@kernel
def next_bend(m: MapTables, real: Reals, i: int, x: float, y: float) -> None:
    """Write into WAY_X, WAY_Y where unit i should head to reach (x, y): the goal itself or the next corner."""
    real[WAY_X, i], real[WAY_Y, i] = x, y
    px, py = real[X, i], real[Y, i]
    if lane_is_free(m.floor, px, py, x, y):
        return
    width, height = m.floor.shape
    cx, cy = min(max(int(x), 0), width - 1), min(max(int(y), 0), height - 1)
    least = math.inf
    for k in range(m.corner.shape[0]):
        kx, ky = m.corner[k, 0], m.corner[k, 1]
        to = math.sqrt((kx - px) ** 2 + (ky - py) ** 2)
        if to > 0.25 and to + m.detour[k, cx, cy] < least and lane_is_free(m.floor, px, py, kx, ky):
            least = to + m.detour[k, cx, cy]
            real[WAY_X, i], real[WAY_Y, i] = kx, ky
