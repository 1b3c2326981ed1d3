"""Every map's features (smac-contract#availability, #views), written a second time, plainly, without the kernels.

Battles are crafted at random and set through `set_units`; nothing here reads the simulator's tables.
"""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from ptde_core.envs.skirmish.map_files import map_names
from ptde_core.envs.skirmish.skirmish import UNIT_TYPES, Skirmish

HEALTH = {"marine": 45, "marauder": 125, "medivac": 150, "stalker": 80, "zealot": 100, "colossus": 200}
HEALTH |= {"hydralisk": 80, "zergling": 35, "baneling": 30, "spine_crawler": 300}
SHIELD = {"stalker": 80, "zealot": 50, "colossus": 150}
COOLDOWN = {"marine": 15, "marauder": 25, "stalker": 35, "zealot": 22, "colossus": 24}
COOLDOWN |= {"hydralisk": 10, "zergling": 11, "baneling": 1}
STALKERS_AND_ZEALOTS = ("2s3z", "3s5z", "3s5z_vs_3s6z", "3s5z_vs_3s7z")
BITS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    **dict.fromkeys(STALKERS_AND_ZEALOTS, (("stalker", "zealot"), ("zealot", "stalker"))),
    "1c3s5z": (("colossus", "stalker", "zealot"),) * 2,
    **dict.fromkeys(("MMM", "MMM2"), (("marauder", "marine", "medivac"),) * 2),
    "bane_vs_bane": (("baneling", "zergling"),) * 2,
}
BATTLES = 3


class Reader:
    """SMAC's features of one battle, from its raw units (U,)."""

    def __init__(self, env: Skirmish, units: NDArray[np.void]) -> None:
        n = env.spec.n_agents
        self.names = [UNIT_TYPES[t] for t in units["type"]]
        self.units, self.n, self.floor = units, n, env.facts.terrain.floor
        self.allied_bits, self.enemy_bits = BITS.get(env.facts.name, ((), ()))
        self.ally_shields = any(name in SHIELD for name in self.names[:n])
        self.enemy_shields = any(name in SHIELD for name in self.names[n:])

    def away(self, i: int, j: int) -> float:
        return math.hypot(self.units[i]["x"] - self.units[j]["x"], self.units[i]["y"] - self.units[j]["y"])

    def body(self, i: int) -> list[float]:
        name, enemy = self.names[i], i >= self.n
        row = [self.units[i]["health"] / HEALTH[name]]
        if self.enemy_shields if enemy else self.ally_shields:
            row.append(self.units[i]["shield"] / SHIELD[name])
        return row + [float(name == bit) for bit in (self.enemy_bits if enemy else self.allied_bits)]

    def available(self, i: int) -> list[bool]:
        unit, others = self.units[i], len(self.units) - self.n
        if not unit["alive"]:
            return [True] + [False] * (5 + others)
        moves = []
        for dx, dy in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            cx, cy = int(unit["x"] + dx), int(unit["y"] + dy)
            moves.append(0 <= cx < 32 and 0 <= cy < 32 and bool(self.floor[cx, cy]))
        if self.names[i] == "medivac":
            healed = [a if self.names[a] != "medivac" else None for a in range(min(self.n, others))]
            aims = healed + [None] * (others - len(healed))
        else:
            aims = list(range(self.n, len(self.units)))
        return [False, True, *moves, *(j is not None and self.units[j]["alive"] and self.away(i, j) <= 6 for j in aims)]

    def obs(self, i: int) -> NDArray[np.float64]:
        available = self.available(i)
        rows: list[float] = list(map(float, available[2:6]))
        alive = bool(self.units[i]["alive"])
        for j in [*range(self.n, len(self.units)), *range(self.n)]:
            if j == i:
                continue
            seen = self.units[j]["alive"] and self.away(i, j) < 9
            first = float(available[6 + j - self.n]) if j >= self.n else 1.0
            offset = [(self.units[j][axis] - self.units[i][axis]) / 9 for axis in ("x", "y")]
            row = [first, self.away(i, j) / 9, *offset, *self.body(j)]
            rows += row if seen else [0.0] * len(row)
        return np.array(rows + self.body(i)) * alive

    def state(self) -> NDArray[np.float64]:
        rows: list[float] = []
        for i, unit in enumerate(self.units):
            health, *rest = self.body(i)
            row = [health, (unit["x"] - 16) / 32, (unit["y"] - 16) / 32, *rest]
            if i < self.n:
                medivac = self.names[i] == "medivac"
                row.insert(1, unit["energy"] / 200 if medivac else unit["cooldown"] / COOLDOWN[self.names[i]])
            rows += row if unit["alive"] else [0.0] * len(row)
        return np.array(rows)


@pytest.mark.parametrize("name", map_names())
def test_features_of_crafted_battles(name: str) -> None:
    env, generator = Skirmish(name, BATTLES), np.random.default_rng(len(name))
    env.reset(np.arange(BATTLES, dtype=np.uint64))
    raw = env.raw_units()
    shape = raw.shape
    raw["x"], raw["y"] = 16.0 + generator.normal(0.0, 4.0, (2, *shape)).clip(-15.9, 15.9)
    raw["alive"] = generator.random(shape) < 0.8
    for part in ("health", "shield", "energy"):
        raw[part] *= generator.uniform(0.1, 1.0, shape)
    raw["cooldown"] = generator.uniform(0.0, 30.0, shape)
    raw["health"][~raw["alive"]] = 0.0
    env.set_units(raw)
    n = env.spec.n_agents
    for e in range(BATTLES):
        reader = Reader(env, raw[e])
        for i in range(n):
            assert env.available[e, i].tolist() == reader.available(i)
            np.testing.assert_allclose(env.obs[e, i], reader.obs(i), atol=1e-6)
        bodies = reader.state()
        np.testing.assert_allclose(env.state[e, : len(bodies)], bodies, atol=1e-6)
        assert not env.state[e, len(bodies) :].any()
        assert len(bodies) + n * env.spec.n_actions == env.spec.state_size
