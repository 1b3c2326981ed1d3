"""How much each number of the state moves a teacher's z: by the gradient of z, and by hiding the number."""

from collections.abc import Callable

import torch
from torch import Tensor

from ptde_core.policies.teachers import AnyTeacher

MeanOfZ = Callable[[Tensor, Tensor], Tensor]  # local inputs (R, N, L) and states (R, S) -> (R, N, Z)


def mean_of_z(teacher: AnyTeacher) -> MeanOfZ:
    """The mean of the z that a teacher with global information gives its agents."""

    def mean(local: Tensor, state: Tensor) -> Tensor:
        informed = teacher.inform(local, state)
        assert informed is not None, "a teacher without global information has no z"
        return informed.mean

    return mean


def probes(size: int, count: int, seed: int) -> Tensor:
    """`count` directions (P, Z) for `sensitivities`, orthogonal to each other: a basis if P = Z, else a part of one.

    Their squares add up to Z, so that a sum over them estimates the sum over all Z components, and is it if P = Z.
    """
    draws = torch.randn(size, size, generator=torch.Generator().manual_seed(seed))
    basis, _ = torch.linalg.qr(draws)
    count = min(count, size)
    chosen: Tensor = basis[:count] * (size / count) ** 0.5
    return chosen


def sensitivities(mean_of: MeanOfZ, local: Tensor, state: Tensor, directions: Tensor) -> Tensor:
    """Squared gradients (R, N, S) of the mean of each agent's z with respect to the state, summed over z's components.

    Args:
        mean_of: the mean of z.
        local: (R, N, L) local inputs.
        state: (R, S).
        directions: (P, Z) of `probes`.
    """
    state = state.detach().requires_grad_()
    mean = mean_of(local, state)  # (R, N, Z)
    n_agents = mean.shape[1]
    squares = state.new_zeros(len(state), n_agents, state.shape[1])  # (R, N, S)
    for agent in range(n_agents):
        for direction in directions:
            (gradient,) = torch.autograd.grad((mean[:, agent] @ direction).sum(), state, retain_graph=True)
            squares[:, agent] += gradient.square()
    return squares


@torch.no_grad()
def hidden_changes(mean_of: MeanOfZ, local: Tensor, state: Tensor, columns: Tensor) -> Tensor:
    """Squared change (R, N) of the mean of each agent's z, summed over components, when part of the state is hidden.

    Args:
        mean_of: the mean of z.
        local: (R, N, L) local inputs.
        state: (R, S).
        columns: int64, the numbers of the state that are replaced by their mean over the rows.
    """
    blind = state.clone()
    blind[:, columns] = state[:, columns].mean(dim=0)
    return (mean_of(local, state) - mean_of(local, blind)).square().sum(dim=-1)  # (R, N)
