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

from ptde_core.envs.skirmish.compiled import WORD, kernel, trailing_zeros
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
from ptde_core.envs.skirmish.free_ways import BLOCK_SQUARE, BLOCK_X, BLOCK_Y, Block, bend, fits
from ptde_core.envs.skirmish.map_constants import LOOKAHEAD, MapTables, Reals, Wholes
from ptde_core.envs.skirmish.random_stream import uniform

Near = NDArray[np.uint16]  # (U,) scratch: indices of units nearby (unsigned: no index counts from the end)

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
    near: Near,
    block: Block,
) -> None:
    """One loop of movement: every unit whose posture is WALKS takes its step.

    Chance names the first, and whether the others follow by number upwards or downwards: nobody is always first where
    there is room for one only.
    """
    body, trait, gaps = m.body, m.trait, m.pair[GAP]
    pushes, middle = m.setting[PUSH_IDLE] > 0.0, 0.5 * m.floor.shape[1]
    units = real.shape[1]
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
        plans = whole[ORDER, i] != MOVE  # a move action aims only 2 ahead: nothing to plan
        count, blocked = _look_around(trait, gaps, m.pair[HEED], plans, pushes, real, whole, near, block, i)
        dx, dy = real[WISH_X, i], real[WISH_Y, i]
        whole[STALLED, i] = 1
        if blocked == 0:
            whole[TURNED, i] = 0
        else:
            ahead = min(LOOKAHEAD, real[STRIDE, i])
            dx, dy, side = bend(cells, r, real[X, i], real[Y, i], block, blocked, whole[TURNED, i], dx, dy, ahead)
            whole[TURNED, i] = side
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
            near,
            count,
            i,
            px + dx * stride,
            py + dy * stride,
        )
        if (real[X, i] - px) ** 2 + (real[Y, i] - py) ** 2 >= 0.25 * stride * stride:
            whole[STALLED, i] = 0


@kernel
def _look_around(
    trait: NDArray[np.int64],
    gaps: NDArray[np.float64],
    heed: NDArray[np.float64],
    plans: bool,
    pushes: bool,
    real: Reals,
    whole: Wholes,
    near: Near,
    block: Block,
    i: int,
) -> tuple[int, int]:
    """List in `near` the units that unit i may touch soon, and in `block`, if it `plans`, those to walk around.

    Walked around is everything but friends that it can push or that get on the same way. Returns both numbers.
    """
    count, blocked = 0, 0
    px, py, wish_x, wish_y = real[X, i], real[Y, i], real[WISH_X, i], real[WISH_Y, i]
    xs, ys = real[X], real[Y]
    for first in range(0, len(xs), WORD):
        found = _within(xs, ys, heed[i], whole[ALIVE], first, px, py)
        while found != 0:
            j = first + trailing_zeros(found)
            found &= found - np.uint64(1)
            near[count] = j
            count += 1
            if plans:
                posture = whole[POSTURE, j]
                along = real[WISH_X, j] * wish_x + real[WISH_Y, j] * wish_y
                yields = (posture == FREE) & pushes
                goes_along = (posture == WALKS) & (whole[STALLED, j] == 0) & (along >= 0.0)
                block[BLOCK_X, blocked], block[BLOCK_Y, blocked] = xs[j] - px, ys[j] - py
                block[BLOCK_SQUARE, blocked] = (gaps[i, j] - GRAZE) ** 2
                blocked += 1 - int((trait[SIDE, i] == trait[SIDE, j]) & (yields | goes_along))
    return count, blocked


@kernel
def _within(
    xs: NDArray[np.float64],
    ys: NDArray[np.float64],
    squares: NDArray[np.float64],
    alive: NDArray[np.int64],
    first: int,
    px: float,
    py: float,
) -> np.uint64:
    """Bit k: whether unit `first` + k lives and is nearer to (px, py) than the root of its square.

    Without branches, so that the processor takes several units at a time.
    """
    found = np.uint64(0)
    for k in range(min(WORD, len(xs) - first)):
        j = first + k
        dx, dy = xs[j] - px, ys[j] - py
        near = int(dx * dx + dy * dy - squares[j] < 0.0) & alive[j]
        found |= np.uint64(near) << np.uint64(k)
    return found


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
    near: Near,
    count: int,
    i: int,
    x: float,
    y: float,
) -> None:
    """Move unit i to (x, y), or as far along walls and units as it can."""
    px, py = real[X, i], real[Y, i]
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
