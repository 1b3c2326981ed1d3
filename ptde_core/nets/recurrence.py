"""A GRU over sequences of unequal length, without padding, with its backward pass written out.

Rows are time-major: all sequences' first steps, then the second steps of those that have one, and so on, longer
sequences first. So the sequences alive at a step are the first rows of the step before. Torch's packed GRU takes the
same layout, but its backward pass adds a zero-filled tensor of all rows at every step.
"""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn


def time_major(lengths: Tensor) -> tuple[Tensor, list[int]]:
    """How to reorder sequences laid end to end so that equal steps stand together, longer sequences first.

    Args:
        lengths: (B,) int64.

    Returns:
        order (R,): which row belongs at each place; rows of each step, never rising, as many as the longest has steps.
    """
    longest_first = torch.argsort(lengths, descending=True, stable=True)
    starts = torch.cumsum(lengths, 0) - lengths
    steps = torch.arange(int(lengths.max()), device=lengths.device)
    there = steps[:, None] < lengths[longest_first]  # (T, B)
    order = (steps[:, None] + starts[longest_first])[there]  # (R,)
    return order, there.sum(dim=1).tolist()


def gru_over_sequences(memory: nn.GRU, x: Tensor, rows: list[int]) -> Tensor:
    """The hidden of every step (R, H), from zeros, of time-major inputs x (R, I).

    Args:
        memory: a GRU of one layer and one direction, whose weights are used.
        x: (R, I) time-major.
        rows: number of rows of each step, never rising.
    """
    input_weight, weight, input_bias, bias = (memory.get_parameter(f"{name}_l0") for name in _WEIGHTS)
    gates = nn.functional.linear(x, input_weight, input_bias)  # (R, 3H)
    hidden: Tensor = _Recurrence.apply(gates, weight, bias, rows)  # type: ignore[no-untyped-call]  # torch leaves it so
    return hidden


_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


class _Recurrence(torch.autograd.Function):
    """h = (1 - z) n + z h_before with r, z = sigmoid(...), n = tanh(gates_n + r (W_n h_before + b_n))."""

    @staticmethod
    def forward(ctx: Any, gates: Tensor, weight: Tensor, bias: Tensor, rows: list[int]) -> Tensor:
        """Step by step; keeps what the backward pass needs: the three gates, and the new gate's recurrent part."""
        size = weight.shape[1]
        hidden, recurrent = gates.new_empty(len(gates), size), gates.new_empty(len(gates), size)  # (R, H)
        kept = gates.clone()  # (R, 3H), turned into r, z, n in place
        before, at = gates.new_zeros(rows[0], size), 0
        for count in rows:
            own = slice(at, at + count)
            before = before[:count]
            product = torch.addmm(bias, before, weight.t())  # (r, 3H)
            gate, new = kept[own, : 2 * size], kept[own, 2 * size :]  # (r, 2H), (r, H)
            gate.add_(product[:, : 2 * size]).sigmoid_()
            recurrent[own] = product[:, 2 * size :]
            new.addcmul_(gate[:, :size], product[:, 2 * size :]).tanh_()
            before = torch.lerp(new, before, gate[:, size:], out=hidden[own])
            at += count
        ctx.save_for_backward(kept, recurrent, hidden, weight)
        ctx.rows = rows
        return hidden

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        """Back through time; the weights' gradients are one product over all rows at the end."""
        (grad_hidden,) = upstream
        kept, recurrent, hidden, weight = ctx.saved_tensors
        rows: list[int] = ctx.rows
        size = weight.shape[1]
        reset, update, new = kept.split(size, dim=1)  # (R, H) each
        # What does not depend on the gradient that comes back through time is done for all rows at once.
        before = _hidden_before(hidden, rows)  # (R, H)
        by_new = (1 - update) * (1 - new * new)
        slopes = torch.cat(
            [by_new * recurrent * reset * (1 - reset), (before - new) * update * (1 - update), by_new], 1
        )
        grad_gates = torch.empty_like(slopes)  # (R, 3H), of r, z, n before their functions
        grad_recurrent = torch.empty_like(recurrent)  # (R, H), of W_n h_before + b_n
        grad_total = grad_hidden.clone()  # (R, H), to which each step adds what comes back to the step before
        gates_weight, new_weight = weight[: 2 * size], weight[2 * size :]
        at, carried = len(hidden), grad_hidden.new_zeros(0, size)
        for count in reversed(rows):
            own = slice(at - count, at)
            total = grad_total[own]  # (r, H)
            total[: len(carried)] += carried
            torch.mul(slopes[own].view(count, 3, size), total[:, None], out=grad_gates[own].view(count, 3, size))
            torch.mul(grad_gates[own, 2 * size :], reset[own], out=grad_recurrent[own])
            carried = torch.addmm(total.mul_(update[own]), grad_gates[own, : 2 * size], gates_weight)  # (r, H)
            carried.addmm_(grad_recurrent[own], new_weight)
            at -= count
        grad_product = (grad_gates[:, : 2 * size], grad_recurrent)
        grad_weight = torch.cat([part.t() @ before for part in grad_product])  # (3H, H)
        return grad_gates, grad_weight, torch.cat([part.sum(dim=0) for part in grad_product]), None


def _hidden_before(hidden: Tensor, rows: list[int]) -> Tensor:
    """The hidden (R, H) that each row's step started from."""
    before = torch.zeros_like(hidden)
    at = 0
    for count, following in pairwise(rows):
        before[at + count : at + count + following] = hidden[at : at + following]
        at += count
    return before
