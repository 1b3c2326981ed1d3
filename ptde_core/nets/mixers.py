"""Mixers: the agents' chosen values -> the team's value. All are monotonic: greedy agents are a greedy team (IGM)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class SumMixer(nn.Module):
    """VDN: the plain sum (paper, Background)."""

    def forward(self, values: Tensor, state: Tensor) -> Tensor:  # noqa: ARG002  the mixers share one signature
        """Team value (...,) from values (..., N); the state (..., S) is not used."""
        return values.sum(dim=-1)


class MonotonicMixer(nn.Module):
    """QMIX: a two-layer network on the values whose non-negative weights are made from the state."""

    def __init__(self, n_agents: int, state_size: int, embed: int, hyper: int) -> None:
        super().__init__()
        self.n_agents, self.embed = n_agents, embed
        self.first_weights = nn.Sequential(nn.Linear(state_size, hyper), nn.ReLU(), nn.Linear(hyper, n_agents * embed))
        self.first_bias = nn.Linear(state_size, embed)
        self.second_weights = nn.Sequential(nn.Linear(state_size, hyper), nn.ReLU(), nn.Linear(hyper, embed))
        self.second_bias = nn.Sequential(nn.Linear(state_size, embed), nn.ReLU(), nn.Linear(embed, 1))

    def forward(self, values: Tensor, state: Tensor) -> Tensor:
        """Team value (...,) from values (..., N) and state (..., S); never falls when an agent's value rises."""
        first = self.first_weights(state).abs().unflatten(-1, (self.n_agents, self.embed))  # (..., N, M)
        hidden = F.elu(torch.einsum("...n,...nm->...m", values, first) + self.first_bias(state))  # (..., M)
        second = self.second_weights(state).abs()  # (..., M)
        team: Tensor = (hidden * second).sum(dim=-1) + self.second_bias(state).squeeze(dim=-1)  # (...)
        return team
