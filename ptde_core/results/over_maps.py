"""Algorithms over several maps: aggregates, and the probability that one improves on another."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ptde_core.base.seeding import generator
from ptde_core.results.found_runs import grouped
from ptde_core.results.score import Score, value_of
from ptde_core.scores.comparisons import improvement_interval, improvement_probability
from ptde_core.scores.intervals import Interval, interquartile_mean, interquartile_mean_interval
from ptde_core.scores.tally import Tally
from ptde_core.storage.evaluation_file import ZSource


@dataclass(frozen=True)
class Aggregate:
    """One algorithm and source of z over all its maps, which have equal weight; the names are explained at `Score`.

    Args:
        maps: those it was evaluated on. Two aggregates compare only where these are equal.
        runs: training seeds of all maps together.
        mean: of the maps' mean win rates.
        iqm: interquartile mean over the seeds of all maps; its interval is None where a map has one seed.
    """

    name: str
    z: ZSource
    sight: str
    variant: str
    maps: tuple[str, ...]
    runs: int
    tally: Tally
    mean: float
    iqm: float
    iqm_interval: Interval | None


@dataclass(frozen=True)
class Improvement:
    """The probability that a seed of `better` beats one of `than`, over maps where both have two seeds or more."""

    better: str
    than: str
    maps: tuple[str, ...]
    probability: float
    interval: Interval | None


def aggregates(scores: Sequence[Score], place: str, seed: int) -> list[Aggregate]:
    """Aggregates of the algorithms with several maps; `place` and `seed` decide the bootstrap's draws."""
    found = []
    for (name, sight, z, variant), rows in grouped(scores, lambda one: (one.name, one.sight, one.z, one.variant)):
        if len(rows) == 1:
            continue
        strata = [_rates(one) for one in rows]
        maps = tuple(one.map for one in rows)
        chance = generator(seed, " ".join(["aggregate", place, name, sight, z, variant, *maps]))
        found.append(
            Aggregate(
                name=name,
                z=z,
                sight=sight,
                variant=variant,
                maps=maps,
                runs=sum(map(len, strata)),
                tally=Tally.of_tallies(one.tally for one in rows if one.tally),
                mean=float(np.mean([np.mean(rates) for rates in strata])),
                iqm=interquartile_mean(strata),
                iqm_interval=interquartile_mean_interval(strata, chance),
            )
        )
    return found


def improvements(scores: Sequence[Score], place: str, seed: int) -> list[Improvement]:
    """Every pair of algorithms with two seeds or more on the same maps; of teachers, those with z as in the paper."""
    named: dict[str, dict[str, list[float]]] = defaultdict(dict)
    for score in scores:
        if score.z != "mean" and len(score.seeds) > 1:
            words = [f"{score.name}, sight {score.sight}" if score.sight else score.name]
            words += [f"({score.variant})"] if score.variant else []
            named[" ".join(words)][score.map] = _rates(score)
    found = []
    for (one, ours), (other, theirs) in combinations(named.items(), 2):
        maps = tuple(name for name in ours if name in theirs)
        if not maps:
            continue
        x, y = [ours[name] for name in maps], [theirs[name] for name in maps]
        chance = generator(seed, " ".join(["improvement", place, one, other, *maps]))
        found.append(Improvement(one, other, maps, improvement_probability(x, y), improvement_interval(x, y, chance)))
    return found


def _rates(score: Score) -> list[float]:
    return [value_of(one) for one in score.seeds]
