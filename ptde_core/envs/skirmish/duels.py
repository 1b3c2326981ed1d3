"""Duels: one unit kills another that stands still, fought by the engine itself, to compare with computed ones."""

from dataclasses import dataclass

import numpy as np

from ptde_core.base.seeding import episode_seeds
from ptde_core.envs.skirmish import fields as f
from ptde_core.envs.skirmish.battle import LOOPS_PER_STEP
from ptde_core.envs.skirmish.compiled import entry
from ptde_core.envs.skirmish.map_constants import MapTables, Reals, Wholes
from ptde_core.envs.skirmish.map_files import MapFacts, build_map
from ptde_core.envs.skirmish.skirmish import Skirmish
from ptde_core.envs.skirmish.units import unit_facts
from ptde_core.envs.skirmish.weapons import hurt


@dataclass(frozen=True)
class Duel:
    """An attacker kills a target that neither moves nor fights back nor regenerates.

    Args:
        hits, swings: damage instances and attacks until death.
        steps: mean env steps between the first and the last swing.
        ladder: damage dealt in total after each hit, overkill left out.
    """

    hits: int
    swings: int
    steps: float
    ladder: tuple[float, ...]


def duel_map(attacker: str, target: str) -> MapFacts:
    """One unit on each side, in reach of each other, the enemy without order."""
    reach = unit_facts(attacker, 0).radius + unit_facts(target, 1).radius + 0.05
    apart = max(reach, unit_facts(attacker, 0).separation + unit_facts(target, 1).separation + 1e-3)
    return build_map(
        f"{attacker}_on_{target}",
        {
            "terrain": "open",
            "limit": 400,
            "allies": [{"type": attacker, "count": 1, "x": 16, "y": 16}],
            "enemies": [{"type": target, "count": 1, "x": 16 + apart, "y": 16}],
            "enemy_order": {"kind": "none"},
            "switches": {"head_start_loops": 0},  # or a baneling would be gone before the first look
        },
    )


def fight_duel(attacker: str, target: str, repeats: int = 256, seed: int = 0, far: bool = False) -> Duel:
    """Let the attacker kill the target many times with the engine itself.

    Args:
        attacker: type of the ally.
        target: type of the enemy.
        repeats: battles.
        seed: decides them.
        far: stand at the edge of the attacker's reach instead of next to the target (weapons with a close variant).
    """
    env = Skirmish(duel_map(attacker, target), repeats)
    tables = env._tables
    tables.pair[f.REACH, 1] = -1.0  # the target does not fight back,
    tables.body[f.TOP_SPEED, 1] = 0.0  # stays,
    tables.body[f.LIFE_REGEN, 1] = 0.0  # does not regenerate
    tables.body[f.BLAST, 1] = 0.0  # and does not explode
    env.reset(episode_seeds(seed, "duel", 0, repeats))
    raw = env.raw_units()
    if far:
        raw["x"][:, 1] = raw["x"][:, 0] + tables.pair[f.REACH, 0, 1] - 0.01
    raw["cooldown"][:, 0] = 8.0 * (np.arange(repeats) + 0.5) / repeats  # spread the first swing over a step
    env.set_units(raw)
    real = env._battles.real
    swings = np.zeros(repeats, np.int64)
    first, last, step = np.zeros(repeats), np.zeros(repeats), 0
    while not (env.terminated | env.truncated).all():
        running = ~(env.terminated | env.truncated)
        before = real[:, f.COOLDOWN, 0].copy()
        env.step_freely(np.full((repeats, 1), f.FIRST_TARGET))
        swung = running & (real[:, f.COOLDOWN, 0] > np.maximum(before - LOOPS_PER_STEP, 0.0))
        first[swung & (swings == 0)] = step
        last[swung] = step
        swings += swung
        step += 1
    ladder = damage_ladder(attacker, target)
    return Duel(len(ladder), int(np.median(swings)), float((last - first).mean()), ladder)


@entry
def _hit(m: MapTables, real: Reals, whole: Wholes, shooter: int, target: int, damage: float) -> None:
    """One hit by the engine's own rule."""
    hurt(m, real, whole, shooter, target, damage)


def damage_ladder(attacker: str, target: str) -> tuple[float, ...]:
    """Damage taken in total after each hit until the target is dead, from the engine's own `hurt`."""
    env = Skirmish(duel_map(attacker, target), 1)
    env.reset(np.zeros(1, np.uint64))
    tables, real, whole = env._tables, env._battles.real[0], env._battles.whole[0]
    whole_life = real[f.HEALTH, 1] + real[f.SHIELD, 1]
    ladder: list[float] = []
    while real[f.HEALTH, 1] > 0.0:
        _hit(tables, real, whole, 0, 1, float(tables.pair[f.HIT, 0, 1]))
        ladder.append(float(whole_life - real[f.HEALTH, 1] - real[f.SHIELD, 1]))
    return tuple(ladder)


def unit_has_close_weapon(name: str) -> bool:
    """Whether the unit fights adjacent targets with another weapon than the one smac-contract#duels lists."""
    weapon = unit_facts(name, 0).weapon
    return weapon is not None and weapon.close is not None
