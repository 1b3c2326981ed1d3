"""Measuring skirmish against the real game: random play, SMAC's heuristic and duels, beside logged figures.

`calibrate` yields one `Comparison` per figure; `data/calibration.toml` holds the real ones. Nothing here prints.
"""

import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptde_core.base.seeding import episode_seeds, generator
from ptde_core.envs.skirmish import fields as f
from ptde_core.envs.skirmish.battle import LOOPS_PER_STEP
from ptde_core.envs.skirmish.compile import entry
from ptde_core.envs.skirmish.environment import Skirmish
from ptde_core.envs.skirmish.maps import MapFacts, build_map, load_map
from ptde_core.envs.skirmish.scripted import Heuristic, random_actions
from ptde_core.envs.skirmish.tables import MapTables, Reals, Wholes
from ptde_core.envs.skirmish.units import unit_facts
from ptde_core.envs.skirmish.weapons import hurt

_FILE = Path(__file__).parent / "data" / "calibration.toml"

RETURN_TOLERANCE = 0.08  # of random play, relative
LENGTH_TOLERANCE = 0.05
WIN_TOLERANCE = 0.12  # of the heuristic, in points of the win rate
TIME_TOLERANCE = 0.02  # of duels, relative
QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)  # of the logged lengths, in the order of the file
LOGS_DRAWN = 2000  # logs as long as the real one, drawn from our episodes to see how far quantiles scatter by chance


@dataclass(frozen=True)
class Played:
    """What a policy achieved: one entry per episode."""

    returns: NDArray[np.float64]
    lengths: NDArray[np.int64]
    won: NDArray[np.bool_]


@dataclass(frozen=True)
class Comparison:
    """One figure of ours beside the real game's.

    Args:
        play: "random", "heuristic" or "duel".
        subject: the map, or "stalker on zealot".
        figure: what is compared ("mean return", "win rate", ...).
        real, ours: the two values.
        tolerance: largest deviation for the verdict; relative if `relative`, else absolute.
        episodes: how many the real value is a mean over (0: exact or unknown).
        span: where the real value has to lie instead, for figures that scatter unevenly; None: the tolerance counts.
        error: standard error of the real mean, if its episodes scatter like ours; 0: not a mean over logged episodes.
    """

    play: str
    subject: str
    figure: str
    real: float
    ours: float
    tolerance: float
    relative: bool
    episodes: int = 0
    span: tuple[float, float] | None = None
    error: float = 0.0

    @property
    def deviation(self) -> float:
        """Ours minus real, divided by real where the figure is compared relatively."""
        return (self.ours - self.real) / self.real if self.relative else self.ours - self.real

    @property
    def holds(self) -> bool:
        """Whether the deviation is within the tolerance, or the real value within its span."""
        if self.span is not None:
            return self.span[0] <= self.real <= self.span[1]
        return abs(self.deviation) <= self.tolerance + 1e-12


@cache
def figures() -> dict[str, Any]:
    """The real game's figures, as `data/calibration.toml` has them."""
    return tomllib.loads(_FILE.read_text(encoding="utf-8"))


def calibrated_maps() -> tuple[str, ...]:
    """Maps with at least one figure of the real game."""
    known = figures()
    return tuple(dict.fromkeys([*known["random"], *known["heuristic"]]))


def play_random(facts: MapFacts, episodes: int, seed: int = 0) -> Played:
    """Uniformly random play over the available actions; all episodes side by side in one batch."""
    env = Skirmish(facts, episodes)
    env.reset(episode_seeds(seed, "calibrate", 0, episodes))
    chance = generator(seed, "calibrate-actions")
    return _play(env, lambda: env.step(random_actions(env.available, chance)))


def play_heuristic(facts: MapFacts, episodes: int, seed: int = 0) -> Played:
    """SMAC's scripted heuristic."""
    env = Skirmish(facts, episodes)
    env.reset(episode_seeds(seed, "calibrate", 0, episodes))
    policy = Heuristic(env)
    return _play(env, lambda: env.step_freely(policy.actions()))


def _play(env: Skirmish, step: Callable[[], None]) -> Played:
    returns, lengths = np.zeros(env.n_envs), np.zeros(env.n_envs, np.int64)
    while not (env.terminated | env.truncated).all():
        lengths += ~(env.terminated | env.truncated)
        step()
        returns += env.reward
    return Played(returns, lengths, env.won.copy())


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


def calibrate(maps: tuple[str, ...], episodes: int, seed: int = 0) -> Iterator[Comparison]:
    """Compare skirmish with the real game, figure by figure, as they are measured.

    Args:
        maps: restrict to these; empty: all maps with figures, and the duels.
        episodes: battles per map and policy.
        seed: decides battles and random actions.

    Raises:
        PtdeError: no such map.
    """
    known = figures()
    for name in maps or calibrated_maps():
        facts = load_map(name)
        if name in known["random"]:
            real = known["random"][name]
            played = play_random(facts, episodes, seed)
            logged = int(real["episodes"])
            yield _compare_means(name, "mean return", real["return"], played.returns, RETURN_TOLERANCE, logged)
            yield _compare_means(name, "mean length", real["length"], played.lengths, LENGTH_TOLERANCE, logged)
            if "length_quantiles" in real:
                yield from compare_quantiles(name, real["length_quantiles"], played.lengths, logged, seed)
        if name in known["heuristic"]:
            played = play_heuristic(facts, episodes, seed)
            yield Comparison(
                "heuristic", name, "win rate", known["heuristic"][name], float(played.won.mean()), WIN_TOLERANCE, False
            )
    if not maps:
        yield from compare_duels(seed)


def _compare_means(
    name: str, figure: str, real: float, ours: NDArray[np.number[Any]], tolerance: float, logged: int
) -> Comparison:
    error = float(ours.std()) / logged**0.5
    return Comparison("random", name, figure, real, float(ours.mean()), tolerance, True, logged, error=error)


def compare_quantiles(
    name: str, real: list[float], lengths: NDArray[np.int64], logged: int, seed: int
) -> Iterator[Comparison]:
    """The quantiles of a log's episode lengths: each within what 95 % of equally long logs of our episodes show.

    Ours is the median of these logs, so that the shortest of 66 episodes is not held against the shortest of 1024.

    Args:
        name: the map.
        real: the log's `QUANTILES`.
        lengths: ours (episodes,).
        logged: episodes in the log.
        seed: decides which of our episodes are drawn.
    """
    logs = generator(seed, "calibrate-quantiles").choice(lengths, (LOGS_DRAWN, logged))
    ours = np.quantile(logs, QUANTILES, axis=1)  # (quantiles, logs)
    low, middle, high = np.quantile(ours, (0.025, 0.5, 0.975), axis=1)  # (quantiles,) each
    for k, share in enumerate(QUANTILES):
        figure = {0.0: "shortest", 1.0: "longest"}.get(share, f"length, {share:.0%}")
        span = float(low[k]), float(high[k])
        yield Comparison("random", name, figure, real[k], float(middle[k]), 0.0, False, logged, span)


def compare_duels(seed: int = 0) -> Iterator[Comparison]:
    """The duels of SPEC 9.10: hits and swings exactly, times within 2 %; hits alone for units that die attacking."""
    for attacker, target, hits, swings, steps in figures()["duels"]["rows"]:
        subject = f"{attacker} on {target}"
        duel = fight_duel(attacker, target, seed=seed, far=unit_has_close_weapon(attacker))
        yield Comparison("duel", subject, "hits", hits, duel.hits, 0.0, False)
        yield Comparison("duel", subject, "swings", swings, duel.swings, 0.0, False)
        yield Comparison("duel", subject, "env steps", steps, duel.steps, TIME_TOLERANCE, True)
    for attacker, target, hits in figures()["duels"]["suicides"]:
        taken = len(damage_ladder(attacker, target))
        yield Comparison("duel", f"{attacker} on {target}", "hits", hits, taken, 0.0, False)


def unit_has_close_weapon(name: str) -> bool:
    """Whether the unit fights adjacent targets with another weapon than the one SPEC 9.10 lists."""
    weapon = unit_facts(name, 0).weapon
    return weapon is not None and weapon.close is not None
