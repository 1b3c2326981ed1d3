"""The constant tables of a map in the form that kernels read, built from map facts, unit facts and switches."""

import math
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ptde_core.envs.skirmish import fields as f
from ptde_core.envs.skirmish.layout import Roster, collide
from ptde_core.envs.skirmish.map_files import MapFacts, Terrain
from ptde_core.envs.skirmish.scratch import padded
from ptde_core.envs.skirmish.switches import Switches
from ptde_core.envs.skirmish.units import LOOPS_PER_SECOND, UnitFacts

Reals: TypeAlias = NDArray[np.float64]  # (REALS, U) of one battle
Wholes: TypeAlias = NDArray[np.int64]  # (WHOLES, U) of one battle

IN_REACH, IN_SIGHT, ANYWHERE, HEEDED, ROUGH_LIMITS = range(5)  # where a unit looks: for a target, and as it walks
LOOKAHEAD = 1.0  # how far ahead a standing unit bends the way of a walking one, at most
REWARD_DEATH, REWARD_WIN, REWARD_SCALE = 10.0, 200.0, 20.0  # SMAC's defaults


class BeamTable(NamedTuple):
    """The beam attack in loops and cells; delays run from the damage point."""

    half_length: float
    circles: int
    circle_radius: float
    step: float
    delay: float
    main_delay: float


class MapTables(NamedTuple):
    """Everything about a map that no battle changes. U units, rows as named in `fields`."""

    body: NDArray[np.float64]  # (BODIES, U)
    trait: NDArray[np.int64]  # (TRAITS, U)
    pair: NDArray[np.float64]  # (PAIRS, U, U)
    rough: NDArray[np.float32]  # (ROUGH_LIMITS, U, W) squared distances for `nearby.py`; -1: never
    setting: NDArray[np.float64]  # (SETTINGS,)
    floor: NDArray[np.uint8]  # (width, height) cells to the nearest one that is not walkable, diagonals too; 0: that
    offered: NDArray[np.uint8]  # (width, height) 1: move actions may point there
    ground: NDArray[np.uint8]  # (width, height) as `floor`, for cliff walkers
    corner: NDArray[np.float64]  # (K, 2) turning points of paths around walls
    detour: NDArray[np.float64]  # (K, width, height) path length from a corner to a cell; inf: no way
    first: NDArray[np.int64]  # (2,) first unit of each side
    order: NDArray[np.float64]  # (4,) the enemy's points x0, y0, x1, y1
    beam: BeamTable


def build_tables(
    facts: MapFacts, roster: Roster, switches: Switches, corner: NDArray[np.float64], detour: NDArray[np.float64]
) -> MapTables:
    """Tables of a map; `corner` and `detour` come from `paths.plan_detours`."""
    n_agents = facts.n_agents
    pair = _pairs(roster, switches)
    points = [value for point in facts.enemy_order.points for value in point]
    order = np.array((points * 2)[:4] if points else [0.0] * 4)  # a point is a segment of length 0
    return MapTables(
        body=_bodies(roster, switches),
        trait=_traits(facts, roster),
        pair=pair,
        rough=_rough_limits(pair, max(facts.terrain.floor.shape)),
        setting=_settings(facts, roster, switches, open_ground=len(corner) == 0),
        floor=_depths(facts.terrain.walkable),
        offered=facts.terrain.floor.astype(np.uint8),
        ground=_depths(facts.terrain.walkable | facts.terrain.cliff),
        corner=corner,
        detour=detour,
        first=np.array([0, n_agents], np.int64),
        order=order,
        beam=_beam(roster),
    )


def _depths(walkable: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """How many cells it is from each cell (width, height) to the nearest that is not walkable or off the map.

    It equals scipy's `distance_transform_cdt` (tested), whose import alone takes a process half a second.
    """
    depths = np.zeros(walkable.shape, np.uint8)
    inside = walkable
    while inside.any() and depths.max() < 255:
        depths += inside
        wide = np.pad(inside, 1)
        beside = wide[:-2] & wide[1:-1] & wide[2:]
        inside = beside[:, :-2] & beside[:, 1:-1] & beside[:, 2:]  # the cells whose eight neighbours are inside too
    return depths


def max_reward(facts: MapFacts) -> float:
    """SMAC's largest raw return: every enemy's health and shield, 10 per kill, 200 for the win.

    Source: smac-contract#reward.
    """
    enemies = facts.facts(1)
    return REWARD_WIN + sum(unit.health + unit.shield + REWARD_DEATH for unit in enemies)


def _bodies(roster: Roster, switches: Switches) -> NDArray[np.float64]:
    body = np.zeros((f.BODIES, len(roster.units)))
    second = LOOPS_PER_SECOND
    for i, unit in enumerate(roster.units):
        turn = math.radians(min(unit.turn_deg_per_s / second, 180.0))
        body[f.RADIUS, i] = unit.radius
        body[f.CLEARANCE, i] = switches.wall_clearance * unit.inner
        body[f.TOP_SPEED, i] = unit.speed / second
        body[f.ACCELERATION, i] = unit.acceleration / second**2
        body[f.TURN_COS, i], body[f.TURN_SIN, i] = math.cos(turn), math.sin(turn)
        body[f.HEALTH_MAX, i], body[f.SHIELD_MAX, i] = unit.health, unit.shield
        body[f.ENERGY_START, i], body[f.ENERGY_MAX, i] = unit.energy_start, unit.energy_max
        body[f.ARMOUR, i] = unit.armour
        body[f.LIFE_REGEN, i] = unit.life_regen / second
        body[f.ENERGY_REGEN, i] = unit.energy_regen / second
        body[f.NORM, i] = unit.energy_max if unit.heal else unit.cooldown_norm
        body[f.SPAWN_X, i], body[f.SPAWN_Y, i] = roster.x[i], roster.y[i]
        if unit.weapon:
            weapon = unit.weapon
            close = weapon.close
            body[f.PERIOD, i] = weapon.cooldown_s * second
            body[f.DAMAGE_POINT, i] = weapon.damage_point_s * second
            body[f.BACK, i] = weapon.backswing_s * second
            body[f.CLOSE_PERIOD, i] = close.cooldown_s * second if close else 0.0
            body[f.CLOSE_POINT, i] = close.damage_point_s * second if close else 0.0
            body[f.SECOND_HIT, i] = weapon.second_hit_s * second
            body[f.SHOT_SPEED, i] = weapon.missile_speed / second
            body[f.SHOT_TIME, i] = weapon.flight_s * second
            body[f.BLAST, i] = weapon.blast_radius
        if unit.heal:
            body[f.HEAL_RATE, i] = unit.heal.life_per_s / second
            body[f.HEAL_PRICE, i] = unit.heal.energy_per_life
            body[f.HEAL_START, i] = unit.heal.autocast_energy
    return body


def _traits(facts: MapFacts, roster: Roster) -> NDArray[np.int64]:
    trait = np.zeros((f.TRAITS, len(roster.units)), np.int64)
    for i, unit in enumerate(roster.units):
        bits = facts.enemy_type_bits if roster.sides[i] else facts.ally_type_bits
        flies = "ground" not in unit.plane
        trait[f.SIDE, i] = roster.sides[i]
        trait[f.GROUND, i] = 0 if flies else (2 if unit.cliff_walk else 1)
        trait[f.ARMED, i] = unit.weapon is not None
        trait[f.STRUCTURE, i] = "structure" in unit.attributes
        trait[f.TURRET, i] = unit.turret
        trait[f.BEAMS, i] = unit.weapon is not None and unit.weapon.beam is not None
        trait[f.BIOLOGICAL, i] = "biological" in unit.attributes
        trait[f.BIT, i] = bits.index(unit.name) if bits else -1
    return trait


def _pairs(roster: Roster, switches: Switches) -> NDArray[np.float64]:
    n = len(roster.units)
    pair = np.full((f.PAIRS, n, n), -1.0)
    pair[f.GAP], pair[f.HEED], pair[f.HIT], pair[f.THREAT] = 0.0, 0.0, 0.0, 0.0
    for i, a in enumerate(roster.units):
        for j, b in enumerate(roster.units):
            if i == j:
                continue
            foes = roster.sides[i] != roster.sides[j]
            if collide(a, b):
                pair[f.GAP, i, j] = _gap(a, switches) + _gap(b, switches)
                pair[f.HEED, i, j] = (pair[f.GAP, i, j] + LOOKAHEAD) ** 2
            if foes:
                _aim(pair, i, j, a, b)
            elif a.heal and "biological" in b.attributes and "structure" not in b.attributes:
                pair[f.HEAL_REACH, i, j] = a.heal.range + a.radius + b.radius
                pair[f.CAST_REACH, i, j] = a.heal.autocast_range + a.radius + b.radius
    return pair


def _rough_limits(pair: NDArray[np.float64], extent: int) -> NDArray[np.float32]:
    """Squares (ROUGH_LIMITS, U, W) of the distances in `pair`, so large that single precision finds nobody too few.

    A position is rounded by up to half of 2^-23 of the map's `extent`, a difference of two by as much again, and a
    sum of two squares by 2^-22 of itself; this allows twice that.
    """
    anywhere = np.where(pair[f.REACH] < 0.0, -1.0, np.inf)
    heeded = np.where(pair[f.HEED] > 0.0, np.sqrt(pair[f.HEED]), -1.0)
    limits = np.stack([pair[f.REACH], pair[f.SCAN], anywhere, heeded])
    rough = np.full((*limits.shape[:2], padded(limits.shape[2])), -1.0, np.float32)
    allowed = (limits + 2**-20 * extent) * (1 + 2**-20)
    rough[..., : limits.shape[2]] = np.where(limits < 0.0, -1.0, allowed**2)
    return rough


def _gap(unit: UnitFacts, switches: Switches) -> float:
    return unit.separation - switches.squeeze * (unit.separation - unit.inner)


def _can_hit(a: UnitFacts, b: UnitFacts) -> bool:
    return a.weapon is not None and bool(set(a.weapon.targets) & set(b.plane))


def _aim(pair: NDArray[np.float64], i: int, j: int, a: UnitFacts, b: UnitFacts) -> None:
    """Fill what unit i can do to its foe j."""
    pair[f.THREAT, i, j] = float(_can_hit(b, a) or b.always_threatens)
    if a.weapon is None or not _can_hit(a, b):
        return
    weapon, bodies = a.weapon, a.radius + b.radius
    pair[f.REACH, i, j] = weapon.range + bodies
    pair[f.REACH_SLOP, i, j] = weapon.range + weapon.range_slop + bodies
    pair[f.SCAN, i, j] = max(weapon.range, weapon.scan) + bodies
    pair[f.HIT, i, j] = weapon.damage + sum(more for kind, more in weapon.bonus.items() if kind in b.attributes)
    if weapon.close and "ground" in b.plane:
        pair[f.CLOSE_REACH, i, j] = weapon.close.range + bodies


def _settings(facts: MapFacts, roster: Roster, switches: Switches, open_ground: bool) -> NDArray[np.float64]:
    setting = np.zeros(f.SETTINGS)
    allied_healers = any(unit.heal for unit, side in zip(roster.units, roster.sides, strict=True) if side == 0)
    setting[f.LIMIT] = facts.limit
    setting[f.SCALE] = max_reward(facts) / REWARD_SCALE
    setting[f.HOLD_BACKSWING] = switches.backswing_holds
    setting[f.CHASE_TO_LEASH] = switches.chase_to_leash
    setting[f.RETARGET_HITTABLE] = switches.retarget_hittable
    setting[f.IDLE_RETURNS] = switches.idle_returns
    setting[f.PUSH_IDLE] = switches.push_idle
    setting[f.HEALER_FOLLOWS] = switches.healer_follows
    setting[f.KEEP_FORMATION] = switches.keep_formation
    setting[f.OPEN_GROUND] = open_ground
    setting[f.HEALER_RULES] = allied_healers
    setting[f.TYPE_BITS] = len(facts.ally_type_bits)
    setting[f.ALLY_SHIELDS] = facts.has_shields(0)
    setting[f.ENEMY_SHIELDS] = facts.has_shields(1)
    setting[f.HAS_HEALERS] = any(unit.heal for unit in roster.units)
    setting[f.ORDER_KIND] = {"none": f.IDLE, "attack_units": f.ATTACK_ALL}.get(facts.enemy_order.kind, f.ATTACK_MOVE)
    setting[f.HEAD_START] = switches.head_start_loops
    setting[f.HEAL_SCAN] = switches.heal_scan_loops
    setting[f.TURN_ON_SHOOTER] = switches.turn_on_shooter
    return setting


def _beam(roster: Roster) -> BeamTable:
    for unit in roster.units:
        if unit.weapon and unit.weapon.beam:
            beam, second = unit.weapon.beam, LOOPS_PER_SECOND
            return BeamTable(
                half_length=beam.half_length,
                circles=beam.circles,
                circle_radius=beam.circle_radius,
                step=beam.step_s * second,
                delay=beam.delay_s * second,
                main_delay=(beam.main_target_delay_s - unit.weapon.damage_point_s) * second,
            )
    return BeamTable(1.0, 2, 0.0, 0.0, 0.0, 0.0)  # no unit of this map has beams: never read


def floor_is_open(terrain: Terrain) -> bool:
    """Whether the floor is one rectangle, so that straight lines never meet a wall."""
    xs, ys = np.nonzero(terrain.walkable)
    return len(xs) == (np.ptp(xs) + 1) * (np.ptp(ys) + 1)
