"""K networks of one form as one: parameters stacked, inputs and outputs with a leading axis K, one kernel for all.

It is what a GPU needs to be filled, and the only form that runs there; on the CPU it gives what the K networks give one
by one, up to rounding. The networks' own code is used wherever it works with a leading axis: only the layers that
hold parameters and the recurrence are written anew here, in operations that every device has.
"""

import copy
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ptde_core.base.errors import PtdeError
from ptde_core.nets.global_information import AgentHyper
from ptde_core.nets.layers import IN_TORCH, Linear
from ptde_core.nets.mixers import HeadLayer
from ptde_core.nets.recurrent_agent import Trunk


def stacked(networks: Sequence[nn.Module]) -> nn.Module:
    """K networks as one, whose `state_dict` has their keys, and whose tensors have K in front.

    Raises:
        PtdeError: they have a part that cannot be stacked.
    """
    first = networks[0]
    if isinstance(first, nn.Linear | nn.GRU):
        return (_StackedLinear if isinstance(first, nn.Linear) else _StackedMemory)(networks)
    if isinstance(first, HeadLayer):
        return _StackedHeads(networks)
    if next(first.parameters(recurse=False), None) is not None or next(first.buffers(recurse=False), None) is not None:
        raise PtdeError(f"networks with a {type(first).__name__} cannot be trained several at once", "give one seed")
    together = copy.copy(first)
    together.__class__ = _OTHERWISE.get(type(first), type(first))
    parts = {name: [network.get_submodule(name) for network in networks] for name, _ in first.named_children()}
    together._modules = {name: stacked(of_each) for name, of_each in parts.items()}
    return together


def stacked_tensors(dicts: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """K dicts of equal tensors (...) as one of tensors (K, ...)."""
    return {name: torch.stack([one[name] for one in dicts]) for name in dicts[0]}


class _Stack(nn.Module):
    """Parameters of K modules, under their names."""

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        super().__init__()
        for name, tensor in stacked_tensors([dict(module.named_parameters()) for module in modules]).items():
            self.register_parameter(name, nn.Parameter(tensor.detach()))


class _StackedLinear(_Stack):
    """K linear layers."""

    weight: Tensor  # (K, out, in)
    bias: Tensor | None  # (K, out)

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        super().__init__(modules)
        if modules[0].bias is None:
            self.bias = None
        self.function = modules[0].function if isinstance(modules[0], Linear) else "plain"

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (K, ..., out) of inputs (K, ..., in)."""
        out: Tensor = IN_TORCH[self.function](linear(x, self.weight, self.bias))
        return out


class _StackedHeads(_Stack):
    """K times one layer of all of QPLEX's heads."""

    weight: Tensor  # (K, H, k, m)
    bias: Tensor  # (K, H, 1, m)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (K, ..., H, m) of inputs (K, ..., H, k)."""
        rows = x.flatten(1, -3).transpose(1, 2).flatten(0, 1)  # (K*H, R, k)
        out = torch.baddbmm(self.bias.flatten(0, 1), rows, self.weight.flatten(0, 1))  # (K*H, R, m)
        return out.view(*self.weight.shape[:2], *out.shape[1:]).transpose(1, 2).reshape(*x.shape[:-1], -1)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Outputs (K, ..., out) of inputs (K, ..., in) by weights (K, out, in) and biases (K, out)."""
    rows = x.flatten(1, -2)  # (K, R, in)
    turned = weight.transpose(1, 2)
    out = torch.bmm(rows, turned) if bias is None else torch.baddbmm(bias[:, None], rows, turned)  # (K, R, out)
    return out.view(*x.shape[:-1], -1)


class _StackedMemory(_Stack):
    """K GRUs of one layer and one direction."""

    weight_ih_l0: Tensor  # (K, 3H, I)
    weight_hh_l0: Tensor  # (K, 3H, H)
    bias_ih_l0: Tensor  # (K, 3H)
    bias_hh_l0: Tensor  # (K, 3H)

    def gates(self, x: Tensor) -> Tensor:
        """What the inputs (K, ..., I) add to the gates (K, ..., 3H)."""
        return linear(x, self.weight_ih_l0, self.bias_ih_l0)


class _StackedTrunk(Trunk):
    """`Trunk` with K in front; whole sequences come time-major already, as `nets.gru.time_major` orders them."""

    @property
    def _weights(self) -> "_StackedMemory":
        assert isinstance(self.memory, _StackedMemory)
        return self.memory

    def forward(self, local: Tensor, hidden: Tensor | None = None) -> Tensor:
        """One step: the new hidden (K, E, N, H) from local inputs (K, E, N, L) and the hidden before."""
        weights = self._weights
        gates = weights.gates(self.encoded(local))  # (K, E, N, 3H)
        if hidden is None:
            hidden = gates.new_zeros(*gates.shape[:-1], self.hidden_size)
        product = linear(hidden, weights.weight_hh_l0, weights.bias_hh_l0)  # (K, E, N, 3H)
        _, _, _, now = _step(gates, product, hidden)
        return now

    def unroll(self, local: Tensor, lengths: Tensor, start: Tensor | None = None) -> Tensor:
        """Histories (K, R, N, H) of time-major local inputs (K, R, N, L).

        Args:
            local: rows of the first step of all sequences, then of the second, and so on, longer sequences first.
            lengths: (T,) int64 on the CPU, rows of each step: never rising.
            start: none: sequences begin with zeros.
        """
        assert start is None, "stacked networks read whole episodes"
        n = local.shape[2]
        weights = self._weights
        gates = weights.gates(self.encoded(local)).flatten(1, 2)  # (K, R*N, 3H)
        rows = [n * int(count) for count in lengths]
        history: Tensor = _StackedRecurrence.apply(gates, weights.weight_hh_l0, weights.bias_hh_l0, rows)  # type: ignore[no-untyped-call]  # torch's
        return history.view(len(local), -1, n, self.hidden_size)


def _step(gates: Tensor, product: Tensor, before: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """One step of a GRU: r and z (..., 2H), n (..., H), the recurrent part of n (..., H), the new hidden (..., H).

    Args:
        gates: (..., 3H) what the input adds to r, z, n.
        product: (..., 3H) W h_before + b.
        before: (..., H).
    """
    size = before.shape[-1]
    both = torch.sigmoid(gates[..., : 2 * size] + product[..., : 2 * size])  # (..., 2H)
    recurrent = product[..., 2 * size :]
    new = torch.tanh(torch.addcmul(gates[..., 2 * size :], both[..., :size], recurrent))
    return both, new, recurrent, torch.lerp(new, before, both[..., size:])


class _StackedRecurrence(torch.autograd.Function):
    """The recurrence of K GRUs: one product for all K, and one for all steps where no step depends on another."""

    @staticmethod
    def forward(ctx: Any, gates: Tensor, weight: Tensor, bias: Tensor, rows: list[int]) -> Tensor:
        """Hiddens (K, R, H) from gates (K, R, 3H), weights (K, 3H, H), biases (K, 3H) and the rows of each step."""
        size, turned = weight.shape[2], weight.transpose(1, 2)
        both, new, recurrent, hidden = (
            gates.new_empty(*gates.shape[:2], width) for width in (2 * size, size, size, size)
        )
        before = gates.new_zeros(len(gates), rows[0], size)
        for own, count in _steps(rows):
            before = before[:, :count]
            product = torch.baddbmm(bias[:, None], before, turned)  # (K, r, 3H)
            both[:, own], new[:, own], recurrent[:, own], before = _step(gates[:, own], product, before)
            hidden[:, own] = before
        ctx.save_for_backward(both, new, recurrent, hidden, weight)
        ctx.rows = rows
        return hidden

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        """Back through time; the weights' gradients are one product over all steps."""
        (grad_hidden,) = upstream
        both, new, recurrent, hidden, weight = ctx.saved_tensors
        rows: list[int] = ctx.rows
        size = weight.shape[2]
        reset, update = both[..., :size], both[..., size:]
        # The hidden before each row: zeros, then of each step the first rows of the step before.
        earlier = [hidden[:, own][:, :after] for (own, _), after in zip(_steps(rows), rows[1:], strict=False)]
        before = torch.cat([hidden.new_zeros(len(hidden), rows[0], size), *earlier], dim=1)  # (K, R, H)
        # All but the gradient that comes back through time is known at once.
        to_new = (1 - update) * (1 - new * new)  # (K, R, H)
        slopes = torch.cat(
            [to_new * recurrent * reset * (1 - reset), (before - new) * update * (1 - update), to_new], -1
        )
        of_product = torch.cat([slopes[..., : 2 * size], to_new * reset], dim=-1)  # (K, R, 3H)
        total = torch.empty_like(hidden)
        coming = hidden.new_zeros(len(hidden), 0, size)
        for own, _ in reversed(list(_steps(rows))):
            now = total[:, own]
            now.copy_(grad_hidden[:, own])
            now[:, : coming.shape[1]] += coming
            step = of_product[:, own] * now.repeat(1, 1, 3)  # (K, r, 3H)
            coming = torch.baddbmm(now * update[:, own], step, weight)  # (K, r, H)
        tiled = total.repeat(1, 1, 3)
        grad_gates, grad_product = slopes * tiled, of_product * tiled  # (K, R, 3H)
        return grad_gates, torch.bmm(grad_product.transpose(1, 2), before), grad_product.sum(dim=1), None


def _steps(rows: Sequence[int]) -> list[tuple[slice, int]]:
    """Where each step's rows stand, and how many they are."""
    return [(slice(end - count, end), count) for end, count in zip(accumulate(rows), rows, strict=True)]


class _StackedAgentHyper(AgentHyper):
    """`AgentHyper` with K in front, in plain operations."""

    def forward(self, local: Tensor, state: Tensor, elu: bool = False) -> Tensor:
        """Generated layers (K, ..., N, Z) from local inputs (K, ..., N, L) and states (K, ..., S)."""
        a = self.hidden(local)  # (K, ..., N, H)
        n, k = a.shape[-2:]
        count = len(state)
        rows = state.reshape(count, -1, self.state_size)  # (K, R, S)
        m = self.weights.weight.view(count, self.state_size, self.output_size * k)  # (K, S, Z*H)
        shared = torch.bmm(rows, m).view(-1, self.output_size, k)  # (K*R, Z, H)
        own = torch.bmm(a.reshape(-1, n, k), shared.transpose(1, 2))  # (K*R, N, Z)
        offset = torch.bmm(rows, self.weights.bias.view(count, self.state_size, self.output_size))  # (K, R, Z)
        g: Tensor = (own.view(count, -1, n, self.output_size) + offset[:, :, None]).view(*a.shape[:-1], -1)
        g = torch.add(g, self.bias(local))  # (K, ..., N, Z)
        return F.elu(g) if elu else g


_OTHERWISE: Mapping[type[nn.Module], type[nn.Module]] = {
    AgentHyper: _StackedAgentHyper,
    Trunk: _StackedTrunk,
}
