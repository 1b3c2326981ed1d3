"""Targets of value learning: pure functions, tensors in, tensor out."""

import torch
from torch import Tensor

from ptde_core.base import kernels


def td_lambda_targets(
    reward: Tensor, terminated: Tensor, last: Tensor, next_value: Tensor, gamma: float, lam: float
) -> Tensor:
    """TD(lambda) returns; lam = 0 is the paper's equation 5. Minus the value, they are GAE (Schulman et al., 2016).

    Args:
        reward: (B, T).
        terminated: (B, T) bool, the world ended with this step: nothing follows.
        last: (B, T) bool, the last real step; a time limit is `last` but not `terminated`, so it bootstraps.
        next_value: (B, T), the value of what follows step t; or (B, T, N) with (B, T, 1) of all others, for values of N
            agents that share the reward.
        gamma: discount.
        lam: lambda.

    Returns:
        As `next_value`. Entries after `last` are padding and mean nothing.
    """
    follows = gamma * (~terminated).to(reward)
    keep = lam * (~last).to(reward)
    of_step = reward + follows * (1 - keep) * next_value  # as `next_value`, what does not depend on later targets
    return _weighted_sums(of_step, follows * keep, next_value[:, -1])


def _weighted_sums(terms: Tensor, weights: Tensor, after: Tensor) -> Tensor:
    """sums[:, t] = terms[:, t] + weights[:, t] * sums[:, t + 1], as `terms`; `after` follows the last."""
    if kernels.can_take(terms) and not terms.requires_grad:
        sums = torch.cat([terms, after[:, None]], dim=1)  # the last is given, those before it are added to
        kernels.add_weighted(*(kernels.array(t).reshape(*t.shape[:2], -1) for t in (weights.expand_as(terms), sums)))
        return sums[:, :-1]
    steps = list(terms.unbind(dim=1))
    for t in reversed(range(len(steps))):
        after = steps[t] = torch.addcmul(steps[t], weights[:, t], after)
    return torch.stack(steps, dim=1)
