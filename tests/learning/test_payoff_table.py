"""What each mixer can learn of a payoff table, without networks and sampling around it."""

from functools import cache

import pytest
import torch
from torch import Tensor, nn

from ptde_core.envs.small_games import NonMonotonicGame
from ptde_core.nets.mixers import DuplexMixer, MonotonicMixer, SumMixer

MIXERS = {
    "vdn": SumMixer,
    "qmix": lambda: MonotonicMixer(n_agents=2, state_size=1, embed=32, hyper=64),
    # The published sizes for matrix games; four heads of one layer do not get there
    # (docs/explanation/algorithms/qplex.md).
    "qplex": lambda: DuplexMixer(n_agents=2, n_actions=3, state_size=1, hyper=64, heads=10, layers=3),
}


@cache
def fitted(alg: str, seed: int) -> tuple[list[int], float]:
    """The agents' greedy actions and the mean squared error, after fitting all payoffs of the game equally often.

    That is what one-step targets under uniform exploration tend to; each agent has one free value per action.
    """
    torch.manual_seed(seed)
    payoff = torch.from_numpy(NonMonotonicGame.PAYOFF).flatten()  # (9,)
    joint, state = torch.cartesian_prod(torch.arange(3), torch.arange(3)), torch.zeros(9, 1)
    mixer: nn.Module = MIXERS[alg]()
    values = (0.1 * torch.randn(2, 3)).requires_grad_()
    optimiser = torch.optim.Adam([values, *mixer.parameters()], lr=3e-3, fused=True)
    least, greedy = float("inf"), values.argmax(dim=-1)
    for _ in range(3000):
        taken: Tensor = values[torch.arange(2), joint]  # (9, N)
        best = values.detach().amax(dim=-1).expand_as(taken)
        loss = (mixer(taken, best, joint, state) - payoff).square().mean()
        if loss.item() < least:
            least, greedy = loss.item(), values.argmax(dim=-1)
        if least < 0.02:
            break
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_([values, *mixer.parameters()], 10.0)
        optimiser.step()
    return greedy.tolist(), least


BEST_MONOTONIC_FIT = 0.8 * (6 + 12) ** 2 / 9  # 28.8, see docs/explanation/algorithms/qplex.md


@pytest.mark.slow
@pytest.mark.parametrize("alg", ["vdn", "qmix"])
def test_a_monotonic_mixer_settles_for_another_cell(alg: str) -> None:
    greedy, error = fitted(alg, seed=0)
    assert 0 not in greedy
    assert error > BEST_MONOTONIC_FIT - 0.01


@pytest.mark.slow
def test_qmix_reaches_the_bound_of_all_monotonic_mixers() -> None:
    assert fitted("qmix", seed=0)[1] < BEST_MONOTONIC_FIT + 0.01


def test_qplex_fits_the_whole_table_and_plays_its_best_cell() -> None:
    """From some starts; the others stay where two cells compete (docs/explanation/algorithms/qplex.md)."""
    found = (fitted("qplex", seed) for seed in (4, 3, 2, 1, 0))
    assert any(greedy == [0, 0] and error < 0.05 for greedy, error in found)
