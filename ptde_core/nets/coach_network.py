"""COPA's coach (Liu et al., ICML 2021): it sees all units and gives each agent a Gaussian of instructions.

Also what only trains with it: the mixer that is fed by the coach's hidden, and q(z | what the agent then did).
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ptde_core.base.errors import PtdeError
from ptde_core.nets.layers import Linear

LOG_VARIANCE = (-10.0, 0.0)  # bounds of every Gaussian here, as published


class UnitRows(NamedTuple):
    """Which features of the state belong to which unit, one row per unit."""

    allies: list[list[int]]  # N rows of equal length; the agents, in order
    enemies: list[list[int]]  # any number of rows of equal length


def unit_rows(state_names: Sequence[str], n_agents: int) -> UnitRows:
    """The units' rows from names such as "ally_0.health"; a unit's features keep their order, wherever they stand.

    Raises:
        PtdeError: the state does not consist of one row for each agent and rows of enemies.
    """
    rows: dict[str, dict[int, list[int]]] = {"ally": {}, "enemy": {}}
    for index, name in enumerate(state_names):
        unit = re.match(r"(ally|enemy)_(\d+)\.", name)
        if unit is None:
            raise _no_units(f"{name!r} is no unit's")
        rows[unit[1]].setdefault(int(unit[2]), []).append(index)
    found = UnitRows(*([of_kind[unit] for unit in sorted(of_kind)] for of_kind in rows.values()))
    if len(found.allies) != n_agents:
        raise _no_units(f"it has {len(found.allies)} allies for {n_agents} agents")
    if any(len({len(row) for row in of_kind}) > 1 for of_kind in found):
        raise _no_units("its units' rows are of unequal length")
    return found


def _no_units(why: str) -> PtdeError:
    return PtdeError(f"COPA's coach needs a state made of units' features, and in this one {why}", "use --alg csrl")


class Coach(nn.Module):
    """Encoders of allies and enemies, attention of each ally to all units, mean and variance of its z.

        e_k = ReLU(W x_k), one W for allies, one for enemies
        c_i = e_i + W_o MultiHead(query e_i; keys and values: all e_k)
        z_i ~ Normal(mean(c_i), exp(log_variance(c_i))), the log-variance clipped to `LOG_VARIANCE`

    Args:
        rows: which features of the state are which unit's.
        size: C, of e and c.
        heads: of the attention; they share C.
        info_size: Z.

    Raises:
        PtdeError: `heads` does not divide `size`.
    """

    allies: Tensor  # (N, features) where each ally's features stand in the state
    enemies: Tensor  # (M, features)

    def __init__(self, rows: UnitRows, size: int, heads: int, info_size: int) -> None:
        super().__init__()
        if size % heads:
            raise PtdeError(f"coach_heads = {heads} does not divide coach_size = {size}", "choose one that does")
        self.heads = heads
        for name, places in (("allies", rows.allies), ("enemies", rows.enemies)):
            self.register_buffer(name, torch.tensor(places, dtype=torch.int64), persistent=False)
        self.encode_ally = Linear(len(rows.allies[0]), size, "relu")
        self.encode_enemy = Linear(len(rows.enemies[0]), size, "relu") if rows.enemies else None
        self.query = Linear(size, size, bias=False)
        self.key_and_value = Linear(size, 2 * size, bias=False)
        self.joined = Linear(size, size)
        self.mean, self.log_variance = Linear(size, info_size), Linear(size, info_size)

    def encode(self, state: Tensor) -> Tensor:
        """The coach's hidden of each agent (..., N, C) from states (..., S)."""
        units = allies = self.encode_ally(state[..., self.allies])  # (..., N, C)
        if self.encode_enemy is not None:
            units = torch.cat([allies, self.encode_enemy(state[..., self.enemies])], dim=-2)  # (..., N+M, C)
        key, value = self.key_and_value(units).chunk(2, dim=-1)  # (..., N+M, C)
        query, key, value = (self._by_head(x) for x in (self.query(allies), key, value))  # (..., heads, units, C/heads)
        attended = F.scaled_dot_product_attention(query, key, value)  # (..., heads, N, C/heads)
        # The agent's own encoding is added: attention alone would have to find the agent among its likes.
        hidden: Tensor = allies + self.joined(attended.transpose(-3, -2).flatten(-2))  # (..., N, C)
        return hidden

    def _by_head(self, x: Tensor) -> Tensor:
        return x.reshape(*x.shape[:-1], self.heads, -1).transpose(-3, -2)

    def forward(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation (..., N, Z) of each agent's z from states (..., S)."""
        hidden = self.encode(state)
        return self.mean(hidden), (0.5 * self.log_variance(hidden).clamp(*LOG_VARIANCE)).exp()


class CoachedMixer(nn.Module):
    """QMIX's mixing, its weights from the coach's hidden c_i: one set per agent in the first layer, else averaged.

        Q_tot = |w|^T elu(sum_i |W_1(c_i)| q_i + b) + d,  w, b, d = means over i of W_2(c_i), b_1(c_i), b_2(c_i)

    with W_1, W_2, b_1 (M) and b_2 a number, each a network of two layers.

    Args:
        coach: the teacher's.
        embed: M, width of the network on the values.
        hyper: width of the networks that make its weights.
    """

    def __init__(self, coach: Coach, embed: int, hyper: int) -> None:
        super().__init__()
        self.coach = coach  # the teacher's own: it learns from both uses

        def made(outputs: int) -> nn.Sequential:
            return nn.Sequential(nn.Linear(coach.mean.in_features, hyper), nn.ReLU(), nn.Linear(hyper, outputs))

        self.first_weights, self.first_bias, self.second_weights = made(embed), made(embed), made(embed)
        self.second_bias = made(1)

    def forward(self, taken: Tensor, best: Tensor, actions: Tensor, state: Tensor) -> Tensor:  # noqa: ARG002  shared signature
        """Team value (...,) from values (..., N) and state (..., S); never falls when an agent's value rises."""
        coached = self.coach.encode(state)  # (..., N, C)
        first = self.first_weights(coached).abs()  # (..., N, M)
        bias = self.first_bias(coached).mean(dim=-2)  # (..., M)
        hidden = F.elu(torch.einsum("...n,...nm->...m", taken, first) + bias)  # (..., M)
        second = self.second_weights(coached).mean(dim=-2).abs()  # (..., M)
        team: Tensor = (hidden * second).sum(dim=-1) + self.second_bias(coached).mean(dim=(-2, -1))  # (...)
        return team


class Recogniser(nn.Module):
    """q(z_i | one step of agent i): what instruction its local input and action speak for."""

    def __init__(self, input_size: int, n_actions: int, size: int, info_size: int) -> None:
        super().__init__()
        self.encode = nn.Linear(input_size + n_actions, size)
        self.mean, self.log_variance = nn.Linear(size, info_size), nn.Linear(size, info_size)

    def forward(self, local: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance (..., Z) from local inputs (..., L) and one-hot actions (..., A)."""
        hidden = F.relu(self.encode(torch.cat([local, action], dim=-1)))  # (..., C)
        return self.mean(hidden), self.log_variance(hidden).clamp(*LOG_VARIANCE)
