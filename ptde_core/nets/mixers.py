"""Mixers: the agents' values -> the team's value. All keep IGM: agents that are each greedy are a greedy team.

They share one signature, mixer(taken, best, actions, state) -> Q_tot (...):

    taken    (..., N)  q_i(u_i), the values of the actions taken
    best     (..., N)  max_u q_i(u) over the actions that agent i could have taken
    actions  (..., N)  u_i, int64
    state    (..., S)  s
"""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ptde_core import kernels
from ptde_core.base.errors import PtdeError
from ptde_core.nets.layers import Linear, TwoLayers, side_by_side

POSITIVE = 1e-10  # what keeps QPLEX's weights above zero, as published


class SumMixer(nn.Module):
    """VDN (paper, Background): Q_tot = sum_i q_i."""

    def forward(self, taken: Tensor, best: Tensor, actions: Tensor, state: Tensor) -> Tensor:  # noqa: ARG002  shared signature
        """Q_tot (...) from the values (..., N); nothing else is used."""
        return taken.sum(dim=-1)


class MonotonicMixer(nn.Module):
    """QMIX: a two-layer network on the values, with weights |W(s)| and biases b(s) that networks make from the state.

        Q_tot = |W_2(s)|^T elu(|W_1(s)|^T q + b_1(s)) + b_2(s)

    with q (N), W_1 (N, M), b_1 and W_2 (M), b_2 a number. No weight is negative, so that Q_tot never falls when an
    agent's value rises.

    Args:
        n_agents, state_size: N, S.
        embed: M, width of the network on the values.
        hyper: width of the networks that make its weights.
        one_hot: how many of the state's last numbers are one-hots.
    """

    def __init__(self, n_agents: int, state_size: int, embed: int, hyper: int, one_hot: int = 0) -> None:
        super().__init__()
        self.n_agents, self.embed = n_agents, embed
        self.first_weights = TwoLayers(state_size, hyper, n_agents * embed, one_hot=one_hot)
        self.first_bias = Linear(state_size, embed, one_hot=one_hot)
        self.second_weights = TwoLayers(state_size, hyper, embed, one_hot=one_hot)
        self.second_bias = TwoLayers(state_size, embed, 1, one_hot=one_hot)

    def forward(self, taken: Tensor, best: Tensor, actions: Tensor, state: Tensor) -> Tensor:  # noqa: ARG002  shared signature
        """Q_tot (...) from the values (..., N) and the state (..., S)."""
        assert taken.shape == (*state.shape[:-1], self.n_agents), "a value of each agent for each state"
        networks = self.first_weights, self.second_weights, self.second_bias
        bias, *hidden = side_by_side(state, [self.first_bias, *(network[0] for network in networks)])  # (..., M), ...
        first, second, offset = (network[-1](x) for network, x in zip(networks, hidden, strict=True))
        first, offset = first.unflatten(-1, (self.n_agents, self.embed)), offset.squeeze(dim=-1)  # (..., N, M), (...)
        if kernels.can_take(taken, state) and taken.dim() == 2:
            team: Tensor = _Mix.apply(taken, first, bias, second, offset)  # type: ignore[no-untyped-call]  # torch's
            return team
        return mixed(taken, first, bias, second, offset)


def mixed(taken: Tensor, first: Tensor, bias: Tensor, second: Tensor, offset: Tensor) -> Tensor:
    """QMIX's team values (...,) from values (..., N) and what the state makes of them.

    Args:
        taken: (..., N).
        first: (..., N, M) weights of the first layer, before they are made positive.
        bias: (..., M) its biases.
        second: (..., M) weights of the second layer, before they are made positive.
        offset: (...,) bias of the second layer.
    """
    hidden = F.elu(torch.einsum("...n,...nm->...m", taken, first.abs()) + bias)  # (..., M)
    return (hidden * second.abs()).sum(dim=-1) + offset


class _Mix(torch.autograd.Function):
    """`mixed` for rows (R, ...), in one pass over memory."""

    @staticmethod
    def forward(ctx: Any, *tensors: Tensor) -> Tensor:
        taken, first, bias, second, _ = tensors
        hidden, team = torch.empty_like(bias), taken.new_empty(len(taken))
        kernels.mix(*(kernels.array(tensor) for tensor in (*tensors, hidden, team)))
        ctx.save_for_backward(taken, first, second, hidden)
        return team

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, ...]:
        (grad_team,) = upstream
        taken, first, second, hidden = ctx.saved_tensors
        gradients = tuple(torch.empty_like(tensor) for tensor in (taken, first, second, second))
        kernels.mix_gradients(
            *(kernels.array(tensor) for tensor in (taken, first, second, hidden, grad_team, *gradients))
        )
        return *gradients, grad_team


class DuplexMixer(nn.Module):
    """QPLEX: the team's value from duelling values and advantages.

        Q_tot = sum_i Q_i + sum_i (lambda_i(s, u) - 1) A_i
        Q_i = w_i(s) q_i + V_i(s),  A_i = w_i(s) (q_i - max_u q_i) <= 0

    with w_i > 0 and lambda_i > 0. Where all agents are greedy the advantages vanish, everywhere else they only
    subtract: IGM holds, and any team value that has IGM can be written so.
    No gradient passes through A_i, as in the published code: agents learn from the sum, lambda from the rest.

    Args:
        n_agents, n_actions, state_size: N, A, S.
        hyper: width of the hidden layers.
        heads: how many make lambda; each has three networks of its own.
        layers: of each of those networks; w and V have two.
    """

    def __init__(self, n_agents: int, n_actions: int, state_size: int, hyper: int, heads: int, layers: int) -> None:
        super().__init__()
        self.n_agents, self.n_actions, self.heads = n_agents, n_actions, heads
        self.weights, self.offsets = (TwoLayers(state_size, hyper, n_agents) for _ in range(2))
        # Of each head: how much it counts, whom it attends to, and which actions it answers to.
        self.keys = Heads(state_size, hyper, 1, heads, layers)
        self.attended = Heads(state_size, hyper, n_agents, heads, layers)
        self.answered = Heads(state_size + n_agents * n_actions, hyper, n_agents, heads, layers)

    def forward(self, taken: Tensor, best: Tensor, actions: Tensor, state: Tensor) -> Tensor:
        """Q_tot (...) from values and best values (..., N), joint actions (..., N) int64 and states (..., S)."""
        assert taken.shape == best.shape == actions.shape == (*state.shape[:-1], self.n_agents), "one for each agent"
        weights = self.weights(state).abs() + POSITIVE  # (..., N)
        values = weights * taken + self.offsets(state)  # (..., N)
        advantages = (weights * (taken - best)).detach()  # (..., N)
        team: Tensor = (values + advantages * (self.importance(actions, state) - 1)).sum(dim=-1)  # (...)
        return team

    def importance(self, actions: Tensor, state: Tensor) -> Tensor:
        """Lambda (..., N) > 0: over heads, |key(s)| * sigmoid(agent(s)) * sigmoid(action(s, u))."""
        joint = F.one_hot(actions, self.n_actions).flatten(-2).to(state.dtype)  # (..., N*A)
        attended = self.attended(state).sigmoid()  # (..., heads, N)
        answered = self.answered(torch.cat([state, joint], dim=-1)).sigmoid()  # (..., heads, N)
        keys = self.keys(state).abs() + POSITIVE  # (..., heads, 1)
        importance: Tensor = (keys * attended * answered).sum(dim=-2)  # (..., N)
        return importance


class Heads(nn.Sequential):
    """A network for each head, of linear layers with ReLU between them; the heads have no weight in common.

    The first layer of all heads is one linear layer, since they read the same; the others are `HeadLayer`s.

    Args:
        inputs, hidden, outputs: sizes of a head's layers.
        heads: how many there are.
        layers: of each head's network.
    """

    def __init__(self, inputs: int, hidden: int, outputs: int, heads: int, layers: int) -> None:
        self.heads = heads
        first, *others = pairwise([inputs, *[hidden] * (layers - 1), outputs])
        super().__init__(nn.Linear(first[0], heads * first[1]), *(HeadLayer(heads, *sizes) for sizes in others))

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (..., heads, m) of inputs (..., k)."""
        first, *others = self
        y: Tensor = first(x).unflatten(-1, (self.heads, -1))  # (..., heads, hidden or m)
        for layer in others:
            y = layer(y.relu())
        return y

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        """Refuse weights of an earlier form, which differs from this one where there is more than one layer.

        Raises:
            PtdeError: the weights are of heads that share their hidden layers.
        """
        if state_dict[f"{prefix}0.weight"].shape != self[0].weight.shape:
            raise PtdeError(
                "these are weights of QPLEX heads that share their hidden layers; each has layers of its own now",
                "train anew: leave out --resume and choose another folder with --out",
            )
        super()._load_from_state_dict(state_dict, prefix, *rest)


class HeadLayer(nn.Module):
    """One linear layer of every head: y_h = W_h x_h + b_h, initialised as torch's Linear.

    Args:
        heads, inputs, outputs: H, k, m.
    """

    def __init__(self, heads: int, inputs: int, outputs: int) -> None:
        super().__init__()
        bound = inputs**-0.5
        self.weight = nn.Parameter(torch.empty(heads, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(heads, 1, outputs).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (..., H, m) of inputs (..., H, k)."""
        rows = x.flatten(0, -3).transpose(0, 1)  # (H, R, k)
        outputs: Tensor = torch.baddbmm(self.bias, rows, self.weight).transpose(0, 1)  # (R, H, m)
        return outputs.reshape(*x.shape[:-1], -1)
