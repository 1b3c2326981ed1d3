"""Returns where nothing can be won: intervals and retention against numbers worked by hand."""

import numpy as np
import pytest

from ptde_core.scores.returns import (
    PairedReturns,
    mean_difference_interval,
    mean_interval,
    return_retention,
    return_retention_interval,
)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_the_interval_of_a_mean_is_students() -> None:
    found = mean_interval(np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    assert found is not None
    half = 2.776445 * 1.581139 / 5**0.5  # t of 4 degrees, sample deviation sqrt(2.5)
    assert found == pytest.approx((3 - half, 3 + half), abs=1e-5)
    assert mean_interval(np.array([1.0])) is None


def test_the_difference_of_means_paired_and_not() -> None:
    ours, theirs = np.array([2.0, 4.0, 6.0]), np.array([1.0, 3.0, 2.0])
    paired = mean_difference_interval(ours, theirs, paired=True)  # differences 1, 1, 4: mean 2, deviation sqrt(3)
    assert paired == pytest.approx((2 - 4.302653, 2 + 4.302653), abs=1e-5)  # t of 2 degrees times sqrt(3) / sqrt(3)
    free = mean_difference_interval(ours, theirs, paired=False)
    assert free is not None
    # Variances 4 and 1: error sqrt(5/3), freedom (5/3)^2 / ((4/3)^2 / 2 + (1/3)^2 / 2) = 50/17.
    assert (free.high - free.low) / 2 == pytest.approx(3.2195 * (5 / 3) ** 0.5, rel=2e-3)
    assert (free.high + free.low) / 2 == pytest.approx(2)
    same = np.full(3, 2.0)
    assert mean_difference_interval(same, same + 1, paired=False) == (-1, -1)
    with pytest.raises(ValueError, match="same episodes"):
        mean_difference_interval(ours, theirs[:2], paired=True)


def test_retention_is_undefined_unless_the_teachers_return_is_above_0() -> None:
    assert return_retention(3.0, 4.0) == 0.75
    assert return_retention(-1.0, 4.0) == -0.25
    assert return_retention(3.0, 0.0) is None
    assert return_retention(-3.0, -4.0) is None, "a ratio of losses would call the worse one better"


def test_the_interval_of_retention_is_over_pairs() -> None:
    teacher = np.linspace(5, 15, 200)
    kept = return_retention_interval([PairedReturns(0.8 * teacher, teacher)], rng())
    assert kept == pytest.approx((0.8, 0.8)), "what is lost in equal shares of each episode has no spread"
    noisy = 0.8 * teacher + rng().normal(0, 2, 200)
    found = return_retention_interval([PairedReturns(noisy, teacher)], rng())
    assert found is not None
    error = (noisy - noisy.mean() / teacher.mean() * teacher).std() / teacher.mean() / 200**0.5  # of a ratio of means
    ratio = noisy.mean() / teacher.mean()
    assert found == pytest.approx((ratio - 1.96 * error, ratio + 1.96 * error), abs=0.1 * error)
    assert return_retention_interval([PairedReturns(noisy, teacher)], rng()) == found


def test_runs_are_pooled_by_their_episodes() -> None:
    runs = [PairedReturns(np.full(k, r), np.full(k, 10.0)) for k, r in ((10, 4.0), (30, 8.0))]
    assert return_retention_interval(runs, rng()) == pytest.approx((0.7, 0.7))


def test_there_is_no_interval_where_the_teachers_return_may_be_0() -> None:
    teacher = np.array([-5.0, 6.0] * 20)  # mean 0.5
    assert return_retention_interval([PairedReturns(teacher, teacher)], rng()) is None
    assert return_retention_interval([PairedReturns(np.ones(1), np.ones(1))], rng()) is None
    with pytest.raises(ValueError, match="same episodes"):
        return_retention_interval([PairedReturns(np.ones(2), np.ones(3))], rng())
