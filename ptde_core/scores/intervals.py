"""How sure a number is: intervals for win rates and the PRR, and what is said over training seeds.

Every random draw comes from a generator that is passed in, so an interval is reproducible from a seed. `scipy.stats`
has most of these too, and takes a second to import, for which every table would wait: the tests compare with it.
"""

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from ptde_core.scores.tally import Tally, retention

CONFIDENCE = 0.95
RESAMPLES = 9_999
PSEUDO_COUNT = 0.5  # Jeffreys: half an episode of each of the four joint outcomes, see retention_interval


class Interval(NamedTuple):
    """Both ends of an interval, in the unit of the number it belongs to."""

    low: float
    high: float


class PairedOutcomes(NamedTuple):
    """One student and its teacher on the same K battles: element k of both arrays is the same battle."""

    student_won: NDArray[np.bool_]  # (K,)
    teacher_won: NDArray[np.bool_]  # (K,)


class MeanStd(NamedTuple):
    """Mean and sample standard deviation over training seeds."""

    mean: float
    std: float


def win_rate_interval(tally: Tally, confidence: float = CONFIDENCE) -> Interval:
    """Wilson's interval for a win rate, as fractions. It stays inside 0..1 and has a width even at 0/n and n/n.

    With q the normal quantile and n episodes, (rate + q^2 / 2n -+ q sqrt(rate (1 - rate) / n + q^2 / 4n^2)) /
    (1 + q^2 / n). It covers the luck of the episodes played by these trained policies, not the luck of training them.
    """
    n, rate, square = tally.episodes, tally.rate, float(ndtri((1 + confidence) / 2)) ** 2
    middle = rate + square / (2 * n)
    half = sqrt(square * rate * (1 - rate) / n + (square / (2 * n)) ** 2)
    low = (middle - half) / (1 + square / n) if tally.wins else 0.0
    return Interval(low, (middle + half) / (1 + square / n) if tally.wins < n else 1.0)


def student_t(freedom: float, confidence: float = CONFIDENCE) -> float:
    """How many standard errors a two-sided Student's t interval reaches from its middle."""
    return float(stdtrit(freedom, (1 + confidence) / 2))


def percentiles(draws: NDArray[np.float64], confidence: float) -> Interval:
    """Both ends of the middle `confidence` of all draws."""
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high))


def retention_interval(
    pairs: Sequence[PairedOutcomes], rng: np.random.Generator, confidence: float = CONFIDENCE
) -> Interval | None:
    """Bootstrap interval of the PRR over paired episodes; one element of `pairs` per training seed, pooled.

    It covers the luck of the episodes played by these trained policies, not the luck of training them.

    A battle has one of four joint outcomes (who of student and teacher won it), so reweighting a run's battles at
    random is drawing the shares of its four outcomes: the Bayesian bootstrap, a Dirichlet draw. Each outcome starts
    with half a pseudo-episode, shared among the runs. Two reasons: a plain bootstrap of 320 wins in 320 would claim
    a width of zero, and near a win rate of 1 it covers the truth too seldom (100 battles at 0.99 and 0.985: 78 % of
    the time where 95 % are asked); and the teacher's share is never zero in a draw, so no draw is undefined.

    Args:
        pairs: outcomes on the same battles; different runs may have different numbers of battles.
        rng: where the draws come from.
        confidence: the share of such intervals that should hold the truth.

    Returns:
        The two ends as ratios (1.0 = nothing lost), widened to the PRR itself where it lies at the very edge;
        None where the teacher never wins.

    Raises:
        ValueError: a pair of unequal length.
    """
    student = Tally.of(won for pair in pairs for won in pair.student_won.tolist())
    teacher = Tally.of(won for pair in pairs for won in pair.teacher_won.tolist())
    ratio = retention(student, teacher)
    if ratio is None:
        return None
    student_share = np.zeros(RESAMPLES)
    teacher_share = np.zeros(RESAMPLES)
    for pair in pairs:
        if len(pair.student_won) != len(pair.teacher_won):
            raise ValueError("student and teacher were not tallied over the same battles")
        outcome = 2 * pair.student_won + pair.teacher_won  # (K,) 0 none, 1 teacher only, 2 student only, 3 both
        counts = np.bincount(outcome, minlength=4)  # (4,)
        shares = rng.dirichlet(counts + PSEUDO_COUNT / len(pairs), size=RESAMPLES)  # (RESAMPLES, 4)
        student_share += len(outcome) * (shares[:, 2] + shares[:, 3])
        teacher_share += len(outcome) * (shares[:, 1] + shares[:, 3])
    found = percentiles(student_share / teacher_share, confidence)
    return Interval(min(found.low, ratio), max(found.high, ratio))


def mean_std(values: Sequence[float]) -> MeanStd | None:
    """Mean ± standard deviation over training seeds, as the paper shows it; None below two seeds.

    The deviation is the sample's (divided by n - 1): the seeds are a sample of all trainings that could have been.
    The paper's is too: with 3 win rates that average 0.064 the other kind could not exceed 0.091, and its Table 2
    prints 0.064±0.098 (COPA on 3s5z_vs_3s6z).
    """
    if len(values) < 2:
        return None
    return MeanStd(float(np.mean(values)), float(np.std(values, ddof=1)))


def interquartile_mean(strata: Sequence[Sequence[float]]) -> float:
    """Mean of the middle half of all values; a quarter, rounded down to whole values, is left out at each end.

    Below four values nothing is left out and it is the plain mean.
    """
    return float(_middle_half(np.concatenate([np.asarray(values, float) for values in strata])))


def _middle_half(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The interquartile mean along the last axis."""
    cut = values.shape[-1] // 4
    middle: NDArray[np.float64] = np.sort(values, axis=-1)[..., cut : values.shape[-1] - cut].mean(axis=-1)
    return middle


def interquartile_mean_interval(
    strata: Sequence[Sequence[float]], rng: np.random.Generator, confidence: float = CONFIDENCE
) -> Interval | None:
    """Stratified percentile bootstrap of the interquartile mean over training seeds.

    Args:
        strata: one element per map, each holding one value per training seed; a resample draws seeds within a map.
        rng: where the resamples come from.
        confidence: the share of such intervals that should hold the truth (with 3 seeds they are too narrow).

    Returns:
        The two ends in the unit of the values; None where a stratum has fewer than two seeds.
    """
    if any(len(values) < 2 for values in strata):
        return None
    drawn = [np.asarray(values, float)[rng.integers(len(values), size=(RESAMPLES, len(values)))] for values in strata]
    return percentiles(_middle_half(np.concatenate(drawn, axis=1)), confidence)
