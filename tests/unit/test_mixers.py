"""Mixers: VDN's sum, QMIX's monotonicity, and QMIX's forward pass by hand."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from ptde_core.nets.mixers import MonotonicMixer, SumMixer


def test_sum() -> None:
    assert SumMixer()(torch.tensor([[1.0, 2.0, 3.5]]), torch.zeros(1, 4)).tolist() == [6.5]


@given(seed=st.integers(0, 2**20), scale=st.floats(0.01, 20.0))
def test_qmix_never_falls_when_an_agents_value_rises(seed: int, scale: float) -> None:
    torch.manual_seed(seed)
    mixer = MonotonicMixer(n_agents=3, state_size=5, embed=4, hyper=6).double()
    values = (scale * torch.randn(20, 3, dtype=torch.float64)).requires_grad_()
    team = mixer(values, scale * torch.randn(20, 5, dtype=torch.float64))
    (slope,) = torch.autograd.grad(team.sum(), values)
    assert (slope >= 0).all()


def test_qmix_by_hand() -> None:
    """One agent, one hidden unit: w1 = |-2|, b1 = -1, w2 = |3|, b2 = 5; q = 2 gives ELU(4 - 1) * 3 + 5 = 14."""
    mixer = MonotonicMixer(n_agents=1, state_size=1, embed=1, hyper=1)
    with torch.no_grad():
        for parameter in mixer.parameters():
            parameter.zero_()
        mixer.first_weights[-1].bias.fill_(-2.0)
        mixer.first_bias.bias.fill_(-1.0)
        mixer.second_weights[-1].bias.fill_(3.0)
        mixer.second_bias[-1].bias.fill_(5.0)
    assert mixer(torch.tensor([[2.0]]), torch.zeros(1, 1)).tolist() == [14.0]
