"""What orders mean: agents' actions become orders, the enemy gets its one order, orders become wishes for a loop."""

import math

import numpy as np
from numpy.typing import NDArray

from ptde_core.envs.skirmish.compiled import kernel
from ptde_core.envs.skirmish.fields import (
    AIM_X,
    AIM_Y,
    ALIVE,
    ATTACK,
    ATTACK_MOVE,
    AWAY,
    BACKSWING,
    BURST_AT,
    CAST_REACH,
    COOLDOWN,
    EAST,
    ENERGY,
    FIRST_TARGET,
    FREE,
    GAP,
    GROUND,
    HEAL,
    HEAL_RATE,
    HEAL_REACH,
    HEAL_SCAN,
    HEAL_START,
    HEALER_FOLLOWS,
    HEALTH,
    HEALTH_MAX,
    HOLD_BACKSWING,
    HOME,
    HOME_X,
    HOME_Y,
    IDLE,
    IDLE_RETURNS,
    KEEP_FORMATION,
    MOVE,
    NORTH,
    OPEN_GROUND,
    ORDER,
    ORDER_KIND,
    POINT_X,
    POINT_Y,
    POSTURE,
    RADIUS,
    REACH,
    ROCK,
    SCAN_PHASE,
    SIDE,
    SOUTH,
    STOP,
    STRIDE,
    SWING_AT,
    TARGET,
    TOP_SPEED,
    WALKS,
    WAY_FOR,
    WAY_X,
    WAY_Y,
    WEST,
    WISH_X,
    WISH_Y,
    X,
    Y,
)
from ptde_core.envs.skirmish.map_constants import MapTables, Reals, Wholes
from ptde_core.envs.skirmish.movement import face
from ptde_core.envs.skirmish.paths import next_bend
from ptde_core.envs.skirmish.random_stream import uniform
from ptde_core.envs.skirmish.weapons import begin_swing, cancel_swing, heal, in_reach

MOVE_AMOUNT = 2.0  # how far ahead of the unit a move action points
ARC_COS = math.cos(math.radians(11.25))  # a unit fires at what it faces within this angle
ARRIVED = 0.05  # distance at which a point counts as reached
OVERSTEP = 1e-4  # a unit walks this far into its range, so that rounding cannot leave it just outside
REPLAN = 4  # loops between two looks at the walls by a walking unit
COMPACT = 6.0  # a group that covers at most this from west to east and from south to north may keep its shape
CROWD = 2.0  # within this of its point, a unit that bumps into an arrived friend has arrived, too


@kernel
def order_agents(m: MapTables, n_agents: int, real: Reals, whole: Wholes, actions: NDArray[np.int64]) -> None:
    """Give each living agent the order of its action; `actions` (N,). An equal attack order just goes on.

    Source: smac-contract#actions.
    """
    for i in range(n_agents):
        action = actions[i]
        if whole[ALIVE, i] == 0 or action < STOP:
            continue
        if action >= FIRST_TARGET:
            if m.body[HEAL_RATE, i] > 0.0:
                order, target = HEAL, action - FIRST_TARGET
                possible = target < n_agents and target != i
            else:
                order, target = ATTACK, action - FIRST_TARGET + n_agents
                possible = m.pair[REACH, i, target] >= 0.0
            if not possible or (whole[ORDER, i] == order and whole[TARGET, i] == target):
                continue  # the game rejects an order on what cannot be its target: the unit goes on as it was
            cancel_swing(real, whole, i)
            whole[ORDER, i], whole[TARGET, i] = order, target
            continue
        cancel_swing(real, whole, i)
        whole[TARGET, i] = -1
        if action == STOP:
            whole[ORDER, i] = IDLE
            continue
        whole[ORDER, i] = MOVE
        east = 1.0 if action == EAST else (-1.0 if action == WEST else 0.0)
        north = 1.0 if action == NORTH else (-1.0 if action == SOUTH else 0.0)
        real[POINT_X, i] = real[X, i] + MOVE_AMOUNT * east
        real[POINT_Y, i] = real[Y, i] + MOVE_AMOUNT * north


@kernel
def order_enemies(
    m: MapTables, n_agents: int, chance: NDArray[np.uint64], battle: int, real: Reals, whole: Wholes
) -> None:
    """The map script's one order to all enemies (smac-contract#start, #targets)."""
    units = real.shape[1]
    share = uniform(chance, battle)
    x = m.order[0] + share * (m.order[2] - m.order[0])
    y = m.order[1] + share * (m.order[3] - m.order[1])
    count = units - n_agents
    mean_x, mean_y = 0.0, 0.0
    west, east, south, north = math.inf, -math.inf, math.inf, -math.inf  # what the group covers, bodies included
    for i in range(n_agents, units):
        mean_x += real[X, i] / count
        mean_y += real[Y, i] / count
        r = m.body[RADIUS, i]
        west, east = min(west, real[X, i] - r), max(east, real[X, i] + r)
        south, north = min(south, real[Y, i] - r), max(north, real[Y, i] + r)
    compact = max(east - west, north - south) <= COMPACT
    keeps = m.setting[KEEP_FORMATION] if compact else 0.0
    for i in range(n_agents, units):
        kind = int(m.setting[ORDER_KIND])
        if m.body[HEAL_RATE, i] > 0.0 and m.setting[HEALER_FOLLOWS] == 0.0:
            kind = IDLE
        whole[ORDER, i] = kind
        real[POINT_X, i] = x + (real[X, i] - mean_x) * keeps
        real[POINT_Y, i] = y + (real[Y, i] - mean_y) * keeps


@kernel
def decide(m: MapTables, loop: int, chance: NDArray[np.uint64], battle: int, real: Reals, whole: Wholes) -> None:
    """What every unit does in this loop: posture, direction and longest step, or the start of a swing."""
    body, pair = m.body, m.pair
    middle, holds = 0.5 * m.floor.shape[1], m.setting[HOLD_BACKSWING] > 0.0
    for i in range(real.shape[1]):
        if whole[ALIVE, i] == 0:
            continue
        whole[POSTURE, i] = FREE if body[TOP_SPEED, i] > 0.0 else ROCK
        if body[HEAL_RATE, i] > 0.0:
            _decide_healer(m, loop, real, whole, i)
            continue
        if whole[SWING_AT, i] >= 0 or whole[BURST_AT, i] >= 0:
            whole[POSTURE, i] = ROCK
            continue
        target = whole[TARGET, i]
        if target < 0 or whole[ALIVE, target] == 0:
            _go(m, real, whole, i)
        elif in_reach(pair, real, i, target):
            whole[POSTURE, i] = ROCK
            dx, dy = real[X, target] - real[X, i], real[Y, target] - real[Y, i]
            d = math.sqrt(dx * dx + dy * dy)
            faced = 1.0 if d < 1e-9 else face(body, middle, real, i, dx / d, dy / d)
            if faced >= ARC_COS and real[COOLDOWN, i] <= 0.0:
                begin_swing(body, pair, chance, battle, real, whole, i, target)
        elif real[BACKSWING, i] > 0.0 and holds:
            whole[POSTURE, i] = ROCK
        else:
            _head_for(body, real, whole, i, real[X, target], real[Y, target], pair[REACH, i, target])
    if m.setting[OPEN_GROUND] == 0.0:
        find_ways(m, loop, real, whole)


@kernel
def _go(m: MapTables, real: Reals, whole: Wholes, i: int) -> None:
    """Follow an order that has no target at the moment."""
    order = whole[ORDER, i]
    if order in (ATTACK, HEAL):  # its target is dead: nothing left to do
        whole[ORDER, i], whole[TARGET, i] = IDLE, -1
    elif order == MOVE:
        if not _head_for(m.body, real, whole, i, real[POINT_X, i], real[POINT_Y, i], ARRIVED):
            whole[ORDER, i] = IDLE
    elif order == ATTACK_MOVE:
        walking = _head_for(m.body, real, whole, i, real[POINT_X, i], real[POINT_Y, i], ARRIVED)
        if not walking or _joins_crowd(m, real, whole, i):
            whole[ORDER, i], whole[POSTURE, i], whole[AWAY, i] = IDLE, FREE, HOME
            real[HOME_X, i], real[HOME_Y, i] = real[X, i], real[Y, i]
    elif order == IDLE and whole[AWAY, i] != HOME:
        back = m.setting[IDLE_RETURNS] > 0.0 and _head_for(
            m.body, real, whole, i, real[HOME_X, i], real[HOME_Y, i], ARRIVED
        )
        if not back or _joins_crowd(m, real, whole, i):
            whole[POSTURE, i], whole[AWAY, i] = FREE, HOME
            if m.setting[IDLE_RETURNS] == 0.0:
                real[HOME_X, i], real[HOME_Y, i] = real[X, i], real[Y, i]


@kernel
def _joins_crowd(m: MapTables, real: Reals, whole: Wholes, i: int) -> bool:
    """Whether a unit near the end of its way stands against a friend that has arrived and is nearer to the end."""
    x = real[POINT_X, i] if whole[ORDER, i] == ATTACK_MOVE else real[HOME_X, i]
    y = real[POINT_Y, i] if whole[ORDER, i] == ATTACK_MOVE else real[HOME_Y, i]
    own = math.sqrt((x - real[X, i]) ** 2 + (y - real[Y, i]) ** 2)
    if own > CROWD:
        return False
    for j in range(real.shape[1]):
        if j == i or whole[ALIVE, j] == 0 or m.trait[SIDE, j] != m.trait[SIDE, i] or whole[ORDER, j] != IDLE:
            continue
        limit = m.pair[GAP, i, j] + 0.05
        touching = (real[X, j] - real[X, i]) ** 2 + (real[Y, j] - real[Y, i]) ** 2 < limit * limit
        if touching and whole[AWAY, j] == HOME and math.sqrt((x - real[X, j]) ** 2 + (y - real[Y, j]) ** 2) < own:
            return True
    return False


@kernel
def _head_for(body: NDArray[np.float64], real: Reals, whole: Wholes, i: int, x: float, y: float, enough: float) -> bool:
    """Wish to walk straight to within `enough` of (x, y); false if that is done or the unit cannot move."""
    dx, dy = x - real[X, i], y - real[Y, i]
    d = math.sqrt(dx * dx + dy * dy)
    if d <= enough or body[TOP_SPEED, i] == 0.0:
        return False
    whole[POSTURE, i] = WALKS
    real[AIM_X, i], real[AIM_Y, i] = x, y
    real[WISH_X, i], real[WISH_Y, i] = dx / d, dy / d
    real[STRIDE, i] = d - enough + OVERSTEP
    return True


@kernel
def find_ways(m: MapTables, loop: int, real: Reals, whole: Wholes) -> None:
    """Bend the wishes of walking units around walls; the way is planned every few loops and for a new target."""
    for i in range(real.shape[1]):
        if whole[ALIVE, i] == 0 or whole[POSTURE, i] != WALKS or m.trait[GROUND, i] != 1:
            continue
        if loop % REPLAN == 0 or whole[WAY_FOR, i] != whole[TARGET, i]:
            whole[WAY_FOR, i] = whole[TARGET, i]
            next_bend(m, real, i, real[AIM_X, i], real[AIM_Y, i])
        dx, dy = real[WAY_X, i] - real[X, i], real[WAY_Y, i] - real[Y, i]
        d = math.sqrt(dx * dx + dy * dy)
        if d > 1e-9:
            real[WISH_X, i], real[WISH_Y, i] = dx / d, dy / d


@kernel
def _decide_healer(m: MapTables, loop: int, real: Reals, whole: Wholes, i: int) -> None:
    """A medivac: agents' heal only on order; the enemy's follows its order and heals by autocast.

    Source: smac-contract#targets, #special-units.
    """
    if whole[ORDER, i] in (ATTACK_MOVE, IDLE) and m.trait[SIDE, i] == 1:
        looks = (loop + whole[SCAN_PHASE, i]) % int(m.setting[HEAL_SCAN]) == 0
        whole[TARGET, i] = _patient(m, real, whole, i, looks)
    patient = whole[TARGET, i]
    if whole[ORDER, i] == HEAL and real[HEALTH, patient] >= m.body[HEALTH_MAX, patient]:
        whole[ORDER, i], whole[TARGET, i], patient = (
            IDLE,
            -1,
            -1,
        )  # nothing to heal: order dropped (smac-contract#special-units)
    if patient < 0 or whole[ALIVE, patient] == 0 or m.pair[HEAL_REACH, i, patient] < 0.0:
        _go(m, real, whole, i)
    else:
        reach = m.pair[HEAL_REACH, i, patient]
        if not _head_for(m.body, real, whole, i, real[X, patient], real[Y, patient], reach):
            dx, dy = real[X, patient] - real[X, i], real[Y, patient] - real[Y, i]
            d = math.sqrt(dx * dx + dy * dy)
            if d > 1e-9:
                face(m.body, 0.5 * m.floor.shape[1], real, i, dx / d, dy / d)
            heal(m, real, whole, i, patient)


@kernel
def _patient(m: MapTables, real: Reals, whole: Wholes, i: int, looks: bool) -> int:
    """Autocast: its patient until that is whole, then, if the healer `looks`, another one in range; -1: none.

    The damaged friend with the least share of its life, one healer each.
    """
    current = whole[TARGET, i]
    going = current >= 0 and whole[ALIVE, current] == 1 and real[HEALTH, current] < m.body[HEALTH_MAX, current]
    if going and real[ENERGY, i] > 0.0 and _cast_distance(m, real, i, current) <= 0.0:
        return int(current)
    if not looks or real[ENERGY, i] < m.body[HEAL_START, i]:
        return -1
    best, least = -1, 1.0
    for j in range(real.shape[1]):
        share = real[HEALTH, j] / m.body[HEALTH_MAX, j]
        if whole[ALIVE, j] == 0 or share >= least or _cast_distance(m, real, i, j) > 0.0:
            continue
        taken = False
        for k in range(real.shape[1]):
            taken = taken or (
                k != i
                and m.body[HEAL_RATE, k] > 0.0
                and m.trait[SIDE, k] == m.trait[SIDE, i]
                and whole[ALIVE, k] == 1
                and whole[TARGET, k] == j
            )
        if not taken:
            best, least = j, share
    return best


@kernel
def _cast_distance(m: MapTables, real: Reals, i: int, j: int) -> float:
    """How far unit j is outside the autocast range of healer i; inf if it cannot be healed at all."""
    reach = m.pair[CAST_REACH, i, j]
    if reach < 0.0:
        return math.inf
    return float(math.sqrt((real[X, i] - real[X, j]) ** 2 + (real[Y, i] - real[Y, j]) ** 2) - reach)
