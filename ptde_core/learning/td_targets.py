"""Targets of value learning: pure functions, tensors in, tensor out.

P counts the steps of a batch, its episodes laid end to end; N counts agents.
"""

import torch
from torch import Tensor

from ptde_core import kernels


def world_ends(terminated: Tensor, last: Tensor, bootstrap_at_limit: bool) -> Tensor:
    """After which steps no value is bootstrapped: bool (P,).

    Args:
        terminated: (P,) bool, the world ended with this step.
        last: (P,) bool, the last step of its episode, whether the world ended or time was up.
        bootstrap_at_limit: also value what would have followed if time had not been up.
    """
    return terminated if bootstrap_at_limit else last


def td_lambda_targets(
    reward: Tensor, terminated: Tensor, last: Tensor, next_value: Tensor, gamma: float, lam: float
) -> Tensor:
    """TD(lambda) targets y; lam = 0 is the paper's equation 5. Minus the value, they are GAE (Schulman et al., 2016).

        y_t = r_t + gamma (1 - terminated_t) ((1 - k_t) v_t + k_t y_{t+1}),  k_t = lam (1 - last_t)

    with v_t the bootstrap value `next_value`. At the last step of an episode k_t = 0: the target is that of one step.

    Args:
        reward: (P,) r.
        terminated: (P,) bool, nothing follows this step; see `world_ends`.
        last: (P,) bool, the last step of its episode; one that is not `terminated` too bootstraps.
        next_value: (P,), the value of what follows each step; or (P, N), of N agents that share the reward.
        gamma: discount.
        lam: lambda.

    Returns:
        y, as `next_value`.
    """
    assert reward.shape == terminated.shape == last.shape == next_value.shape[:1], "a row for each step"
    shape = (*reward.shape, *(1 for _ in next_value.shape[1:]))
    reward, terminated, last = (steps.view(shape) for steps in (reward, terminated, last))
    discount = gamma * (~terminated).to(reward)
    keep = lam * (~last).to(reward)
    one_step = reward + discount * (1 - keep) * next_value  # as `next_value`; what does not depend on later targets
    return _weighted_sums(one_step, discount * keep)


def _weighted_sums(terms: Tensor, weights: Tensor) -> Tensor:
    """sums[t] = terms[t] + weights[t] * sums[t + 1], as `terms`; nothing follows the last."""
    if kernels.can_take(terms) and not terms.requires_grad:
        sums = terms.clone()
        kernels.add_weighted(*(kernels.array(t).reshape(len(t), -1) for t in (weights.expand_as(terms), sums)))
        return sums
    steps = list(terms)
    for t in reversed(range(len(steps) - 1)):
        steps[t] = torch.addcmul(steps[t], weights[t], steps[t + 1])
    return torch.stack(steps)
