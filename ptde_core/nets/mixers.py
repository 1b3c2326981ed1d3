"""Mixers: the agents' values -> the team's value. All keep IGM: agents that are each greedy are a greedy team.

They share one signature, mixer(taken, best, actions, state): the values (..., N) of the actions taken, each agent's
best value (..., N) over the actions it could have taken, the actions (..., N) themselves and the state (..., S).
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

POSITIVE = 1e-10  # what keeps QPLEX's weights above zero, as published


class SumMixer(nn.Module):
    """VDN: the plain sum (paper, Background)."""

    def forward(self, taken: Tensor, best: Tensor, actions: Tensor, state: Tensor) -> Tensor:  # noqa: ARG002  shared signature
        """Team value (...,) from values (..., N); nothing else is used."""
        return taken.sum(dim=-1)


class MonotonicMixer(nn.Module):
    """QMIX: a two-layer network on the values whose non-negative weights are made from the state."""

    def __init__(self, n_agents: int, state_size: int, embed: int, hyper: int) -> None:
        super().__init__()
        self.n_agents, self.embed = n_agents, embed
        self.first_weights = nn.Sequential(nn.Linear(state_size, hyper), nn.ReLU(), nn.Linear(hyper, n_agents * embed))
        self.first_bias = nn.Linear(state_size, embed)
        self.second_weights = nn.Sequential(nn.Linear(state_size, hyper), nn.ReLU(), nn.Linear(hyper, embed))
        self.second_bias = nn.Sequential(nn.Linear(state_size, embed), nn.ReLU(), nn.Linear(embed, 1))

    def forward(self, taken: Tensor, best: Tensor, actions: Tensor, state: Tensor) -> Tensor:  # noqa: ARG002  shared signature
        """Team value (...,) from values (..., N) and state (..., S); never falls when an agent's value rises."""
        first = self.first_weights(state).abs().unflatten(-1, (self.n_agents, self.embed))  # (..., N, M)
        hidden = F.elu(torch.einsum("...n,...nm->...m", taken, first) + self.first_bias(state))  # (..., M)
        second = self.second_weights(state).abs()  # (..., M)
        team: Tensor = (hidden * second).sum(dim=-1) + self.second_bias(state).squeeze(dim=-1)  # (...)
        return team


class DuplexMixer(nn.Module):
    """QPLEX: Q_tot = sum_i Q_i + sum_i (lambda_i - 1) A_i, with Q_i = w_i q_i + V_i and A_i = w_i (q_i - max q_i) <= 0.

    w_i > 0 and V_i come from the state, lambda_i > 0 from state and joint action. Where all agents are greedy the
    advantages vanish, everywhere else they only subtract: IGM holds, and any team value that has IGM can be written so.
    No gradient passes through A_i, as in the published code: agents learn from the sum, lambda from the rest.
    """

    def __init__(self, n_agents: int, n_actions: int, state_size: int, hyper: int, heads: int, layers: int) -> None:
        super().__init__()
        self.n_agents, self.n_actions, self.heads = n_agents, n_actions, heads
        self.weights = nn.Sequential(nn.Linear(state_size, hyper), nn.ReLU(), nn.Linear(hyper, n_agents))
        self.offsets = nn.Sequential(nn.Linear(state_size, hyper), nn.ReLU(), nn.Linear(hyper, n_agents))
        # For all heads at once: how much a head counts, whom it attends to, and which actions it answers to.
        self.keys = _layers(state_size, hyper, heads, layers)
        self.attended = _layers(state_size, hyper, heads * n_agents, layers)
        self.answered = _layers(state_size + n_agents * n_actions, hyper, heads * n_agents, layers)

    def forward(self, taken: Tensor, best: Tensor, actions: Tensor, state: Tensor) -> Tensor:
        """Team value (...,) from values and best values (..., N), joint actions (..., N) int64 and states (..., S)."""
        weights = self.weights(state).abs() + POSITIVE  # (..., N)
        values = weights * taken + self.offsets(state)  # (..., N)
        advantages = (weights * (taken - best)).detach()  # (..., N)
        team: Tensor = (values + advantages * (self.importance(actions, state) - 1)).sum(dim=-1)  # (...)
        return team

    def importance(self, actions: Tensor, state: Tensor) -> Tensor:
        """Lambda (..., N) > 0: over heads, |key(s)| * sigmoid(agent(s)) * sigmoid(action(s, u))."""
        joint = F.one_hot(actions, self.n_actions).flatten(-2).to(state.dtype)  # (..., N*A)
        per_head = (self.heads, self.n_agents)
        attended = self.attended(state).unflatten(-1, per_head).sigmoid()  # (..., heads, N)
        answered = self.answered(torch.cat([state, joint], dim=-1)).unflatten(-1, per_head).sigmoid()  # (..., heads, N)
        keys = self.keys(state).abs() + POSITIVE  # (..., heads)
        importance: Tensor = (keys[..., None] * attended * answered).sum(dim=-2)  # (..., N)
        return importance


def _layers(inputs: int, hidden: int, outputs: int, count: int) -> nn.Sequential:
    """`count` linear layers with ReLU between them."""
    sizes = [inputs, *[hidden] * (count - 1), outputs]
    parts: list[nn.Module] = []
    for size, following in pairwise(sizes):
        parts += [nn.Linear(size, following), nn.ReLU()]
    return nn.Sequential(*parts[:-1])
