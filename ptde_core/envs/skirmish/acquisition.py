"""Whom a unit fights: acquiring, keeping, changing and giving up targets, and answering fire.

Source: smac-contract#targets.
"""

import math

import numpy as np

from ptde_core.envs.skirmish.compiled import kernel
from ptde_core.envs.skirmish.fields import (
    ALIVE,
    ANSWERS,
    ARMED,
    ATTACK_ALL,
    ATTACK_MOVE,
    AWAY,
    BACKSWING,
    BURST_AT,
    CHASE_TO_LEASH,
    HELP,
    HOME_X,
    HOME_Y,
    IDLE,
    NOTICED,
    ORDER,
    RADIUS,
    REACH,
    RETARGET_HITTABLE,
    SCAN,
    STRUCK_BY,
    SWING_AT,
    TARGET,
    THREAT,
    TURN_ON_SHOOTER,
    X,
    Y,
)
from ptde_core.envs.skirmish.map_constants import ANYWHERE, IN_REACH, IN_SIGHT, MapTables, Reals, Wholes
from ptde_core.envs.skirmish.nearby import may_be_within
from ptde_core.envs.skirmish.scratch import Scratch
from ptde_core.envs.skirmish.vectors import WORD
from ptde_core.envs.skirmish.weapons import in_reach
from ptde_core.kernels.bits import lowest_one

LEASH = 21.0  # an idle unit follows an acquired target this far from where it stood
CALL_RADIUS = 4.0  # friends whose edge is within this distance of a struck unit's edge join it
CALL_PERIOD = 32.0  # loops between two calls of one unit


@kernel
def acquire(m: MapTables, n_agents: int, real: Reals, whole: Wholes, scratch: Scratch) -> None:
    """Choose targets of all enemy units for this loop; allied copies are passive and keep what they were ordered.

    `scratch` has the units' places.
    """
    to_leash, retargets = m.setting[CHASE_TO_LEASH] > 0.0, m.setting[RETARGET_HITTABLE] > 0.0
    for i in range(n_agents, real.shape[1]):
        if whole[ALIVE, i] == 0 or m.trait[ARMED, i] == 0:
            continue
        order = whole[ORDER, i]
        target = whole[TARGET, i]
        if target >= 0 and whole[ALIVE, target] == 0:
            target = -1
        if order == ATTACK_ALL:
            if target < 0:
                target = _nearest(m, n_agents, real, scratch, i, ANYWHERE)
                if target < 0:
                    whole[ORDER, i] = IDLE
                    real[HOME_X, i], real[HOME_Y, i] = real[X, i], real[Y, i]
        elif order in (ATTACK_MOVE, IDLE) and whole[SWING_AT, i] < 0 and whole[BURST_AT, i] < 0:
            if target >= 0 and real[BACKSWING, i] <= 0.0:  # until then it stands, and thinks of nobody else
                target = _reconsider(m, n_agents, real, whole, scratch, i, target, retargets, to_leash)
            if target < 0:
                target = _nearest(m, n_agents, real, scratch, i, IN_SIGHT)
                if target >= 0 and order == IDLE:
                    whole[AWAY, i] = NOTICED
        whole[TARGET, i] = target


@kernel
def _reconsider(
    m: MapTables,
    n_agents: int,
    real: Reals,
    whole: Wholes,
    scratch: Scratch,
    i: int,
    target: int,
    retargets: bool,
    to_leash: bool,
) -> int:
    """Whether a unit keeps its target, leaves it for another, or gives it up (-1).

    A target within reach is kept, unless it cannot hit back and others can. On the way, one that can be hit at once is
    better.
    """
    pair = m.pair
    if in_reach(pair, real, i, target):
        if pair[THREAT, i, target] == 0.0:  # a unit that can hit back comes before one that cannot
            threat = _nearest(m, n_agents, real, scratch, i, IN_SIGHT)
            if threat >= 0 and pair[THREAT, i, threat] > 0.0:
                return threat
        return target
    if whole[ORDER, i] == IDLE and (to_leash or whole[AWAY, i] == ANSWERS):
        gone = math.hypot(real[X, i] - real[HOME_X, i], real[Y, i] - real[HOME_Y, i]) > LEASH
    else:
        away = math.hypot(real[X, i] - real[X, target], real[Y, i] - real[Y, target])
        gone = not to_leash and away > pair[SCAN, i, target]
    if gone:
        return -1
    if retargets:
        better = _nearest(m, n_agents, real, scratch, i, IN_REACH)
        return better if better >= 0 else target
    return target


@kernel
def _nearest(m: MapTables, n_agents: int, real: Reals, scratch: Scratch, i: int, scope: int) -> int:
    """The best living foe of enemy i within the scope: threats first, then the nearest edge; -1: none."""
    pair, radius, x, y = m.pair, m.body[RADIUS], real[X, i], real[Y, i]
    best, best_edge, best_threat = -1, math.inf, -1.0
    for first in range(0, n_agents, WORD):
        found = may_be_within(scratch, m.rough[scope, i], first, n_agents, x, y)
        while found != 0:
            j = first + lowest_one(found)
            found &= found - np.uint64(1)
            limit = pair[REACH, i, j] if scope == IN_REACH else (pair[SCAN, i, j] if scope == IN_SIGHT else math.inf)
            dx, dy = real[X, j] - x, real[Y, j] - y
            square = dx * dx + dy * dy
            if square > limit * limit:
                continue
            threat = pair[THREAT, i, j]
            edge = math.sqrt(square) - radius[j]
            if threat > best_threat or (threat == best_threat and edge < best_edge):
                best, best_edge, best_threat = j, edge, threat
    return best


@kernel
def answer_fire(m: MapTables, n_agents: int, real: Reals, whole: Wholes) -> None:
    """Struck enemies that have nothing to hit turn on the shooter and call friends nearby (smac-contract#targets)."""
    for i in range(n_agents, real.shape[1]):
        real[HELP, i] = max(real[HELP, i] - 1.0, 0.0)
        shooter = whole[STRUCK_BY, i]
        whole[STRUCK_BY, i] = -1
        if shooter < 0 or whole[ALIVE, i] == 0 or whole[ALIVE, shooter] == 0:
            continue
        if whole[ORDER, i] != IDLE and whole[ORDER, i] != ATTACK_MOVE:
            continue
        _turn_on(m, real, whole, i, shooter, m.setting[TURN_ON_SHOOTER] > 0.0)
        if real[HELP, i] > 0.0:
            continue
        real[HELP, i] = CALL_PERIOD
        for j in range(n_agents, real.shape[1]):
            limit = CALL_RADIUS + m.body[RADIUS, i] + m.body[RADIUS, j]
            near = math.hypot(real[X, j] - real[X, i], real[Y, j] - real[Y, i]) <= limit
            if near and whole[ALIVE, j] == 1 and (whole[ORDER, j] == IDLE or whole[ORDER, j] == ATTACK_MOVE):
                _turn_on(m, real, whole, j, shooter, False)


@kernel
def _turn_on(m: MapTables, real: Reals, whole: Wholes, i: int, foe: int, leaves: bool) -> None:
    """Make foe the target of a unit that has none, or (`leaves`) one that it cannot hit yet."""
    if m.pair[REACH, i, foe] < 0.0 or whole[SWING_AT, i] >= 0 or whole[BURST_AT, i] >= 0:
        return
    target = whole[TARGET, i]
    if target >= 0 and (not leaves or in_reach(m.pair, real, i, target)):
        return
    if whole[ORDER, i] == IDLE:
        whole[AWAY, i] = ANSWERS
    whole[TARGET, i] = foe
