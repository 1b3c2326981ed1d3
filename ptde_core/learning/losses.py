"""Losses and their reductions: pure functions that say what they average over, if anything."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean over what counts: sum(values * mask) / max(1, sum(mask)), a scalar; 0 where nothing counts.

    Args:
        values: (...); where `mask` is False anything, infinities and NaN included.
        mask: (...) bool, of that shape or one that it is broadcast to.
    """
    return values.where(mask, 0.0).sum() / mask.sum().clamp_min(1)


def clipped_surrogate(log_ratio: Tensor, advantage: Tensor, clip: float) -> Tensor:
    """PPO's loss of each choice (Schulman et al., 2017, equation 7, negated), (...), not reduced.

        L = -min(rho A, clip(rho, 1 - c, 1 + c) A),  rho = exp(log_ratio)

    Args:
        log_ratio: (...) log of the probability of the choice now over its probability when it was made.
        advantage: (...) A; no gradient flows into it.
        clip: c, how far the ratio may move from 1 and still be rewarded for it.
    """
    assert log_ratio.shape == advantage.shape, "an advantage for each choice"
    ratio = log_ratio.exp()
    return -torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage)


def clipped_value_error(value: Tensor, old_value: Tensor, target: Tensor, clip: float, delta: float) -> Tensor:
    """PPO's clipped value loss with Huber's error h (Yu et al., 2021), (...), not reduced.

        L = max(h(v - y), h(v_clipped - y)),  v_clipped = v_old + clip(v - v_old, -c, c)

    Args:
        value: (...) v, what learns.
        old_value: (...) v_old, before the update.
        target: (...) y.
        clip: c.
        delta: of Huber's error: quadratic below it, linear above.
    """
    assert value.shape == old_value.shape == target.shape, "an old value and a target for each value"
    clipped = old_value + (value - old_value).clamp(-clip, clip)
    return torch.maximum(*(F.huber_loss(v, target, reduction="none", delta=delta) for v in (value, clipped)))


def gaussian_log_density(z: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """Log density (...,) of a diagonal Gaussian, summed over dimensions, each of which counts at most 0.

        sum_k min(0, -((z_k - mu_k)^2 / sigma_k^2 + log sigma_k^2 + log 2 pi) / 2)

    The bound keeps a Gaussian from being rewarded without end for narrowing.

    Args:
        z: (..., Z) the points at which the density is taken.
        mean: (..., Z) mu.
        log_variance: (..., Z) log sigma^2.
    """
    squared = (z - mean).square() * (-log_variance).exp()
    return (-0.5 * (squared + log_variance + math.log(2 * math.pi))).clamp_max(0.0).sum(dim=-1)


def gaussian_entropy(sigma: Tensor) -> Tensor:
    """Entropy (...,) in nats of diagonal Gaussians: sum_k (log sigma_k + log(2 pi e) / 2).

    Args:
        sigma: (..., Z) standard deviations.
    """
    return (sigma.log() + 0.5 * math.log(2 * math.pi * math.e)).sum(dim=-1)
