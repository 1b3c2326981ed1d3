"""Swings, missiles, beams, explosions, healing and what they do to health and shields.

Source: smac-contract#weapons, #damage, #regeneration, #special-units.
"""

import math

import numpy as np
from numpy.typing import NDArray

from ptde_core.envs.skirmish.compiled import kernel
from ptde_core.envs.skirmish.fields import (
    ALIVE,
    ARMOUR,
    BACK,
    BACKSWING,
    BEAM_AGE,
    BEAM_AT,
    BEAM_DX,
    BEAM_DY,
    BEAM_HIT_1,
    BEAM_HIT_2,
    BEAM_X,
    BEAM_Y,
    BEAMS,
    BLAST,
    BURST,
    BURST_AT,
    CLOSE_PERIOD,
    CLOSE_POINT,
    CLOSE_REACH,
    COOLDOWN,
    DAMAGE_POINT,
    DEALT,
    ENERGY,
    ENERGY_MAX,
    ENERGY_REGEN,
    GROUND,
    HEAL_PRICE,
    HEAL_RATE,
    HEALTH,
    HEALTH_MAX,
    HIT,
    LIFE_REGEN,
    PERIOD,
    QUIET,
    RADIUS,
    REACH,
    REACH_SLOP,
    SECOND_HIT,
    SHIELD,
    SHIELD_MAX,
    SHOT_AT,
    SHOT_LEFT,
    SHOT_SPEED,
    SHOT_TIME,
    SHOT_X,
    SHOT_Y,
    SIDE,
    STRUCK_BY,
    SWING_AT,
    SWING_CLOSE,
    TOUCHED,
    WASTED,
    WINDUP,
    X,
    Y,
)
from ptde_core.envs.skirmish.map_constants import MapTables, Reals, Wholes
from ptde_core.envs.skirmish.nearby import forget_place
from ptde_core.envs.skirmish.random_stream import uniform
from ptde_core.envs.skirmish.scratch import Scratch

LEAST_DAMAGE = 0.5
SHIELD_DELAY = 160.0  # loops without damage before shields recharge
SHIELD_REGEN = 0.125  # per loop
DELAY_FROM, DELAY_SPAN = -1.0, 3.0  # the random delay of a shot: uniform in [-1, 2] loops
READY = -1.0  # cooldown of a weapon that has been waiting


@kernel
def pass_time(m: MapTables, real: Reals, whole: Wholes) -> None:
    """One loop of timers, regeneration and energy for all living units."""
    for i in range(real.shape[1]):
        if whole[ALIVE, i] == 0:
            continue
        real[COOLDOWN, i] = max(real[COOLDOWN, i] - 1.0, READY)
        real[BACKSWING, i] = max(real[BACKSWING, i] - 1.0, 0.0)
        real[WINDUP, i] -= 1.0
        real[BURST, i] -= 1.0
        real[QUIET, i] += 1.0
        if real[QUIET, i] > SHIELD_DELAY and real[SHIELD, i] < m.body[SHIELD_MAX, i]:
            real[SHIELD, i] = min(real[SHIELD, i] + SHIELD_REGEN, m.body[SHIELD_MAX, i])
        if m.body[LIFE_REGEN, i] > 0.0:
            real[HEALTH, i] = min(real[HEALTH, i] + m.body[LIFE_REGEN, i], m.body[HEALTH_MAX, i])
        if m.body[ENERGY_MAX, i] > 0.0:
            real[ENERGY, i] = min(real[ENERGY, i] + m.body[ENERGY_REGEN, i], m.body[ENERGY_MAX, i])


@kernel
def begin_swing(
    body: NDArray[np.float64],
    pair: NDArray[np.float64],
    chance: NDArray[np.uint64],
    battle: int,
    real: Reals,
    whole: Wholes,
    i: int,
    target: int,
) -> None:
    """Start a swing: the cooldown runs from here and carries the fraction of a loop since it ran out.

    Source: smac-contract#weapons.
    """
    carry = real[COOLDOWN, i] if real[COOLDOWN, i] > READY else 0.0
    square = (real[X, i] - real[X, target]) ** 2 + (real[Y, i] - real[Y, target]) ** 2
    reach = pair[CLOSE_REACH, i, target]
    close = reach >= 0.0 and square <= reach * reach
    period = body[CLOSE_PERIOD, i] if close else body[PERIOD, i]
    point = body[CLOSE_POINT, i] if close else body[DAMAGE_POINT, i]
    real[COOLDOWN, i] = carry + period + DELAY_FROM + DELAY_SPAN * uniform(chance, battle)
    real[WINDUP, i] = carry + point
    whole[SWING_AT, i] = target
    whole[SWING_CLOSE, i] = 1 if close else 0


@kernel
def cancel_swing(real: Reals, whole: Wholes, i: int) -> None:
    """Break off: a wind-up costs no cooldown, a second hit still to come is lost, the backswing ends."""
    if whole[SWING_AT, i] >= 0:
        whole[SWING_AT, i] = -1
        real[COOLDOWN, i] = READY
    whole[BURST_AT, i] = -1
    real[BACKSWING, i] = 0.0


@kernel
def strike(m: MapTables, real: Reals, whole: Wholes) -> None:
    """End wind-ups, land second hits, fly missiles, sweep beams. Units that die in this loop still strike in it."""
    for i in range(real.shape[1]):
        if whole[ALIVE, i] == 1:
            if whole[BURST_AT, i] >= 0 and real[BURST, i] <= 0.0:
                _hit_if_near(m, real, whole, i, whole[BURST_AT, i])
                whole[BURST_AT, i] = -1
            if whole[SWING_AT, i] >= 0 and real[WINDUP, i] <= 0.0:
                _release(m, real, whole, i)
        if whole[SHOT_AT, i] >= 0:
            _fly(m, real, whole, i)
        if whole[BEAM_AT, i] >= 0:
            _sweep(m, real, whole, i)


@kernel
def _hit_if_near(m: MapTables, real: Reals, whole: Wholes, i: int, target: int) -> bool:
    """Land a hit of a weapon without missile, unless the target is dead or beyond the range slop."""
    if whole[ALIVE, target] == 0:
        return False
    square = (real[X, i] - real[X, target]) ** 2 + (real[Y, i] - real[Y, target]) ** 2
    if square > m.pair[REACH_SLOP, i, target] ** 2:
        return False
    hurt(m, real, whole, i, target, m.pair[HIT, i, target])
    return True


@kernel
def _release(m: MapTables, real: Reals, whole: Wholes, i: int) -> None:
    """The damage point of a swing: hit, launch, fire the beam or explode. A target out of range costs no cooldown."""
    target = whole[SWING_AT, i]
    late = real[WINDUP, i]  # <= 0: how long ago within this loop
    whole[SWING_AT, i] = -1
    dx, dy = real[X, target] - real[X, i], real[Y, target] - real[Y, i]
    away = math.sqrt(dx * dx + dy * dy)
    if whole[ALIVE, target] == 0 or away > m.pair[REACH_SLOP, i, target]:
        real[COOLDOWN, i] = READY
        return
    real[BACKSWING, i] = m.body[SECOND_HIT, i] + m.body[BACK, i] + late  # it follows the last hit
    if m.body[BLAST, i] > 0.0:
        real[HEALTH, i] = 0.0  # it explodes when the dead are counted
    elif m.trait[BEAMS, i] == 1:
        _fire_beam(real, whole, i, target, dx, dy, away, -late)
    elif whole[SWING_CLOSE, i] == 0 and (m.body[SHOT_SPEED, i] > 0.0 or m.body[SHOT_TIME, i] > 0.0):
        start = min(m.body[RADIUS, i] / max(away, 1e-9), 1.0)
        whole[SHOT_AT, i] = target
        real[SHOT_X, i], real[SHOT_Y, i] = real[X, i] + dx * start, real[Y, i] + dy * start
        real[SHOT_LEFT, i] = m.body[SHOT_TIME, i] + late
    else:
        hurt(m, real, whole, i, target, m.pair[HIT, i, target])
        if m.body[SECOND_HIT, i] > 0.0:
            whole[BURST_AT, i] = target
            real[BURST, i] = m.body[SECOND_HIT, i] + late


@kernel
def _fly(m: MapTables, real: Reals, whole: Wholes, i: int) -> None:
    """Move the missile of unit i for one loop; it homes, always hits, and is wasted on the dead.

    Source: smac-contract#weapons.
    """
    target = whole[SHOT_AT, i]
    if whole[ALIVE, target] == 0:
        whole[SHOT_AT, i] = -1
        return
    if m.body[SHOT_SPEED, i] > 0.0:
        dx, dy = real[X, target] - real[SHOT_X, i], real[Y, target] - real[SHOT_Y, i]
        left = math.sqrt(dx * dx + dy * dy) - m.body[RADIUS, target]
        arrived = left <= m.body[SHOT_SPEED, i]
        if not arrived:
            share = m.body[SHOT_SPEED, i] / (left + m.body[RADIUS, target])
            real[SHOT_X, i] += dx * share
            real[SHOT_Y, i] += dy * share
    else:
        real[SHOT_LEFT, i] -= 1.0
        arrived = real[SHOT_LEFT, i] <= 0.0
    if arrived:
        whole[SHOT_AT, i] = -1
        hurt(m, real, whole, i, target, m.pair[HIT, i, target])


@kernel
def _fire_beam(real: Reals, whole: Wholes, i: int, target: int, dx: float, dy: float, away: float, age: float) -> None:
    """Lay the beams' line across the line of fire, through where the target stands now.

    Source: smac-contract#special-units.
    """
    whole[BEAM_AT, i] = target
    whole[BEAM_HIT_1, i] = 0
    whole[BEAM_HIT_2, i] = 0
    real[BEAM_AGE, i] = age - 1.0  # the sweep of this loop adds the loop
    real[BEAM_X, i], real[BEAM_Y, i] = real[X, target], real[Y, target]
    scale = 1.0 / max(away, 1e-9)
    real[BEAM_DX, i], real[BEAM_DY, i] = -dy * scale, dx * scale


@kernel
def _sweep(m: MapTables, real: Reals, whole: Wholes, i: int) -> None:
    """One loop of both beams of unit i: each circle hits whoever stands in it, each beam hits a unit once."""
    before = real[BEAM_AGE, i]
    real[BEAM_AGE, i] = before + 1.0
    now = before + 1.0
    b = m.beam
    main = whole[BEAM_AT, i]
    side = m.trait[SIDE, i]
    for j in range(real.shape[1]):
        if m.trait[SIDE, j] == side or whole[ALIVE, j] == 0 or j == main or m.pair[HIT, i, j] <= 0.0:
            continue
        bit = np.int64(1) << np.int64(j - m.first[1 - side])
        for k in range(b.circles):
            offset = -b.half_length + 2.0 * b.half_length * k / (b.circles - 1)
            first = b.delay + b.step * k
            second = b.delay + b.step * (b.circles - 1 - k)
            due_1 = before < first <= now and (whole[BEAM_HIT_1, i] & bit) == 0
            due_2 = before < second <= now and (whole[BEAM_HIT_2, i] & bit) == 0
            if not due_1 and not due_2:
                continue
            dx = real[BEAM_X, i] + offset * real[BEAM_DX, i] - real[X, j]
            dy = real[BEAM_Y, i] + offset * real[BEAM_DY, i] - real[Y, j]
            limit = b.circle_radius + m.body[RADIUS, j]
            if dx * dx + dy * dy > limit * limit:
                continue
            if due_1:
                whole[BEAM_HIT_1, i] |= bit
                hurt(m, real, whole, i, j, m.pair[HIT, i, j])
            if due_2:
                whole[BEAM_HIT_2, i] |= bit
                hurt(m, real, whole, i, j, m.pair[HIT, i, j])
    if before < b.main_delay <= now and whole[ALIVE, main] == 1:
        hurt(m, real, whole, i, main, m.pair[HIT, i, main])
        hurt(m, real, whole, i, main, m.pair[HIT, i, main])
    if now >= max(b.main_delay, b.delay + b.step * (b.circles - 1)):
        whole[BEAM_AT, i] = -1


@kernel
def hurt(m: MapTables, real: Reals, whole: Wholes, shooter: int, target: int, damage: float) -> None:
    """One hit: shields first and in full, armour only against what reaches life, at least 0.5.

    Source: smac-contract#damage.
    """
    real[QUIET, target] = 0.0
    whole[STRUCK_BY, target] = shooter
    _touch(m, whole, shooter, target)
    if real[HEALTH, target] <= 0.0:  # killed earlier in this loop: all of it is overkill
        real[DEALT, shooter] += damage
        real[WASTED, shooter] += damage
        return
    absorbed = min(real[SHIELD, target], damage)
    real[SHIELD, target] -= absorbed
    rest = damage - absorbed
    if rest > 0.0:
        rest = max(rest - m.body[ARMOUR, target], LEAST_DAMAGE)
        real[HEALTH, target] -= rest
        if real[HEALTH, target] < 0.0:
            real[WASTED, shooter] -= real[HEALTH, target]
            real[HEALTH, target] = 0.0
    real[DEALT, shooter] += absorbed + rest


@kernel
def _touch(m: MapTables, whole: Wholes, i: int, target: int) -> None:
    """Remember that unit i did something to the target in this env step: for those who look at a battle."""
    whole[TOUCHED, i] |= np.int64(1) << np.int64(target - m.first[m.trait[SIDE, target]])


@kernel
def bury(m: MapTables, real: Reals, whole: Wholes, scratch: Scratch) -> None:
    """Remove the dead; suicide units explode as they die, which may kill more (smac-contract#special-units)."""
    again = True
    while again:
        again = False
        for i in range(real.shape[1]):
            if whole[ALIVE, i] == 0 or real[HEALTH, i] > 0.0:
                continue
            whole[ALIVE, i] = 0
            forget_place(scratch, i)
            real[HEALTH, i], real[SHIELD, i] = 0.0, 0.0
            whole[SWING_AT, i], whole[BURST_AT, i] = -1, -1
            if m.body[BLAST, i] > 0.0:
                _explode(m, real, whole, i)
                again = True


@kernel
def _explode(m: MapTables, real: Reals, whole: Wholes, i: int) -> None:
    """Full damage to every ground enemy of the owner whose edge is within the blast."""
    for j in range(real.shape[1]):
        if m.trait[SIDE, j] == m.trait[SIDE, i] or whole[ALIVE, j] == 0 or m.trait[GROUND, j] == 0:
            continue
        limit = m.body[BLAST, i] + m.body[RADIUS, j]
        if (real[X, i] - real[X, j]) ** 2 + (real[Y, i] - real[Y, j]) ** 2 <= limit * limit:
            hurt(m, real, whole, i, j, m.pair[HIT, i, j])


@kernel
def heal(m: MapTables, real: Reals, whole: Wholes, i: int, patient: int) -> None:
    """One loop of healing, as far as damage and energy go (smac-contract#special-units)."""
    missing = m.body[HEALTH_MAX, patient] - real[HEALTH, patient]
    given = min(m.body[HEAL_RATE, i], missing, real[ENERGY, i] / m.body[HEAL_PRICE, i])
    if given > 0.0:
        real[HEALTH, patient] += given
        real[ENERGY, i] -= given * m.body[HEAL_PRICE, i]
        _touch(m, whole, i, patient)


@kernel
def in_reach(pair: NDArray[np.float64], real: Reals, i: int, target: int) -> bool:
    """Whether the weapon of unit i reaches the target from where both stand."""
    reach = pair[REACH, i, target]
    square = (real[X, i] - real[X, target]) ** 2 + (real[Y, i] - real[Y, target]) ** 2
    return bool(reach >= 0.0 and square <= reach * reach)
