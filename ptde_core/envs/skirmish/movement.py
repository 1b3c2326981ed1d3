"""How units turn, walk, keep apart, push, and find their way around standing units (SPEC 9.3).

Every loop, each walking unit takes one step in turn. A step never ends in a wall or closer to another unit than
their separation (unless they were closer before): what is in the way is pushed if it is an idle friend, else the
step slides along it. Before the step, the direction is bent around standing units on one side, which is kept until
the straight way is free again, so that late melee units run around a ring of fighters instead of queueing.
"""

import math

import numpy as np
from numpy.typing import NDArray

from ptde_core.envs.skirmish.compile import kernel
from ptde_core.envs.skirmish.fields import (
    ACCELERATION,
    ALIVE,
    FACE_X,
    FACE_Y,
    FREE,
    GAP,
    GROUND,
    INNER,
    MOVE,
    ORDER,
    POSTURE,
    PUSH_IDLE,
    ROCK,
    SIDE,
    SPEED,
    STALLED,
    STRIDE,
    TOP_SPEED,
    TURN_COS,
    TURN_SIN,
    TURNED,
    TURRET,
    WALK_COS,
    WALKS,
    WISH_X,
    WISH_Y,
    X,
    Y,
)
from ptde_core.envs.skirmish.tables import MapTables, Reals, Wholes

Scratch = NDArray[np.int64]  # (U,)

LOOKAHEAD = 1.0  # how far ahead a standing unit bends the way
GRAZE = 0.02  # how deep a lookahead may cut into a separation without counting as blocked
TOUCH = 1e-9
INSTANT = 1.0  # accelerations per loop squared above this are immediate
_BENDS = 10  # bends tried on each side, 15 degrees apart
_BEND_COS = np.cos(np.deg2rad(15.0 * np.arange(_BENDS + 1)))
_BEND_SIN = np.sin(np.deg2rad(15.0 * np.arange(_BENDS + 1)))


@kernel
def face(m: MapTables, real: Reals, i: int, dx: float, dy: float) -> float:
    """Turn unit i towards the unit vector (dx, dy) as far as one loop allows; the cosine of what remains."""
    fx, fy = real[FACE_X, i], real[FACE_Y, i]
    cosine = fx * dx + fy * dy
    turn_cos, turn_sin = m.body[TURN_COS, i], m.body[TURN_SIN, i]
    if cosine >= turn_cos:
        real[FACE_X, i], real[FACE_Y, i] = dx, dy
        return 1.0
    cross = fx * dy - fy * dx
    if abs(cross) < 1e-9:  # an exact reversal: the side depends on the place, so that a mirrored map mirrors it
        cross = dx * (0.5 * m.floor.shape[1] - real[Y, i]) + dy
    if cross < 0.0:
        turn_sin = -turn_sin
    gx, gy = fx * turn_cos - fy * turn_sin, fx * turn_sin + fy * turn_cos
    scale = 1.0 / math.sqrt(gx * gx + gy * gy)
    real[FACE_X, i], real[FACE_Y, i] = gx * scale, gy * scale
    return float((gx * dx + gy * dy) * scale)


@kernel
def fits(m: MapTables, i: int, x: float, y: float) -> bool:
    """Whether the body of unit i (its inner radius) is clear of walls at (x, y); flyers only mind the map's edge."""
    r = m.body[INNER, i]
    width, height = m.floor.shape
    kind = m.trait[GROUND, i]
    if kind == 0:
        return bool(0.0 <= x <= width and 0.0 <= y <= height)
    west, east = math.floor(x - r), math.floor(x + r)
    south, north = math.floor(y - r), math.floor(y + r)
    if west < 0 or south < 0 or east >= width or north >= height:
        return False
    cells = m.floor if kind == 1 else m.ground
    return bool(
        cells[west, south] != 0 and cells[west, north] != 0 and cells[east, south] != 0 and cells[east, north] != 0
    )


@kernel
def walk_all(m: MapTables, real: Reals, whole: Wholes, near: Scratch) -> None:
    """One loop of movement: every unit whose posture is WALKS takes its step, in unit order."""
    for i in range(real.shape[1]):
        if whole[ALIVE, i] == 1 and whole[POSTURE, i] == WALKS:
            _walk(m, real, whole, near, i)
        elif m.body[ACCELERATION, i] < INSTANT:
            real[SPEED, i] = max(real[SPEED, i] - m.body[ACCELERATION, i], 0.0)


@kernel
def _walk(m: MapTables, real: Reals, whole: Wholes, near: Scratch, i: int) -> None:
    """Bend, turn and step of one unit."""
    count = 0
    px, py = real[X, i], real[Y, i]
    for j in range(real.shape[1]):
        gap = m.pair[GAP, i, j]
        if gap > 0.0 and whole[ALIVE, j] == 1:
            dx, dy = real[X, j] - px, real[Y, j] - py
            limit = gap + LOOKAHEAD
            if dx * dx + dy * dy < limit * limit:
                near[count] = j
                count += 1
    dx, dy = real[WISH_X, i], real[WISH_Y, i]
    if count > 0 and whole[ORDER, i] != MOVE:  # a move action aims only 2 ahead: nothing to plan
        dx, dy = _bend(m, real, whole, near, count, i, dx, dy)
    else:
        whole[TURNED, i] = 0
    whole[STALLED, i] = 1
    if dx == 0.0 and dy == 0.0:  # shut in: wait
        return
    faced = 1.0
    if m.trait[TURRET, i] == 0:
        faced = real[FACE_X, i] * dx + real[FACE_Y, i] * dy
        face(m, real, i, dx, dy)
    if m.body[ACCELERATION, i] < INSTANT:
        speed = min(real[SPEED, i] * max(faced, 0.0) + m.body[ACCELERATION, i], m.body[TOP_SPEED, i])
    else:
        speed = m.body[TOP_SPEED, i]
    real[SPEED, i] = speed
    if faced < m.setting[WALK_COS]:
        return
    stride = min(speed, real[STRIDE, i])
    _step(m, real, whole, near, count, i, px + dx * stride, py + dy * stride)
    if (real[X, i] - px) ** 2 + (real[Y, i] - py) ** 2 >= 0.25 * stride * stride:
        whole[STALLED, i] = 0


@kernel
def _stands_in_way(m: MapTables, real: Reals, whole: Wholes, i: int, j: int, dx: float, dy: float) -> bool:
    """Whether unit i has to walk around unit j: all but friends that it can push or that get on the same way."""
    if m.trait[SIDE, i] != m.trait[SIDE, j] or whole[POSTURE, j] == ROCK:
        return True
    if whole[POSTURE, j] == FREE:
        return bool(m.setting[PUSH_IDLE] == 0.0)
    return bool(whole[STALLED, j] == 1 or real[WISH_X, j] * dx + real[WISH_Y, j] * dy < 0.0)


@kernel
def _bend(
    m: MapTables, real: Reals, whole: Wholes, near: Scratch, count: int, i: int, dx: float, dy: float
) -> tuple[float, float]:
    """The direction nearest to (dx, dy) in which the way is free for LOOKAHEAD, on the side once chosen."""
    ahead = min(LOOKAHEAD, real[STRIDE, i])
    blocker = _first_blocker(m, real, whole, near, count, i, dx, dy, ahead)
    if blocker < 0:
        whole[TURNED, i] = 0
        return dx, dy
    side = whole[TURNED, i]
    if side == 0:  # pass the blocker on the side of its centre that is nearer to the wanted way
        cross = dx * (real[Y, blocker] - real[Y, i]) - dy * (real[X, blocker] - real[X, i])
        first = -1.0 if cross > 0.0 else 1.0
        for k in range(1, _BENDS + 1):
            for turn in (first, -first):
                s = turn * _BEND_SIN[k]
                bx, by = dx * _BEND_COS[k] - dy * s, dx * s + dy * _BEND_COS[k]
                if _free(m, real, whole, near, count, i, bx, by):
                    whole[TURNED, i] = 1 if turn > 0.0 else -1
                    return bx, by
        return 0.0, 0.0
    for turn in (float(side), -float(side)):
        for k in range(1, _BENDS + 1):
            s = turn * _BEND_SIN[k]
            bx, by = dx * _BEND_COS[k] - dy * s, dx * s + dy * _BEND_COS[k]
            if _free(m, real, whole, near, count, i, bx, by):
                whole[TURNED, i] = 1 if turn > 0.0 else -1
                return bx, by
    return 0.0, 0.0


@kernel
def _free(m: MapTables, real: Reals, whole: Wholes, near: Scratch, count: int, i: int, dx: float, dy: float) -> bool:
    """Whether neither a wall nor a standing unit is in the way of a bend."""
    reach = 0.5 * LOOKAHEAD
    if not fits(m, i, real[X, i] + dx * reach, real[Y, i] + dy * reach):
        return False
    return _first_blocker(m, real, whole, near, count, i, dx, dy, LOOKAHEAD) < 0


@kernel
def _first_blocker(
    m: MapTables, real: Reals, whole: Wholes, near: Scratch, count: int, i: int, dx: float, dy: float, ahead: float
) -> int:
    """The nearest unit that the straight way of length `ahead` would run into; -1: none."""
    px, py = real[X, i], real[Y, i]
    found, least = -1, math.inf
    for n in range(count):
        j = near[n]
        rx, ry = real[X, j] - px, real[Y, j] - py
        along = rx * dx + ry * dy
        if along <= 0.0:
            continue
        part = min(along, ahead)
        ox, oy = rx - part * dx, ry - part * dy
        gap = m.pair[GAP, i, j] - GRAZE
        if ox * ox + oy * oy < gap * gap and along < least and _stands_in_way(m, real, whole, i, j, dx, dy):
            found, least = j, along
    return found


@kernel
def _step(m: MapTables, real: Reals, whole: Wholes, near: Scratch, count: int, i: int, x: float, y: float) -> None:
    """Move unit i to (x, y), or as far along walls and units as it can."""
    px, py = real[X, i], real[Y, i]
    if not fits(m, i, x, y):
        if fits(m, i, x, py):
            y = py
        elif fits(m, i, px, y):
            x = px
        elif fits(m, i, px, py):
            return
    slid = False
    for n in range(count):
        j = near[n]
        gap = m.pair[GAP, i, j]
        dx, dy = x - real[X, j], y - real[Y, j]
        square = dx * dx + dy * dy
        if square >= gap * gap or _parting(real, j, px, py, square):
            continue
        if _push(m, real, whole, i, j, x, y, gap):
            continue
        d = math.sqrt(square)
        if d < 1e-6:
            return
        x, y = real[X, j] + dx / d * gap, real[Y, j] + dy / d * gap
        slid = True
    if slid:
        if not fits(m, i, x, y):
            return
        for n in range(count):
            j = near[n]
            gap = m.pair[GAP, i, j]
            dx, dy = x - real[X, j], y - real[Y, j]
            square = dx * dx + dy * dy
            if square < gap * gap - TOUCH and not _parting(real, j, px, py, square):
                return
    real[X, i], real[Y, i] = x, y


@kernel
def _parting(real: Reals, j: int, px: float, py: float, square: float) -> bool:
    """Whether a step that ends `square` (squared distance) from unit j leads away from it."""
    return bool(square >= (px - real[X, j]) ** 2 + (py - real[Y, j]) ** 2)


@kernel
def _push(m: MapTables, real: Reals, whole: Wholes, i: int, j: int, x: float, y: float, gap: float) -> bool:
    """Push the idle friend j out of unit i's step to (x, y), if there is room behind it."""
    if m.setting[PUSH_IDLE] == 0.0 or whole[POSTURE, j] != FREE or m.trait[SIDE, i] != m.trait[SIDE, j]:
        return False
    dx, dy = real[X, j] - x, real[Y, j] - y
    d = math.sqrt(dx * dx + dy * dy)
    if d < 1e-6 or m.body[TOP_SPEED, j] == 0.0:
        return False
    jx, jy = x + dx / d * gap, y + dy / d * gap
    if not fits(m, j, jx, jy):
        return False
    for k in range(real.shape[1]):
        other = m.pair[GAP, j, k]
        if k == i or other == 0.0 or whole[ALIVE, k] == 0:
            continue
        ex, ey = jx - real[X, k], jy - real[Y, k]
        square = ex * ex + ey * ey
        if square < other * other - TOUCH and square < (real[X, j] - real[X, k]) ** 2 + (real[Y, j] - real[Y, k]) ** 2:
            return False
    real[X, j], real[Y, j] = jx, jy
    return True
