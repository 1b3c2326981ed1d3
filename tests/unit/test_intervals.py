import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ptde_core.scores.comparisons import difference_interval, improvement_interval, improvement_probability
from ptde_core.scores.intervals import (
    PairedOutcomes,
    interquartile_mean,
    interquartile_mean_interval,
    mean_std,
    retention_interval,
    student_t,
    win_rate_interval,
)
from ptde_core.scores.published import benchmarks
from ptde_core.scores.tally import Tally


def paired(both: int, only_student: int, only_teacher: int, none: int) -> PairedOutcomes:
    """Outcomes with the given counts of battles won by both, by one, by none."""
    student = np.repeat([True, True, False, False], [both, only_student, only_teacher, none])
    teacher = np.repeat([True, False, True, False], [both, only_student, only_teacher, none])
    return PairedOutcomes(student, teacher)


def test_wilson_by_hand() -> None:
    # n = 10, p = 0.8, z² = 3.841459: centre (p + z²/2n) / (1 + z²/n), half width z·sqrt(p(1-p)/n + z²/4n²) / (1 + z²/n)
    centre = (0.8 + 3.841459 / 20) / 1.3841459
    half = 1.959964 * np.sqrt(0.8 * 0.2 / 10 + 3.841459 / 400) / 1.3841459
    assert win_rate_interval(Tally(8, 10)) == pytest.approx((centre - half, centre + half), abs=1e-6)


def test_wilson_has_a_width_at_both_ends() -> None:
    assert win_rate_interval(Tally(0, 32)) == pytest.approx((0, 0.1072), abs=1e-4)
    assert win_rate_interval(Tally(32, 32)) == pytest.approx((0.8928, 1), abs=1e-4)


@given(st.integers(1, 10_000), st.floats(0, 1), st.floats(0.5, 0.999))
def test_wilson_and_students_t_are_scipys(episodes: int, share: float, confidence: float) -> None:
    wins = round(share * episodes)
    theirs = stats.binomtest(wins, episodes).proportion_ci(confidence_level=confidence, method="wilson")
    assert win_rate_interval(Tally(wins, episodes), confidence) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert student_t(episodes, confidence) == pytest.approx(stats.t.ppf((1 + confidence) / 2, episodes), rel=1e-9)


@given(st.lists(st.lists(st.floats(0, 1), min_size=2, max_size=6), min_size=1, max_size=3))
def test_interquartile_means_are_scipys(strata: list[list[float]]) -> None:
    def trimmed(*samples: np.ndarray, axis: int) -> np.ndarray:
        return np.asarray(stats.trim_mean(np.concatenate(samples, axis=axis), 0.25, axis=axis))

    assert interquartile_mean(strata) == pytest.approx(stats.trim_mean(np.concatenate(strata), 0.25), abs=1e-12)
    theirs = stats.bootstrap(
        strata, trimmed, vectorized=True, n_resamples=9_999, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    ours = interquartile_mean_interval(strata, np.random.default_rng(0))
    assert ours == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_reports_do_not_wait_for_scipy_stats() -> None:
    report = (
        "import sys; from ptde_core.api import report; report('results/skirmish/3s_vs_5z/QMIX_SGI');"
        "sys.exit('scipy.stats' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", report], cwd=Path(__file__).parents[2], check=False)
    assert ended.returncode == 0


def test_retention_interval_agrees_with_scipys_paired_bootstrap_away_from_the_edges() -> None:
    pair = paired(150, 30, 60, 80)
    ours = retention_interval([pair], np.random.default_rng(0))
    theirs = stats.bootstrap(
        (pair.student_won.astype(float), pair.teacher_won.astype(float)),
        lambda s, t, axis: s.mean(axis) / t.mean(axis),
        paired=True,
        method="percentile",
        vectorized=True,
        rng=np.random.default_rng(0),
    ).confidence_interval
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.01)


def test_retention_interval_is_reproducible_and_pairs_matter() -> None:
    first = retention_interval([paired(150, 30, 60, 80)], np.random.default_rng(7))
    again = retention_interval([paired(150, 30, 60, 80)], np.random.default_rng(7))
    assert first == again
    together = retention_interval([paired(180, 0, 30, 110)], np.random.default_rng(7))  # the same two win rates
    assert first is not None
    assert together is not None
    assert together.high - together.low < 0.7 * (first.high - first.low)


def test_retention_interval_has_a_width_where_both_always_win() -> None:
    found = retention_interval([paired(320, 0, 0, 0)], np.random.default_rng(0))
    assert found is not None
    assert 0.98 < found.low < 1 < found.high < 1.02


def test_retention_interval_is_undefined_where_the_teacher_never_wins_and_wide_where_it_hardly_does() -> None:
    assert retention_interval([paired(0, 5, 0, 27)], np.random.default_rng(0)) is None
    found = retention_interval([paired(0, 0, 1, 319)], np.random.default_rng(0))
    assert found is not None
    assert found.low == 0
    assert found.high > 1


def test_more_seeds_narrow_the_retention_interval() -> None:
    one = retention_interval([paired(60, 10, 20, 10)], np.random.default_rng(0))
    four = retention_interval([paired(60, 10, 20, 10)] * 4, np.random.default_rng(0))
    assert one is not None
    assert four is not None
    assert (four.high - four.low) / (one.high - one.low) == pytest.approx(0.5, abs=0.05)


def test_battles_that_do_not_pair_are_refused() -> None:
    pair = PairedOutcomes(np.ones(3, bool), np.ones(4, bool))
    with pytest.raises(ValueError, match="same battles"):
        retention_interval([pair], np.random.default_rng(0))


@pytest.mark.parametrize(("teacher", "student"), [(0.6, 0.5), (0.95, 0.9)])
def test_retention_interval_covers_the_truth_as_often_as_it_says(teacher: float, student: float) -> None:
    rng = np.random.default_rng(0)
    cells = [student * teacher, student * (1 - teacher), (1 - student) * teacher, (1 - student) * (1 - teacher)]
    held, trials = 0, 800
    for _ in range(trials):
        found = retention_interval([paired(*rng.multinomial(200, cells))], rng)
        assert found is not None
        held += found.low <= student / teacher <= found.high
    assert 0.93 <= held / trials <= 0.97


def test_mean_std_is_the_samples() -> None:
    assert mean_std([0.2, 0.4, 0.9]) == pytest.approx((0.5, np.sqrt((0.09 + 0.01 + 0.16) / 2)))
    assert mean_std([0.5]) is None


def test_the_papers_std_is_the_samples_too() -> None:
    """Three win rates >= 0 of mean m have a population deviation of at most m·√2, reached by (3m, 0, 0)."""
    rows = [row for benchmark in benchmarks() for rates in benchmark.win_rates.values() for row in rates.values()]
    assert any(row.std - 0.0005 > (row.mean + 0.0005) * np.sqrt(2) for row in rows)
    assert all(row.std - 0.0005 <= (row.mean + 0.0005) * np.sqrt(3) for row in rows)


def test_interquartile_mean_by_hand() -> None:
    assert interquartile_mean([[0.0, 0.5, 0.6, 1.0]]) == pytest.approx(0.55)
    assert interquartile_mean([[9.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, -7.0]]) == pytest.approx((2 + 3 + 4 + 5) / 4)
    assert interquartile_mean([[0.0, 0.5], [0.6, 1.0]]) == pytest.approx(0.55)  # over the seeds of all maps
    assert interquartile_mean([[0.1, 0.2, 0.6]]) == pytest.approx(0.3)  # below four values: the mean


def test_interquartile_mean_interval() -> None:
    strata = [[0.1, 0.2, 0.3, 0.4], [0.8, 0.9, 1.0]]
    found = interquartile_mean_interval(strata, np.random.default_rng(3))
    assert found == interquartile_mean_interval(strata, np.random.default_rng(3))
    assert found is not None
    assert found.low < interquartile_mean(strata) < found.high
    assert interquartile_mean_interval([[0.5]], np.random.default_rng(3)) is None
    assert interquartile_mean_interval([[0.5, 0.5]], np.random.default_rng(3)) == (0.5, 0.5)


def test_interquartile_mean_of_rliables_kind() -> None:
    """Agarwal et al. (2021): a quarter trimmed at each end of all runs x tasks; one run far off changes nothing."""
    scores = [[float(task * 10 + run) for run in range(10)] for task in range(10)]  # 0 .. 99
    assert interquartile_mean(scores) == pytest.approx(np.mean(range(25, 75)))
    scores[9][9] = 1e6
    assert interquartile_mean(scores) == pytest.approx(49.5)


@pytest.mark.slow
def test_interquartile_mean_interval_covers_the_truth_as_often_as_it_says() -> None:
    """Three maps, 20 seeds each, win rates Beta(8, 4) there: the middle half's mean of that law is the truth."""
    law = stats.beta(8, 4)
    truth = law.expect(lb=law.ppf(0.25), ub=law.ppf(0.75)) / 0.5
    rng = np.random.default_rng(1)
    held, trials = 0, 400
    for _ in range(trials):
        found = interquartile_mean_interval(law.rvs((3, 20), random_state=rng).tolist(), rng)
        assert found is not None
        held += found.low <= truth <= found.high
    assert 0.93 <= held / trials <= 0.97


def test_improvement_by_hand() -> None:
    # 3m: (1, 2, 3) against (2, 2, 0): wins 1 + (1/2+1/2+1) + 3 = 6 of 9; 8m: all ties.
    ours, theirs = [[1.0, 2.0, 3.0], [0.5, 0.5]], [[2.0, 2.0, 0.0], [0.5, 0.5]]
    assert improvement_probability(ours, theirs) == pytest.approx((6 / 9 + 0.5) / 2)
    assert improvement_probability(theirs, ours) == pytest.approx(1 - (6 / 9 + 0.5) / 2)
    expected = stats.mannwhitneyu(ours[0], theirs[0]).statistic / 9
    assert improvement_probability(ours[:1], theirs[:1]) == pytest.approx(expected)


def test_improvement_interval_agrees_with_scipys_bootstrap() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(0.5, 1, 12), rng.normal(0, 1, 10)
    ours = improvement_interval([x.tolist()], [y.tolist()], np.random.default_rng(0))

    def beaten(a: np.ndarray, b: np.ndarray, axis: int) -> np.ndarray:
        return np.asarray((a[..., :, None] > b[..., None, :]).mean(axis=(-2, -1)))

    theirs = stats.bootstrap((x, y), beaten, method="percentile", vectorized=True, rng=rng).confidence_interval
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.02)
    assert improvement_interval([[0.5]], [[0.5, 0.6]], rng) is None


def test_difference_interval_covers_the_truth_and_pairing_narrows_it() -> None:
    rng = np.random.default_rng(3)
    held, trials = 0, 300
    for _ in range(trials):
        pair = paired(*rng.multinomial(200, [0.7, 0.05, 0.15, 0.1]))  # both, only ours, only theirs, none
        found = difference_interval(pair.student_won, pair.teacher_won, rng, paired=True)
        held += found.low <= -0.1 <= found.high
    assert 0.93 <= held / trials <= 0.97
    apart = difference_interval(pair.student_won, pair.teacher_won, rng, paired=False)
    assert apart.high - apart.low > 1.1 * (found.high - found.low)
    with pytest.raises(ValueError, match="same battles"):
        difference_interval(np.ones(3, bool), np.ones(4, bool), rng, paired=True)


@pytest.mark.parametrize("paired", [True, False])
def test_the_interval_of_a_difference_contains_it_at_the_very_edge_too(paired: bool) -> None:
    all_won, none_won = np.ones(6, bool), np.zeros(6, bool)
    for ours, theirs, difference in ((all_won, none_won, 1.0), (none_won, all_won, -1.0)):
        low, high = difference_interval(ours, theirs, np.random.default_rng(0), paired=paired)
        assert low <= difference <= high
        assert high - low > 0.2
