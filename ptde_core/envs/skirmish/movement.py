"""How units turn, walk, keep apart, push, and find their way around standing units (smac-contract#movement).

Every loop, each walking unit takes one step straight where it wants to go and turns that way meanwhile: turning delays
its next shot, not its feet. A step never ends in a wall or closer to another unit than their separation (unless they
were closer before): what is in the way is pushed if it is an idle friend, else the step slides along it. Before the
step, the direction is bent around standing units on one side, which is kept until the straight way is free again, so
that late melee units run around a ring of fighters instead of queueing.
"""

import math

import numpy as np
from numpy.typing import NDArray

from ptde_core.envs.skirmish.compiled import kernel
from ptde_core.envs.skirmish.fields import (
    ACCELERATION,
    ALIVE,
    CLEARANCE,
    FACE_X,
    FACE_Y,
    FREE,
    GAP,
    GROUND,
    HEED,
    MOVE,
    ORDER,
    POSTURE,
    PUSH_IDLE,
    SIDE,
    SPEED,
    STALLED,
    STRIDE,
    TOP_SPEED,
    TURN_COS,
    TURN_SIN,
    TURNED,
    TURRET,
    WALKS,
    WISH_X,
    WISH_Y,
    X,
    Y,
)
from ptde_core.envs.skirmish.free_ways import bend, fits
from ptde_core.envs.skirmish.map_constants import HEEDED, LOOKAHEAD, MapTables, Reals, Wholes
from ptde_core.envs.skirmish.nearby import may_be_within, note_place
from ptde_core.envs.skirmish.random_stream import uniform
from ptde_core.envs.skirmish.scratch import BLOCK_SQUARE, BLOCK_X, BLOCK_Y, STANDS, WALKS_ON, YIELDS, Scratch
from ptde_core.envs.skirmish.vectors import WORD
from ptde_core.kernels.bits import lowest_one

GRAZE = 0.02  # how deep a lookahead may cut into a separation without counting as blocked
TOUCH = 1e-9
INSTANT = 1.0  # accelerations per loop squared above this are immediate


@kernel
def face(body: NDArray[np.float64], middle: float, real: Reals, i: int, dx: float, dy: float) -> float:
    """Turn unit i towards the unit vector (dx, dy) as far as one loop allows; the cosine of what remains.

    An exact reversal turns by the side on which the map's `middle` (its y) lies, so that a mirrored map mirrors it.
    """
    fx, fy = real[FACE_X, i], real[FACE_Y, i]
    cosine = fx * dx + fy * dy
    turn_cos, turn_sin = body[TURN_COS, i], body[TURN_SIN, i]
    if cosine >= turn_cos:
        real[FACE_X, i], real[FACE_Y, i] = dx, dy
        return 1.0
    cross = fx * dy - fy * dx
    if abs(cross) < 1e-9:
        cross = dx * (middle - real[Y, i]) + dy
    if cross < 0.0:
        turn_sin = -turn_sin
    gx, gy = fx * turn_cos - fy * turn_sin, fx * turn_sin + fy * turn_cos
    scale = 1.0 / math.sqrt(gx * gx + gy * gy)
    real[FACE_X, i], real[FACE_Y, i] = gx * scale, gy * scale
    return float((gx * dx + gy * dy) * scale)


@kernel
def walk_all(
    m: MapTables,
    chance: NDArray[np.uint64],
    battle: int,
    real: Reals,
    whole: Wholes,
    scratch: Scratch,
) -> None:
    """One loop of movement: every unit whose posture is WALKS takes its step.

    Chance names the first, and whether the others follow by number upwards or downwards: nobody is always first where
    there is room for one only.
    """
    body, trait, gaps = m.body, m.trait, m.pair[GAP]
    pushes, middle = m.setting[PUSH_IDLE] > 0.0, 0.5 * m.floor.shape[1]
    units = real.shape[1]
    _note_kinds(trait[SIDE], whole[POSTURE], whole[STALLED], pushes, scratch.kinds)
    draw = int(2 * units * uniform(chance, battle))
    start, upwards = draw // 2, draw % 2 == 0
    for k in range(units):
        turn = start + k if start + k < units else start + k - units
        i = turn if upwards else units - 1 - turn
        if whole[ALIVE, i] == 0 or whole[POSTURE, i] != WALKS:
            if body[ACCELERATION, i] < INSTANT:
                real[SPEED, i] = max(real[SPEED, i] - body[ACCELERATION, i], 0.0)
            continue
        kind = trait[GROUND, i]
        cells = m.ground if kind == 2 else m.floor
        r = -1.0 if kind == 0 else body[CLEARANCE, i]
        side, blocked = 4 * trait[SIDE, i], 0
        count = _look_around(m.pair[HEED, i], m.rough[HEEDED, i], real, scratch, i)
        if whole[ORDER, i] != MOVE:  # a move action aims only 2 ahead: nothing to plan
            blocked = _list_blockers(gaps[i], side, real, scratch, count, i)
        dx, dy = real[WISH_X, i], real[WISH_Y, i]
        whole[STALLED, i], scratch.kinds[i] = 1, side + STANDS
        if blocked == 0:
            whole[TURNED, i] = 0
        else:
            ahead = min(LOOKAHEAD, real[STRIDE, i])
            turned = whole[TURNED, i]
            dx, dy, turned = bend(cells, r, real[X, i], real[Y, i], scratch, blocked, turned, dx, dy, ahead)
            whole[TURNED, i] = turned
            if dx == 0.0 and dy == 0.0:  # shut in: wait
                continue
        faced = 1.0
        if trait[TURRET, i] == 0:
            faced = face(body, middle, real, i, dx, dy)
        speed = body[TOP_SPEED, i]
        if body[ACCELERATION, i] < INSTANT:
            speed = min(real[SPEED, i] * max(faced, 0.0) + body[ACCELERATION, i], speed)
        real[SPEED, i] = speed
        px, py, stride = real[X, i], real[Y, i], min(speed, real[STRIDE, i])
        _step(
            body,
            trait,
            gaps,
            m.floor,
            m.ground,
            pushes,
            real,
            whole,
            scratch,
            count,
            i,
            px + dx * stride,
            py + dy * stride,
        )
        note_place(real, scratch, i)
        if (real[X, i] - px) ** 2 + (real[Y, i] - py) ** 2 >= 0.25 * stride * stride:
            whole[STALLED, i], scratch.kinds[i] = 0, side + WALKS_ON


@kernel
def _note_kinds(
    sides: NDArray[np.int64],
    postures: NDArray[np.int64],
    stalled: NDArray[np.int64],
    pushes: bool,
    kinds: NDArray[np.int64],
) -> None:
    """Note what all units do about friends: without branches, so that the processor takes several at a time."""
    for i in range(len(kinds)):
        yields, walks_on = (postures[i] == FREE) & pushes, (postures[i] == WALKS) & (stalled[i] == 0)
        kinds[i] = 4 * sides[i] + YIELDS * int(yields) + WALKS_ON * int(walks_on)


@kernel
def _look_around(
    heed: NDArray[np.float64],
    rough_heed: NDArray[np.float32],
    real: Reals,
    scratch: Scratch,
    i: int,
) -> int:
    """List in `near` the units that unit i may touch soon; how many they are."""
    near, count = scratch.near, np.uint64(0)
    px, py, xs, ys = real[X, i], real[Y, i], real[X], real[Y]
    for first in range(0, len(xs), WORD):
        found = may_be_within(scratch, rough_heed, first, len(xs), px, py)
        while found != 0:
            j = first + lowest_one(found)
            found &= found - np.uint64(1)
            dx, dy = xs[j] - px, ys[j] - py
            near[count] = j
            count += np.uint64(dx * dx + dy * dy < heed[j])
    return int(count)


@kernel
def _list_blockers(gaps: NDArray[np.float64], side: int, real: Reals, scratch: Scratch, count: int, i: int) -> int:
    """List in `block` which of the first `count` units in `near` are to be walked around; how many they are.

    That is everything but friends that unit i can push or that get on the same way; `side` is its own, as in `kinds`.
    """
    near, block, kinds, blocked = scratch.near, scratch.block, scratch.kinds, np.uint64(0)
    px, py, wish_x, wish_y = real[X, i], real[Y, i], real[WISH_X, i], real[WISH_Y, i]
    yields, walks = side + YIELDS, side + WALKS_ON
    xs, ys, wishes_x, wishes_y = real[X], real[Y], real[WISH_X], real[WISH_Y]
    for n in range(count):
        j = near[n]
        along = wishes_x[j] * wish_x + wishes_y[j] * wish_y
        block[BLOCK_X, blocked], block[BLOCK_Y, blocked] = xs[j] - px, ys[j] - py
        block[BLOCK_SQUARE, blocked] = (gaps[j] - GRAZE) ** 2
        passes = (kinds[j] == yields) | ((kinds[j] == walks) & (along >= 0.0))
        blocked += np.uint64(1) - np.uint64(passes)
    return int(blocked)


@kernel
def _step(  # noqa: PLR0912  (one step, told in one place: the numba call would cost more than it does)
    body: NDArray[np.float64],
    trait: NDArray[np.int64],
    gaps: NDArray[np.float64],
    floor: NDArray[np.uint8],
    ground: NDArray[np.uint8],
    pushes: bool,
    real: Reals,
    whole: Wholes,
    scratch: Scratch,
    count: int,
    i: int,
    x: float,
    y: float,
) -> None:
    """Move unit i to (x, y), or as far along walls and units as it can."""
    near, px, py = scratch.near, real[X, i], real[Y, i]
    cells = ground if trait[GROUND, i] == 2 else floor
    r = -1.0 if trait[GROUND, i] == 0 else body[CLEARANCE, i]
    if not fits(cells, r, x, y):
        if fits(cells, r, x, py):
            y = py
        elif fits(cells, r, px, y):
            x = px
        elif fits(cells, r, px, py):
            return
    slid = False
    for n in range(count):
        j = near[n]
        gap = gaps[i, j]
        dx, dy = x - real[X, j], y - real[Y, j]
        square = dx * dx + dy * dy
        if square >= gap * gap or square >= (px - real[X, j]) ** 2 + (py - real[Y, j]) ** 2:
            continue  # apart, or parting
        if pushes and whole[POSTURE, j] == FREE and trait[SIDE, i] == trait[SIDE, j] and body[TOP_SPEED, j] > 0.0:
            pushed_cells = ground if trait[GROUND, j] == 2 else floor
            pushed_r = -1.0 if trait[GROUND, j] == 0 else body[CLEARANCE, j]
            if _push(gaps, pushed_cells, pushed_r, real, whole, i, j, x, y):
                note_place(real, scratch, j)
                continue
        d = math.sqrt(square)
        if d < 1e-6:
            return
        x, y = real[X, j] + dx / d * gap, real[Y, j] + dy / d * gap
        slid = True
    if slid:
        if not fits(cells, r, x, y):
            return
        for n in range(count):
            j = near[n]
            gap = gaps[i, j]
            square = (x - real[X, j]) ** 2 + (y - real[Y, j]) ** 2
            parting = square >= (px - real[X, j]) ** 2 + (py - real[Y, j]) ** 2
            if square < gap * gap - TOUCH and not parting:
                return
    real[X, i], real[Y, i] = x, y


@kernel
def _push(
    gaps: NDArray[np.float64],
    cells: NDArray[np.uint8],
    r: float,
    real: Reals,
    whole: Wholes,
    i: int,
    j: int,
    x: float,
    y: float,
) -> bool:
    """Push the idle friend j out of unit i's step to (x, y), if there is room behind it."""
    dx, dy = real[X, j] - x, real[Y, j] - y
    d = math.sqrt(dx * dx + dy * dy)
    if d < 1e-6:
        return False
    jx, jy = x + dx / d * gaps[i, j], y + dy / d * gaps[i, j]
    if not fits(cells, r, jx, jy):
        return False
    for k in range(real.shape[1]):
        other = gaps[j, k]
        if k == i or other == 0.0 or whole[ALIVE, k] == 0:
            continue
        square = (jx - real[X, k]) ** 2 + (jy - real[Y, k]) ** 2
        if square < other * other - TOUCH and square < (real[X, j] - real[X, k]) ** 2 + (real[Y, j] - real[Y, k]) ** 2:
            return False
    real[X, j], real[Y, j] = jx, jy
    return True
