"""What a student is fitted to, as pure functions: its z' beside the teacher's z, or what the head makes of them."""

from torch import Tensor
from torch.nn import functional as F

from ptde_core.learning.losses import masked_mean


def information_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """Equation 3, averaged: mean squared error between z' and z, both (..., Z), over rows and dimensions; a scalar."""
    return F.mse_loss(predicted, target)


def value_loss(values: Tensor, target: Tensor, available: Tensor) -> Tensor:
    """Mean squared error between the action values under z' and under z, over the available actions; a scalar.

    Args:
        values: (..., A) with z'.
        target: (..., A) with z.
        available: (..., A) bool.
    """
    return masked_mean((values - target).square(), available)


def policy_loss(logits: Tensor, target: Tensor, available: Tensor) -> Tensor:
    """KL divergence of the policy under z' from the one under z, mean over rows; a scalar in nats.

    Args:
        logits: (..., A) with z'.
        target: (..., A) with z.
        available: (..., A) bool, at least one action in every row; the others have probability 0 in both policies.
    """
    ours, theirs = _log_policy(logits, available), _log_policy(target, available)
    return (theirs.exp() * (theirs - ours)).masked_fill(~available, 0.0).sum(dim=-1).mean()


def _log_policy(logits: Tensor, available: Tensor) -> Tensor:
    # A finite stand-in for minus infinity: 0 * inf would be no number, in the gradient too.
    return logits.masked_fill(~available, -1e9).log_softmax(dim=-1)


def same_choice(values: Tensor, target: Tensor, available: Tensor) -> Tensor:
    """Share of rows in which z' and z lead to the same best available action; (..., A) as above; a scalar."""
    ours, theirs = (numbers.masked_fill(~available, -float("inf")).argmax(dim=-1) for numbers in (values, target))
    return (ours == theirs).float().mean()
