"""Who stands where at the start: packing units around their spawn points, and SMAC's agent order."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ptde_core.base.errors import PtdeError
from ptde_core.envs.skirmish.map_files import Group, MapFacts, Terrain
from ptde_core.envs.skirmish.units import UnitFacts, unit_facts

_ANGLES = np.deg2rad(np.arange(0.0, 360.0, 15.0))  # directions tried around a lone neighbour


@dataclass(frozen=True)
class Roster:
    """All units of a map: allies in agent order, then enemies in creation order. U = N + enemies."""

    units: tuple[UnitFacts, ...]  # (U,)
    sides: NDArray[np.int64]  # (U,) 0 ally, 1 enemy
    x: NDArray[np.float64]  # (U,) spawn positions
    y: NDArray[np.float64]


def build_roster(facts: MapFacts) -> Roster:
    """Place both sides and put the allies in SMAC's order (smac-contract#unit-order); the spawn layout is an estimate.

    Agents are sorted by (type, x, y); type ids of the allied copies follow the alphabet (smac-contract#unit-order).
    """
    placed: list[tuple[UnitFacts, int, float, float]] = []
    for side, groups in enumerate((facts.allies, facts.enemies)):
        for group in groups:
            _place(facts, group, side, placed)
    allies = sorted((p for p in placed if p[1] == 0), key=lambda p: (p[0].name, p[2], p[3]))
    order = allies + [p for p in placed if p[1] == 1]
    return Roster(
        units=tuple(p[0] for p in order),
        sides=np.array([p[1] for p in order], np.int64),
        x=np.array([p[2] for p in order]),
        y=np.array([p[3] for p in order]),
    )


def _place(facts: MapFacts, group: Group, side: int, placed: list[tuple[UnitFacts, int, float, float]]) -> None:
    """Append the group's units: each on the free spot nearest to the point, touching separation circles."""
    unit = unit_facts(group.type, side)
    for _ in range(group.count):
        rivals = [(p[2], p[3], p[0].separation + unit.separation) for p in placed if collide(p[0], unit)]
        spot = _nearest_free(facts.terrain, unit, group.x, group.y, np.array(rivals).reshape(-1, 3))
        if spot is None:
            raise PtdeError(f"map {facts.name!r}: no room for {group.count} {group.type} at ({group.x:g}, {group.y:g})")
        placed.append((unit, side, *spot))


def collide(a: UnitFacts, b: UnitFacts) -> bool:
    """Whether two units keep apart: they share a collision layer (smac-contract#movement)."""
    return bool(set(a.collides) & set(b.collides))


def _nearest_free(
    terrain: Terrain, unit: UnitFacts, x: float, y: float, rivals: NDArray[np.float64]
) -> tuple[float, float] | None:
    """The free spot nearest to (x, y): the point, or a spot that touches one or two neighbours; ties go by angle."""
    spots = [np.array([[x, y]])]
    for rx, ry, gap in rivals:
        spots.append(np.stack([rx + gap * np.cos(_ANGLES), ry + gap * np.sin(_ANGLES)], axis=1))
    spots.extend(_touching_two(rivals[i], rivals[i + 1 :]) for i in range(len(rivals)))
    all_spots = np.concatenate(spots)  # (S, 2)
    away = np.hypot(all_spots[:, 0] - x, all_spots[:, 1] - y)
    turn = np.mod(np.arctan2(all_spots[:, 1] - y, all_spots[:, 0] - x) + 1e-9, 2 * np.pi)
    for k in np.lexsort((np.round(turn, 6), np.round(away, 6))):
        sx, sy = float(all_spots[k, 0]), float(all_spots[k, 1])
        apart = np.hypot(rivals[:, 0] - sx, rivals[:, 1] - sy) >= rivals[:, 2] - 1e-9
        if apart.all() and _stands(terrain, unit, sx, sy):
            return sx, sy
    return None


def _touching_two(one: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """The spots (S, 2) at which a unit touches `one` and one of `others`; rows are (x, y, gap)."""
    dx, dy = others[:, 0] - one[0], others[:, 1] - one[1]
    d = np.hypot(dx, dy)
    near = (d > 1e-9) & (d < one[2] + others[:, 2])
    dx, dy, d, gap = dx[near], dy[near], d[near], others[near, 2]
    along = (d**2 + one[2] ** 2 - gap**2) / (2 * d)
    across = np.sqrt(np.maximum(one[2] ** 2 - along**2, 0.0))
    ux, uy = dx / d, dy / d
    left = np.stack([one[0] + along * ux - across * uy, one[1] + along * uy + across * ux], axis=1)
    right = np.stack([one[0] + along * ux + across * uy, one[1] + along * uy - across * ux], axis=1)
    return np.concatenate([left, right])


def _stands(terrain: Terrain, unit: UnitFacts, x: float, y: float) -> bool:
    """Whether the unit's body is clear of walls (flyers: of the map's edge)."""
    if "air" in unit.plane and "ground" not in unit.plane:
        return 0 <= x <= terrain.width and 0 <= y <= terrain.height
    r = unit.inner
    ground = terrain.walkable | terrain.cliff if unit.cliff_walk else terrain.walkable
    for cx in (x - r, x + r):
        for cy in (y - r, y + r):
            if not (0 <= cx < terrain.width and 0 <= cy < terrain.height and ground[int(cx), int(cy)]):
                return False
    return True
