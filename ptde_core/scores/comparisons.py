"""Two beside each other: how likely one algorithm beats another over seeds, how far two policies' win rates differ.

Every random draw comes from a generator that is passed in, as in `intervals.py`.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ptde_core.scores.intervals import CONFIDENCE, PSEUDO_COUNT, RESAMPLES, Interval, percentiles, student_t
from ptde_core.scores.tally import Tally

Strata = Sequence[Sequence[float]]  # per map: one value per training seed


def improvement_probability(ours: Strata, theirs: Strata) -> float:
    """P(a seed of ours beats a seed of theirs on a map), mean over maps; a tie counts half (Agarwal et al. 2021).

    It is the Mann-Whitney statistic of each map divided by its number of pairs: 0.5 = no difference, 1 = always better.

    Raises:
        ValueError: not the same number of maps.
    """
    return float(np.mean([_beaten(x, y).mean() for x, y in zip(ours, theirs, strict=True)]))


def improvement_interval(
    ours: Strata, theirs: Strata, rng: np.random.Generator, confidence: float = CONFIDENCE
) -> Interval | None:
    """Stratified percentile bootstrap of `improvement_probability`: both sides' seeds are drawn anew within each map.

    Returns:
        The two ends; None where a map has fewer than two seeds of either.
    """
    if any(len(values) < 2 for values in [*ours, *theirs]):
        return None
    mean = np.zeros(RESAMPLES)
    for x, y in zip(ours, theirs, strict=True):
        drawn_x, drawn_y = _drawn(len(x), rng), _drawn(len(y), rng)  # (R, X), (R, Y)
        mean += ((drawn_x @ _beaten(x, y)) * drawn_y).sum(axis=1) / (len(x) * len(y) * len(ours))  # (R,)
    return percentiles(mean, confidence)


def difference_interval(
    ours: NDArray[np.bool_],
    theirs: NDArray[np.bool_],
    rng: np.random.Generator,
    *,
    paired: bool,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Interval of the difference of two win rates, ours minus theirs.

    The Bayesian bootstrap of `retention_interval`: shares of the outcomes are Dirichlet draws, with half a
    pseudo-episode of each, so that 320 of 320 still has a width; the interval is widened to the difference itself where
    that lies at the very edge. It covers the luck of the episodes, not of training.

    Args:
        ours: (K,) episodes won.
        theirs: (J,); where `paired`, J = K and element k of both is the same battle.
        rng: where the draws come from.
        paired: whether both played the same battles.
        confidence: the share of such intervals that should hold the truth.

    Raises:
        ValueError: `paired`, and the lengths differ.
    """
    if paired:
        if len(ours) != len(theirs):
            raise ValueError("the two were not tallied over the same battles")
        outcomes = np.bincount(2 * ours + theirs, minlength=4)  # none, theirs only, ours only, both
        shares = rng.dirichlet(outcomes + PSEUDO_COUNT, size=RESAMPLES)  # (R, 4)
        draws = shares[:, 2] - shares[:, 1]
    else:
        first, second = (
            rng.beta(won.sum() + PSEUDO_COUNT, (~won).sum() + PSEUDO_COUNT, size=RESAMPLES) for won in (ours, theirs)
        )
        draws = first - second
    found, difference = percentiles(draws, confidence), float(ours.mean() - theirs.mean())
    return Interval(min(found.low, difference), max(found.high, difference))


def seeds_difference_interval(
    ours: Sequence[Tally], theirs: Sequence[Tally], confidence: float = CONFIDENCE
) -> Interval | None:
    """Welch's t interval of the difference of two mean win rates over training seeds, ours minus theirs.

    With the seeds' variances s^2 over n and m seeds: d -+ t sqrt(v + w), v = s_ours^2 / n, w = s_theirs^2 / m, and
    (v + w)^2 / (v^2 / (n - 1) + w^2 / (m - 1)) degrees of freedom. v and w are at least those of the episodes alone,
    p (1 - p) / episodes with half a pseudo-win and -loss, so that seeds that all won everything still have a width.

    Returns:
        The two ends; None where a side has fewer than two seeds.
    """
    if min(len(ours), len(theirs)) < 2:
        return None
    means, errors = [], []
    for tallies in (ours, theirs):
        rates = np.array([one.rate for one in tallies])
        pooled = Tally.of_tallies(tallies)
        p = (pooled.wins + PSEUDO_COUNT) / (pooled.episodes + 2 * PSEUDO_COUNT)
        means.append(rates.mean())
        errors.append(max(rates.var(ddof=1) / len(rates), p * (1 - p) / pooled.episodes))
    freedom = sum(errors) ** 2 / sum(
        error**2 / (len(tallies) - 1) for error, tallies in zip(errors, (ours, theirs), strict=True)
    )
    half = float(student_t(freedom, confidence) * np.sqrt(sum(errors)))
    difference = float(means[0] - means[1])
    return Interval(difference - half, difference + half)


def _drawn(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(RESAMPLES, count): how often each of `count` values is in each resample of as many."""
    which = rng.integers(count, size=(RESAMPLES, count)) + count * np.arange(RESAMPLES)[:, None]
    return np.bincount(which.ravel(), minlength=RESAMPLES * count).reshape(RESAMPLES, count).astype(float)


def _beaten(x: Sequence[float], y: Sequence[float]) -> NDArray[np.float64]:
    """(X, Y): 1 where a value of x is larger than one of y, 0.5 where they are equal."""
    ours, theirs = np.asarray(x, float)[:, None], np.asarray(y, float)[None, :]
    found: NDArray[np.float64] = (ours > theirs) + 0.5 * (ours == theirs)
    return found
