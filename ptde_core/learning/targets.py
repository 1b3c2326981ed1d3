"""Targets of value learning: pure functions, tensors in, tensor out."""

import torch
from torch import Tensor


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
    weights = (follows * keep).unbind(dim=1)
    targets, future = list(of_step.unbind(dim=1)), next_value[:, -1]
    for t in reversed(range(len(targets))):
        future = targets[t] = torch.addcmul(targets[t], weights[t], future)
    return torch.stack(targets, dim=1)
