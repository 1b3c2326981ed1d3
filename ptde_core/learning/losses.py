"""Reductions of losses: pure functions that say what they average over."""

from torch import Tensor


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of `values` where `mask` is True, a scalar; padding may hold anything, infinities included."""
    return values.where(mask, 0.0).sum() / mask.sum()
