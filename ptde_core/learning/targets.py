"""Targets of value learning: pure functions, tensors in, tensor out."""

import torch
from torch import Tensor


def td_lambda_targets(
    reward: Tensor, terminated: Tensor, last: Tensor, next_value: Tensor, gamma: float, lam: float
) -> Tensor:
    """TD(lambda) returns; lam = 0 is the paper's equation 5.

    Args:
        reward: (B, T).
        terminated: (B, T) bool, the world ended with this step: nothing follows.
        last: (B, T) bool, the last real step; a time limit is `last` but not `terminated`, so it bootstraps.
        next_value: (B, T), the value of what follows step t.
        gamma: discount.
        lam: lambda.

    Returns:
        (B, T). Entries after `last` are padding and mean nothing.
    """
    follows = gamma * (~terminated).to(reward)
    keep = lam * (~last).to(reward)
    targets, future = torch.empty_like(reward), next_value[:, -1]
    for t in reversed(range(reward.shape[1])):
        future = reward[:, t] + follows[:, t] * ((1 - keep[:, t]) * next_value[:, t] + keep[:, t] * future)  # (B,)
        targets[:, t] = future
    return targets
