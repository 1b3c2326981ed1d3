"""MAPPO: GAE, losses and value normalisation by hand and against slow forms; a ratio of exactly 1; padding; masks."""

import numpy as np
import pytest
import torch

from ptde_core.algorithms.mappo_learner import (
    entropy,
    log_policy,
)
from ptde_core.learning.losses import clipped_surrogate, clipped_value_error
from ptde_core.learning.td_targets import td_lambda_targets
from ptde_core.nets.value_norm import ValueNorm


def test_gae_by_hand() -> None:
    """Three steps, gamma 0.5, lambda 0.5, one agent's values 1, 2, 3 and then 10 if time was up.

    Errors: 1 + 0.5 * 2 - 1 = 1; 2 + 0.5 * 3 - 2 = 1.5; 4 + 0.5 * 10 - 3 = 6 (an end: 4 - 3 = 1).
    Advantages, from the last: 6, 1.5 + 0.25 * 6 = 3, 1 + 0.25 * 3 = 1.75 (1, 1.75, 1.4375). The other agent's values
    are all 0: its errors are the rewards 1, 2, 4, its advantages 1 + 0.25 * 3 = 1.75, 2 + 0.25 * 4 = 3 and 4.
    """
    value = torch.tensor([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]] * 2)  # (6, N) of two episodes
    following = torch.tensor([[2.0, 0.0], [3.0, 0.0], [10.0, 0.0]] * 2)
    last, reward = torch.tensor([False, False, True] * 2), torch.tensor([1.0, 2.0, 4.0] * 2)
    ended = last & (torch.arange(6) > 2)  # the second ends, the first runs out of time
    advantage = td_lambda_targets(reward, ended, last, following, 0.5, 0.5) - value
    assert advantage[:, 0].tolist() == [1.75, 3.0, 6.0, 1.4375, 1.75, 1.0]
    assert advantage[:, 1].tolist() == [1.75, 3.0, 4.0] * 2


@pytest.mark.parametrize(
    ("ratio", "advantage", "loss"),
    [(1.0, 2.0, -2.0), (1.5, 2.0, -2.4), (0.5, 2.0, -1.0), (0.5, -2.0, 1.6), (1.5, -2.0, 3.0)],
)
def test_clipped_surrogate_by_hand(ratio: float, advantage: float, loss: float) -> None:
    """Clip 0.2: what is gained is bounded (-2.4 = -1.2 * 2), what is lost is not (3 = 1.5 * 2)."""
    found = clipped_surrogate(torch.tensor(ratio).log(), torch.tensor(advantage), 0.2)
    assert float(found) == pytest.approx(loss)


@pytest.mark.parametrize(
    ("value", "goal", "error"),
    [
        (1.1, 2.0, 0.405),  # within the clip of old = 1: 0.9^2 / 2
        (1.5, 2.0, 0.32),  # held at 1.2: 0.8^2 / 2, more than 0.5^2 / 2
        (3.0, 1.5, 1.125),  # farther off than where it is held: 1.5^2 / 2
        (1.0, 21.0, 150.0),  # linear from 10: 10 * (20 - 5)
    ],
)
def test_clipped_value_error_by_hand(value: float, goal: float, error: float) -> None:
    found = clipped_value_error(torch.tensor(value), torch.tensor(1.0), torch.tensor(goal), 0.2, 10.0)
    assert float(found) == pytest.approx(error)


def test_value_norm_by_hand() -> None:
    """First 1 and 3 (mean 2, squares 5), then 4 and 6 (5, 26): means 3.5 and 15.5, so a deviation of sqrt(3.25)."""
    norm = ValueNorm()
    assert norm.normalise(torch.tensor(7.0)) == 7.0
    norm.update(torch.tensor([1.0, 3.0]))
    torch.testing.assert_close(norm.normalise(torch.tensor([1.0, 3.0])), torch.tensor([-1.0, 1.0]))
    norm.update(torch.tensor([[4.0], [6.0]]))
    assert [float(m) for m in norm.moments()] == pytest.approx([3.5, 3.25**0.5], abs=1e-4)
    back = norm.restore(norm.normalise(torch.tensor([-8.0, 11.0])))
    torch.testing.assert_close(back, torch.tensor([-8.0, 11.0]))


def test_entropy_counts_available_actions_only_and_has_a_gradient() -> None:
    logits = torch.zeros(2, 3, requires_grad=True)
    found = entropy(log_policy(logits, torch.tensor([[True, True, False], [False, False, True]])))
    assert found.tolist() == pytest.approx([np.log(2), 0.0])
    found.sum().backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
