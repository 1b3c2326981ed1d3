"""What students are fitted to, against numbers worked by hand."""

import math

import pytest
import torch

from ptde_core.learning.distillation import information_loss, policy_loss, same_choice, value_loss

BOTH = torch.tensor([[True, True]])


def test_information_loss_by_hand() -> None:
    """(1 - 0)^2, (2 - 4)^2 over two dimensions: 5 / 2."""
    assert information_loss(torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 4.0]])).item() == 2.5


def test_value_loss_by_hand_counts_available_actions_only() -> None:
    """Errors 1 and 3 are of available actions, 100 is not: (1 + 9) / 2."""
    values, goal = torch.tensor([[1.0, 100.0], [3.0, 0.0]]), torch.tensor([[0.0, 0.0], [0.0, 50.0]])
    available = torch.tensor([[True, False], [True, False]])
    assert value_loss(values, goal, available).item() == 5.0


def test_policy_loss_by_hand() -> None:
    """Teacher 3/4, 1/4, student 1/2, 1/2: KL = 3/4 ln 3/2 + 1/4 ln 1/2; a constant added to all changes nothing."""
    goal, ours = torch.tensor([[math.log(3.0), 0.0]]), torch.tensor([[7.0, 7.0]])
    expected = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert policy_loss(ours, goal, BOTH).item() == pytest.approx(expected, rel=1e-6)
    assert policy_loss(goal + 3, goal, BOTH).item() == pytest.approx(0.0, abs=1e-7)


def test_policy_loss_with_unavailable_actions_is_that_of_the_others_and_has_a_gradient() -> None:
    three = torch.tensor([[7.0, 7.0, 50.0]], requires_grad=True)
    goal = torch.tensor([[math.log(3.0), 0.0, -80.0]])
    loss = policy_loss(three, goal, torch.tensor([[True, True, False]]))
    assert loss.item() == pytest.approx(policy_loss(torch.tensor([[7.0, 7.0]]), goal[:, :2], BOTH).item(), rel=1e-6)
    (gradient,) = torch.autograd.grad(loss, three)
    torch.testing.assert_close(gradient, torch.tensor([[-0.25, 0.25, 0.0]]))  # student's share less the teacher's


def test_same_choice_by_hand() -> None:
    """Row 1 agrees once the unavailable action is left out, row 2 does not."""
    ours, theirs = torch.tensor([[1.0, 2.0, 9.0], [1.0, 2.0, 0.0]]), torch.tensor([[0.0, 1.0, 0.0], [2.0, 1.0, 0.0]])
    available = torch.tensor([[True, True, False], [True, True, True]])
    assert same_choice(ours, theirs, available).item() == 0.5
