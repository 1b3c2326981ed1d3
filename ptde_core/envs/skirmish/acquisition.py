"""Whom a unit fights: acquiring, keeping, changing and giving up targets (SPEC 9.7), and answering fire."""

import math

import numpy as np
from numpy.typing import NDArray

from ptde_core.envs.skirmish.compile import kernel
from ptde_core.envs.skirmish.fields import (
    ALIVE,
    ARMED,
    ATTACK_ALL,
    ATTACK_MOVE,
    AWAY,
    BURST_AT,
    CHASE_TO_LEASH,
    HELP,
    HOME_X,
    HOME_Y,
    IDLE,
    IDLE_WATCH,
    MELEE,
    MELEE_SPREAD,
    ORDER,
    RADIUS,
    REACH,
    RETARGET_HITTABLE,
    SCAN,
    SCAN_PERIOD,
    STRUCK_BY,
    SUITORS,
    SWING_AT,
    TARGET,
    THREAT,
    TOP_SPEED,
    TURN_ON_SHOOTER,
    X,
    Y,
)
from ptde_core.envs.skirmish.tables import MapTables, Reals, Wholes
from ptde_core.envs.skirmish.weapons import in_reach

Pairs = NDArray[np.float64]  # (PAIRS, U, U)
Row = NDArray[np.float64]  # (U,)
IN_REACH, IN_SIGHT, ANYWHERE = range(3)  # where to look for a target

LEASH = 21.0  # an acquired target is followed this far from where the chase began
CALL_RADIUS = 4.0  # idle friends within this distance of a struck unit join it
CALL_PERIOD = 32.0  # loops between two calls of one unit


@kernel
def acquire(m: MapTables, loop: int, n_agents: int, real: Reals, whole: Wholes) -> None:
    """Choose targets of all enemy units for this loop; allied copies are passive and keep what they were ordered."""
    pair, radius = m.pair, m.body[RADIUS]
    period, spread = int(m.setting[SCAN_PERIOD]), m.setting[MELEE_SPREAD]
    watch = m.setting[IDLE_WATCH]
    to_leash, retargets = m.setting[CHASE_TO_LEASH] > 0.0, m.setting[RETARGET_HITTABLE] > 0.0
    _count_suitors(n_agents, whole)
    for i in range(n_agents, real.shape[1]):
        if whole[ALIVE, i] == 0 or m.trait[ARMED, i] == 0:
            continue
        order = whole[ORDER, i]
        target = whole[TARGET, i]
        if target >= 0 and whole[ALIVE, target] == 0:
            target = -1
        crowding = spread if m.trait[MELEE, i] == 1 else 0.0
        if order == ATTACK_ALL:
            if target < 0:
                target = _nearest(pair, radius, n_agents, real, whole, i, ANYWHERE, 0.0, crowding)
                if target < 0:
                    whole[ORDER, i] = IDLE
                    real[HOME_X, i], real[HOME_Y, i] = real[X, i], real[Y, i]
        elif order in (ATTACK_MOVE, IDLE) and whole[SWING_AT, i] < 0 and whole[BURST_AT, i] < 0:
            had = target >= 0
            if had:
                looks = (loop + i) % period == 0
                target = _reconsider(
                    pair, radius, n_agents, real, whole, i, target, looks, retargets, to_leash, crowding
                )
            if target < 0:
                beyond = watch if order == IDLE and m.body[TOP_SPEED, i] > 0.0 else 0.0
                target = _nearest(pair, radius, n_agents, real, whole, i, IN_SIGHT, beyond, crowding)
            if target >= 0 and not had and whole[AWAY, i] == 0:
                whole[AWAY, i] = 1
                if order == ATTACK_MOVE:
                    real[HOME_X, i], real[HOME_Y, i] = real[X, i], real[Y, i]
            if target < 0 and order == ATTACK_MOVE:
                whole[AWAY, i] = 0
        _court(whole, i, target)


@kernel
def _court(whole: Wholes, i: int, target: int) -> None:
    """Give unit i its target, and keep count of every target's suitors."""
    if whole[TARGET, i] >= 0:
        whole[SUITORS, whole[TARGET, i]] -= 1
    if target >= 0:
        whole[SUITORS, target] += 1
    whole[TARGET, i] = target


@kernel
def _reconsider(
    pair: Pairs,
    radius: Row,
    n_agents: int,
    real: Reals,
    whole: Wholes,
    i: int,
    target: int,
    looks: bool,
    retargets: bool,
    to_leash: bool,
    crowding: float,
) -> int:
    """Whether a unit keeps its target, when it `looks` leaves it for a better one, or gives it up (-1)."""
    if in_reach(pair, real, i, target):
        if looks and pair[THREAT, i, target] == 0.0:  # a unit that can hit back comes before one that cannot
            threat = _nearest(pair, radius, n_agents, real, whole, i, IN_SIGHT, 0.0, 0.0)
            if threat >= 0 and pair[THREAT, i, threat] > 0.0:
                return threat
        return target
    if to_leash:
        gone = math.hypot(real[X, i] - real[HOME_X, i], real[Y, i] - real[HOME_Y, i]) > LEASH
    else:
        away = math.hypot(real[X, i] - real[X, target], real[Y, i] - real[Y, target])
        gone = away > pair[SCAN, i, target]
    if gone:
        return -1
    if looks and retargets:
        better = _nearest(pair, radius, n_agents, real, whole, i, IN_REACH, 0.0, 0.0)
        if better < 0:
            better = _nearest(pair, radius, n_agents, real, whole, i, IN_SIGHT, 0.0, crowding)
        return better if better >= 0 else target
    return target


@kernel
def _nearest(
    pair: Pairs,
    radius: Row,
    n_agents: int,
    real: Reals,
    whole: Wholes,
    i: int,
    scope: int,
    beyond: float,
    crowding: float,
) -> int:
    """The best living foe of enemy i within the scope: threats first, then the nearest edge; -1: none.

    Sight reaches `beyond` the scan range. Each friend that fights a foe already puts it `crowding` farther away.
    """
    best, best_edge, best_threat = -1, math.inf, -1.0
    for j in range(n_agents):
        if whole[ALIVE, j] == 0 or pair[REACH, i, j] < 0.0:
            continue
        limit = (
            pair[REACH, i, j] if scope == IN_REACH else (pair[SCAN, i, j] + beyond if scope == IN_SIGHT else math.inf)
        )
        dx, dy = real[X, j] - real[X, i], real[Y, j] - real[Y, i]
        square = dx * dx + dy * dy
        if square > limit * limit:
            continue
        threat = pair[THREAT, i, j]
        edge = math.sqrt(square) - radius[j]
        if crowding > 0.0:
            edge += crowding * (whole[SUITORS, j] - (1 if whole[TARGET, i] == j else 0))
        if threat > best_threat or (threat == best_threat and edge < best_edge):
            best, best_edge, best_threat = j, edge, threat
    return best


@kernel
def _count_suitors(n_agents: int, whole: Wholes) -> None:
    """Note for every unit how many living enemies have it as their target."""
    for j in range(whole.shape[1]):
        whole[SUITORS, j] = 0
    for i in range(n_agents, whole.shape[1]):
        if whole[ALIVE, i] == 1 and whole[TARGET, i] >= 0:
            whole[SUITORS, whole[TARGET, i]] += 1


@kernel
def answer_fire(m: MapTables, n_agents: int, real: Reals, whole: Wholes) -> None:
    """Struck enemies that have nothing to hit turn on the shooter and call friends nearby (SPEC 9.7)."""
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
            near = math.hypot(real[X, j] - real[X, i], real[Y, j] - real[Y, i]) <= CALL_RADIUS
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
    if whole[AWAY, i] == 0:
        whole[AWAY, i] = 1
        if whole[ORDER, i] == ATTACK_MOVE:
            real[HOME_X, i], real[HOME_Y, i] = real[X, i], real[Y, i]
    whole[TARGET, i] = foe
