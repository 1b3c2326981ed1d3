"""TD(lambda) targets: numbers worked by hand, a slow forward version, and what neighbours and limits may not do."""

import pytest
import torch
from torch import Tensor

from ptde_core.learning.losses import masked_mean
from ptde_core.learning.schedules import linear
from ptde_core.learning.td_targets import td_lambda_targets, world_ends


def test_three_steps_by_hand() -> None:
    """gamma 0.5, lambda 0.5, the world ends with step 2.

    t=2: 4 (nothing follows). t=1: 2 + 0.5 * (0.5 * 6 + 0.5 * 4) = 4.5. t=0: 1 + 0.5 * (0.5 * 10 + 0.5 * 4.5) = 4.625.
    """
    targets = td_lambda_targets(
        reward=torch.tensor([1.0, 2.0, 4.0]),
        terminated=torch.tensor([False, False, True]),
        last=torch.tensor([False, False, True]),
        next_value=torch.tensor([10.0, 6.0, 99.0]),
        gamma=0.5,
        lam=0.5,
    )
    assert targets.tolist() == [4.625, 4.5, 4.0]


def test_a_time_limit_bootstraps_and_an_end_does_not() -> None:
    """Two episodes of one step: the first ends, the second runs out of time."""
    ended, last = torch.tensor([True, False]), torch.tensor([True, True])
    targets = td_lambda_targets(torch.ones(2), ended, last, torch.full((2,), 10.0), gamma=0.9, lam=0.6)
    assert targets.tolist() == [1.0, 10.0]


def test_without_bootstrapping_at_the_limit_the_world_ends_there_too() -> None:
    """Three steps of reward 1 whose following views are worth 10, gamma 0.5, lambda 0.5, time up after the third.

    On: 1 + 0.5 * 10 = 6; 1 + 0.5 * (0.5 * 10 + 0.5 * 6) = 5; 1 + 0.5 * (0.5 * 10 + 0.5 * 5) = 4.75.
    Off: 1; 1 + 0.5 * (0.5 * 10 + 0.5 * 1) = 3.75; 1 + 0.5 * (0.5 * 10 + 0.5 * 3.75) = 4.4375.
    """
    terminated, last = torch.tensor([False] * 3), torch.tensor([False, False, True])

    def targets(bootstrap: bool) -> list[float]:
        ended = world_ends(terminated, last, bootstrap)
        found: list[float] = td_lambda_targets(torch.ones(3), ended, last, torch.full((3,), 10.0), 0.5, 0.5).tolist()
        return found

    assert targets(True) == [4.75, 5.0, 6.0]
    assert targets(False) == [4.4375, 3.75, 1.0]


def slow_targets(reward: Tensor, length: int, ended: bool, next_value: Tensor, gamma: float, lam: float) -> list[float]:
    """The forward view: G_t = (1 - lam) sum_n lam^(n-1) G_t^(n), the last n-step return taking all the weight left."""

    def n_step(t: int, n: int) -> float:
        total = sum(gamma**k * float(reward[t + k]) for k in range(n))
        follows = 0.0 if ended and t + n == length else float(next_value[t + n - 1])
        return total + gamma**n * follows

    targets = []
    for t in range(length):
        left = length - t
        parts = [(1 - lam) * lam ** (n - 1) * n_step(t, n) for n in range(1, left)]
        targets.append(sum(parts) + lam ** (left - 1) * n_step(t, left))
    return targets


@pytest.mark.parametrize("lam", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("ended", [True, False])
def test_equal_to_the_slow_forward_view_whatever_episode_comes_next(lam: float, ended: bool) -> None:
    chance = torch.Generator().manual_seed(1)
    reward, next_value = torch.randn(18, generator=chance), torch.randn(18, generator=chance)
    lengths = [9, 5, 1, 3]
    last = torch.cat([torch.arange(n) == n - 1 for n in lengths])
    targets = td_lambda_targets(reward, last & ended, last, next_value, 0.9, lam)
    for own, given, values in zip(*(steps.split(lengths) for steps in (targets, reward, next_value)), strict=True):
        expected = slow_targets(given, len(own), ended, values, 0.9, lam)
        torch.testing.assert_close(own, torch.tensor(expected))


def test_masked_mean_ignores_what_is_masked() -> None:
    values = torch.tensor([1.0, 3.0, float("inf"), float("nan")])
    assert float(masked_mean(values, torch.tensor([True, True, False, False]))) == 2.0
    assert float(masked_mean(values, torch.zeros(4, dtype=torch.bool))) == 0.0


def test_linear_schedule_ends_where_it_says() -> None:
    assert [linear(1.0, 0.05, 100, at) for at in (0, 50, 100, 10_000)] == pytest.approx([1.0, 0.525, 0.05, 0.05])


def test_targets_of_steps_that_do_not_fit_each_other_are_refused() -> None:
    """A mean over (P, P) would come out of it without a word."""
    none = torch.zeros(3, dtype=torch.bool)
    with pytest.raises(AssertionError, match="a row for each step"):
        td_lambda_targets(torch.ones(3), none, none, torch.ones(4), 0.9, 0.6)
    with pytest.raises(AssertionError, match="a row for each step"):
        td_lambda_targets(torch.ones(3, 1), none, none, torch.ones(3), 0.9, 0.6)
