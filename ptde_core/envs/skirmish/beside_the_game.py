"""Measuring skirmish against the real game: play without learning and duels, beside logged figures.

`data/calibration.toml` holds the real figures. Each becomes a `Comparison` with the rule that it is judged by. Nothing
here prints. What needs a training is compared in `experiments/calibration/`.
"""

import math
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptde_core.base.seeding import episode_seeds, generator
from ptde_core.envs.skirmish.duels import damage_ladder, fight_duel, unit_has_close_weapon
from ptde_core.envs.skirmish.map_files import MapFacts
from ptde_core.envs.skirmish.scripted import Heuristic, random_actions
from ptde_core.envs.skirmish.skirmish import Skirmish

_FILE = Path(__file__).parent / "data" / "calibration.toml"

LARGEST_Z = 3.0  # standard errors that a mean may be off
MEAN_SQUARE_AIM = 1.5  # of z over all lines of random play; 1 is what chance alone gives
TIME_TOLERANCE = 0.02  # of duels, relative
QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)  # of the logged lengths, in the order of the file
LOGS_DRAWN = 2000  # logs as long as the real one, drawn from our episodes to see how far quantiles scatter by chance


@dataclass(frozen=True)
class ByError:
    """Two means: at most `LARGEST_Z` times `error` apart, the standard error of their difference."""

    error: float

    def holds(self, real: float, ours: float) -> bool:
        """Whether they are close enough."""
        return abs(self.z(real, ours)) <= LARGEST_Z

    def z(self, real: float, ours: float) -> float:
        """(ours - real) / error."""
        if self.error == 0.0:
            return 0.0 if ours == real else math.copysign(math.inf, ours - real)
        return (ours - real) / self.error


@dataclass(frozen=True)
class RealWithin:
    """The real figure lies where ours does by chance: from `low` to `high`."""

    low: float
    high: float

    def holds(self, real: float, ours: float) -> bool:  # noqa: ARG002  every rule is asked alike
        """Whether it does."""
        return self.low <= real <= self.high


@dataclass(frozen=True)
class OursWithin:
    """Our figure lies where the real game's does: from `low` to `high`, which were rounded by up to `rounded`."""

    low: float
    high: float
    rounded: float = 0.0

    def holds(self, real: float, ours: float) -> bool:  # noqa: ARG002  every rule is asked alike
        """Whether it does."""
        return self.low - self.rounded - 1e-9 <= ours <= self.high + self.rounded + 1e-9


@dataclass(frozen=True)
class Nearly:
    """At most this share of the real figure apart; 0: equal."""

    share: float

    def holds(self, real: float, ours: float) -> bool:
        """Whether they are."""
        return abs(ours - real) <= self.share * abs(real)


Rule = ByError | RealWithin | OursWithin | Nearly


@dataclass(frozen=True)
class Comparison:
    """One figure of ours beside the real game's.

    Args:
        play: what was played ("random", "heuristic", "near-random", "winning", "duel").
        subject: the map, or "stalker on zealot".
        figure: what is compared ("mean return", "win rate", ...).
        real, ours: the two values.
        rule: what is asked of them.
        logged: episodes behind the real figure (0: exact or unknown).
    """

    play: str
    subject: str
    figure: str
    real: float
    ours: float
    rule: Rule
    logged: int = 0

    @property
    def holds(self) -> bool:
        """Whether the rule holds."""
        return self.rule.holds(self.real, self.ours)

    @property
    def z(self) -> float | None:
        """The deviation in standard errors; None where the figure is not a mean of logged episodes."""
        return self.rule.z(self.real, self.ours) if isinstance(self.rule, ByError) else None


@dataclass(frozen=True)
class Agreement:
    """How well means agree: the mean of z squared over `lines` lines, and the largest |z|."""

    lines: int
    mean_square: float
    largest: float

    @property
    def holds(self) -> bool:
        """Whether both are as small as is aimed at."""
        return self.mean_square <= MEAN_SQUARE_AIM and self.largest <= LARGEST_Z


def agreement(comparisons: Iterable[Comparison], play: str) -> Agreement | None:
    """Over the lines of one kind of play that have a z; None where there are none."""
    found = [one.z for one in comparisons if one.play == play and one.z is not None]
    if not found:
        return None
    return Agreement(len(found), sum(z * z for z in found) / len(found), max(map(abs, found)))


@dataclass(frozen=True)
class Played:
    """What a policy achieved: one entry per episode."""

    returns: NDArray[np.float64]
    lengths: NDArray[np.int64]
    won: NDArray[np.bool_]


@cache
def figures() -> dict[str, Any]:
    """The real game's figures, as `data/calibration.toml` has them."""
    return tomllib.loads(_FILE.read_text(encoding="utf-8"))


def maps_with_figures(kind: str) -> tuple[str, ...]:
    """Maps with figures of the real game of that kind: a table of the file that has a line per map."""
    return tuple(figures()[kind])


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


def compare_random(facts: MapFacts, episodes: int, seed: int = 0) -> Iterator[Comparison]:
    """Random play's mean return and length by z, and the quantiles of its lengths where they are known."""
    name, real = facts.name, figures()["random"][facts.name]
    played = play_random(facts, episodes, seed)
    yield from compare_means(name, played)
    if quantiles := real.get("length_quantiles"):
        yield from compare_quantiles(name, quantiles["values"], played.lengths, quantiles["episodes"], seed)


def compare_means(name: str, played: Played) -> tuple[Comparison, Comparison]:
    """Mean return and length of random play on a map, each by the standard error of the difference.

    z = (ours - real) / sqrt(real spread^2 / logged episodes + our spread^2 / our episodes). The spread is the standard
    deviation of single episodes; where it was not logged, ours stands for it.
    """
    real = figures()["random"][name]
    logged = int(real["episodes"])

    def compared(figure: str, ours: NDArray[np.number[Any]]) -> Comparison:
        spread = float(ours.std())
        error = math.sqrt(real.get(f"{figure}_spread", spread) ** 2 / logged + spread**2 / len(ours))
        return Comparison(
            "random", name, f"mean {figure}", real[figure], float(ours.mean()), ByError(error), logged=logged
        )

    return compared("return", played.returns), compared("length", played.lengths)


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
        rule = RealWithin(float(low[k]), float(high[k]))
        yield Comparison("random", name, figure, real[k], float(middle[k]), rule, logged)


def compare_heuristic(facts: MapFacts, episodes: int, seed: int = 0) -> Iterator[Comparison]:
    """The heuristic's win rate: within the span that the file allows, for nobody logged how many battles it played."""
    real = figures()["heuristic"][facts.name]
    won = float(play_heuristic(facts, episodes, seed).won.mean())
    yield Comparison("heuristic", facts.name, "win rate", real["won"], won, OursWithin(*real["allowed"]))


def compare_duels(seed: int = 0) -> Iterator[Comparison]:
    """Duels (smac-contract#duels): hits and swings exactly, times to 2 %; hits alone for units that die attacking."""
    for attacker, target, hits, swings, steps in figures()["duels"]["rows"]:
        subject = f"{attacker} on {target}"
        duel = fight_duel(attacker, target, seed=seed, far=unit_has_close_weapon(attacker))
        yield Comparison("duel", subject, "hits", hits, duel.hits, Nearly(0.0))
        yield Comparison("duel", subject, "swings", swings, duel.swings, Nearly(0.0))
        yield Comparison("duel", subject, "env steps", steps, duel.steps, Nearly(TIME_TOLERANCE))
    for attacker, target, hits in figures()["duels"]["suicides"]:
        taken = len(damage_ladder(attacker, target))
        yield Comparison("duel", f"{attacker} on {target}", "hits", hits, taken, Nearly(0.0))
