"""Returns, for games that cannot be won: how sure a mean return is, and how much of a teacher's return a student keeps.

Every random draw comes from a generator that is passed in, as in `intervals.py`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ptde_core.scores.intervals import CONFIDENCE, RESAMPLES, Interval, percentiles, student_t

CHUNK = 1_000  # resamples at a time: all of them over thousands of episodes would fill the memory


class PairedReturns(NamedTuple):
    """One student and its teacher on the same K episodes: element k of both arrays is the same episode."""

    student: NDArray[np.float64]  # (K,)
    teacher: NDArray[np.float64]  # (K,)


def mean_interval(values: NDArray[np.float64], confidence: float = CONFIDENCE) -> Interval | None:
    """Student's t interval of a mean: mean ± t s / sqrt(n), s the sample's deviation; None below two values.

    Args:
        values: (K,) one number per episode, or per training seed.
        confidence: the share of such intervals that should hold the truth.
    """
    count = len(values)
    if count < 2:
        return None
    half = float(student_t(count - 1, confidence) * values.std(ddof=1) / np.sqrt(count))
    return Interval(float(values.mean()) - half, float(values.mean()) + half)


def mean_difference_interval(
    ours: NDArray[np.float64], theirs: NDArray[np.float64], *, paired: bool, confidence: float = CONFIDENCE
) -> Interval | None:
    """Interval of the difference of two mean returns, ours minus theirs; None below two episodes of either.

    Paired episodes: Student's t of their differences. Others: Welch's, for two variances.

    Raises:
        ValueError: `paired`, and the lengths differ.
    """
    if paired:
        if len(ours) != len(theirs):
            raise ValueError("the two did not play the same episodes")
        return mean_interval(ours - theirs, confidence)
    if min(len(ours), len(theirs)) < 2:
        return None
    first, second = (one.var(ddof=1) / len(one) for one in (ours, theirs))
    difference, error = float(ours.mean() - theirs.mean()), float(first + second)
    if error == 0:
        return Interval(difference, difference)
    freedom = error**2 / (first**2 / (len(ours) - 1) + second**2 / (len(theirs) - 1))
    half = student_t(freedom, confidence) * error**0.5
    return Interval(difference - half, difference + half)


def return_retention(student: float, teacher: float) -> float | None:
    """Student's mean return / teacher's. None where the teacher's is not above 0: a ratio would say nothing then."""
    return student / teacher if teacher > 0 else None


def return_retention_interval(
    pairs: Sequence[PairedReturns], rng: np.random.Generator, confidence: float = CONFIDENCE
) -> Interval | None:
    """Bayesian bootstrap of `return_retention` over paired episodes; one element of `pairs` per training seed, pooled.

    A draw weighs each run's episodes by a flat Dirichlet. It covers the luck of the episodes, not of training.

    Returns:
        The two ends as ratios; None where a draw's teacher has a return that is not above 0 (the ratio has no bounds
        then), or there are fewer than two episodes.

    Raises:
        ValueError: a pair of unequal length.
    """
    if any(len(pair.student) != len(pair.teacher) for pair in pairs):
        raise ValueError("student and teacher did not play the same episodes")
    if sum(len(pair.student) for pair in pairs) < 2:
        return None
    student, teacher = np.zeros(RESAMPLES), np.zeros(RESAMPLES)
    for pair in pairs:
        count = len(pair.student)
        for start in range(0, RESAMPLES, CHUNK):
            rows = slice(start, min(start + CHUNK, RESAMPLES))
            weights = rng.dirichlet(np.ones(count), size=rows.stop - rows.start)  # (R, K)
            student[rows] += count * (weights @ pair.student)
            teacher[rows] += count * (weights @ pair.teacher)
    if (teacher <= 0).any():
        return None
    return percentiles(student / teacher, confidence)
