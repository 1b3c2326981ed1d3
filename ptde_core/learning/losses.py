"""Losses and their reductions: pure functions that say what they average over, if anything."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of `values` where `mask` is True, a scalar; elsewhere may stand anything, infinities included.

    Where it is True nowhere, 0: a part of a batch may hold nothing that counts.
    """
    return values.where(mask, 0.0).sum() / mask.sum().clamp_min(1)


def clipped_surrogate(log_ratio: Tensor, advantage: Tensor, clip: float) -> Tensor:
    """PPO's loss of each choice (Schulman et al., 2017, equation 7, negated), not reduced.

    Args:
        log_ratio: log of the probability of the choice now over its probability when it was made.
        advantage: of that shape; no gradient flows into it.
        clip: how far the ratio may move from 1 and still be rewarded for it.
    """
    ratio = log_ratio.exp()
    return -torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage)


def clipped_value_error(value: Tensor, old: Tensor, goal: Tensor, clip: float, delta: float) -> Tensor:
    """Huber error of each value, or of the value held within `clip` of the `old` one if that is larger; not reduced."""
    held = old + (value - old).clamp(-clip, clip)
    return torch.maximum(*(F.huber_loss(v, goal, reduction="none", delta=delta) for v in (value, held)))


def gaussian_log_density(z: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """Log density (...,) of a diagonal Gaussian at z (..., Z), summed over dimensions, each of which counts at most 0.

    The bound keeps a Gaussian from being rewarded without end for narrowing.
    """
    squared = (z - mean).square() * (-log_variance).exp()
    return (-0.5 * (squared + log_variance + math.log(2 * math.pi))).clamp_max(0.0).sum(dim=-1)


def gaussian_entropy(sigma: Tensor) -> Tensor:
    """Entropy (...,) in nats of diagonal Gaussians with standard deviations (..., Z), summed over dimensions."""
    return (sigma.log() + 0.5 * math.log(2 * math.pi * math.e)).sum(dim=-1)
