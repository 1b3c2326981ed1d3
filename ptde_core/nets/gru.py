"""A GRU over sequences of unequal length without padding, and a step of it.

In float32 on the CPU the whole recurrence is one compiled kernel, its backward pass another. Elsewhere torch's packed
GRU takes the rows in time-major order: all sequences' first steps, then the second steps of those that have one, and so
on, longer sequences first.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from ptde_core import kernels
from ptde_core.nets.layers import Prepared


def time_major(lengths: Tensor) -> tuple[Tensor, list[int]]:
    """How to reorder sequences laid end to end so that equal steps stand together, longer sequences first.

    Args:
        lengths: (B,) int64.

    Returns:
        order (R,): which row belongs at each place; rows of each step, never rising, as many as the longest has steps.
    """
    by_length = longest_first(lengths)
    starts = torch.cumsum(lengths, 0) - lengths
    steps = torch.arange(int(lengths.max()), device=lengths.device)
    there = steps[:, None] < lengths[by_length]  # (T, B)
    order = (steps[:, None] + starts[by_length])[there]  # (R,)
    return order, there.sum(dim=1).tolist()


def longest_first(lengths: Tensor) -> Tensor:
    """Which sequence stands at each place of a step of the time-major layout: (B,) from lengths (B,)."""
    return torch.argsort(lengths, descending=True, stable=True)


def chunk_lengths(lengths: Tensor, size: int) -> Tensor:
    """Lengths (C,) of the pieces of up to `size` steps that sequences laid end to end are cut into, in their order.

    The last piece of a sequence holds what is left of it, so that no piece holds steps of two sequences.
    """
    count = (lengths + size - 1) // size  # (B,) pieces of each sequence
    pieces = torch.full((int(count.sum()),), size, dtype=lengths.dtype)  # (C,)
    pieces[torch.cumsum(count, 0) - 1] = lengths - (count - 1) * size
    return pieces


def gru_over_sequences(memory: nn.GRU, x: Tensor, lengths: Tensor, start: Tensor | None = None) -> Tensor:
    """The hidden state of every step and agent (R, N, H) of B sequences laid end to end, without padding.

    Args:
        memory: a GRU of one layer and one direction.
        x: (R, N, I) inputs.
        lengths: (B,) int64 on the CPU; R is their sum.
        start: (B, N, H) hidden states that the sequences begin with; zeros by default.
    """
    weights = _weights(memory)
    if kernels.can_take(x, *weights):
        return _in_kernels(x, lengths, start, *weights)
    return in_torch(memory, x, lengths, start)


def gru_step(memory: nn.GRU, kept: Prepared, x: Tensor, hidden: Tensor | None) -> Tensor:
    """One step: the hidden state (E, N, H) after inputs x (E, N, I).

    Args:
        memory: a GRU of one layer and one direction.
        kept: its weights as the kernel takes them, of `prepared`.
        x: (E, N, I).
        hidden: (E, N, H) before the step; zeros by default.
    """
    weights = _weights(memory)
    if torch.is_grad_enabled() or not kernels.can_take(x, weights[0]):
        start = None if hidden is None else hidden.flatten(0, 1)[None].contiguous()  # (1, E*N, H), as cuDNN asks for it
        found, _ = memory(x.flatten(0, 1)[None], start)  # (1, E*N, H)
        return found.view(*x.shape[:2], memory.hidden_size)  # type: ignore[no-any-return]  # nn.Module calls are untyped
    after = x.new_zeros(*x.shape[:2], memory.hidden_size) if hidden is None else hidden.clone()
    kernels.gru_step(kernels.array(x), *kept.of(*weights), after.numpy())
    return after


def prepared(input_weight: Tensor, weight: Tensor, input_bias: Tensor, bias: Tensor) -> tuple[NDArray[Any], ...]:
    """A GRU's parameters as kernels take them: weights transposed, (I, 3H) and (H, 3H), and biases (4, H)."""
    return kernels.array(input_weight.t()), kernels.array(weight.t()), kernels.array(_biases(input_bias, bias))


def _weights(memory: nn.GRU) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return memory.weight_ih_l0, memory.weight_hh_l0, memory.bias_ih_l0, memory.bias_hh_l0  # type: ignore[return-value]  # nn.GRU's are untyped


def _biases(input_bias: Tensor, bias: Tensor) -> Tensor:
    """Of the sums of reset, update, new and recurrent part: (4, H), from torch's two (3H,)."""
    size = len(bias) // 3
    both = input_bias + bias  # (3H,)
    return torch.cat([both[: 2 * size], input_bias[2 * size :], bias[2 * size :]]).view(4, size)


def _in_kernels(
    x: Tensor,
    lengths: Tensor,
    start: Tensor | None,
    input_weight: Tensor,
    weight: Tensor,
    input_bias: Tensor,
    bias: Tensor,
) -> Tensor:
    agents, size = x.shape[1], weight.shape[1]
    order, streams = _streams(lengths.numpy(), agents)
    begun = x.new_zeros(len(order), agents, size) if start is None else start[torch.from_numpy(order)]  # (B, N, H)
    rows = x.flatten(0, 1)  # (R*N, I)
    hidden: Tensor = _CompiledRecurrence.apply(  # type: ignore[no-untyped-call]  # torch's
        rows, input_weight, weight, _biases(input_bias, bias), begun.flatten(0, 1), streams
    )
    return hidden.view(*x.shape[:2], size)


def _streams(lengths: NDArray[np.int64], agents: int) -> tuple[NDArray[np.int64], tuple[Any, Any, int]]:
    """The sequences (B,), longest first; each stream's first row and steps (B*N,), and the rows from step to step."""
    order = np.argsort(-lengths, kind="stable")  # (B,)
    first = (np.cumsum(lengths) - lengths)[order, None] * agents + np.arange(agents)  # (B, N)
    return order, (first.ravel(), np.repeat(lengths[order], agents), agents)


class _CompiledRecurrence(torch.autograd.Function):
    """Streams, longest first: `kernels.gru` and its gradients."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, input_weight: Tensor, weight: Tensor, biases: Tensor, start: Tensor, streams: Any
    ) -> Tensor:
        size = weight.shape[1]
        hidden = x.new_empty(len(x), size)
        kept = x.new_empty(4 * len(x) if any(ctx.needs_input_grad) else 0, size)
        turned = (kernels.array(w.t()) for w in (input_weight, weight))
        ctx.streams = streams
        kernels.gru(
            kernels.array(x),
            *streams,
            *turned,
            kernels.array(biases),
            kernels.array(start.clone()),
            kernels.array(hidden),
            kernels.array(kept),
        )
        ctx.save_for_backward(x, input_weight, weight, start, hidden, kept)
        return hidden

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        (grad_hidden,) = upstream
        x, input_weight, weight, start, hidden, kept = ctx.saved_tensors
        gradients = (
            torch.empty_like(x),
            *(
                torch.zeros_like(tensor)
                for tensor in (input_weight, weight, weight.new_empty(4, len(hidden[0])), start)
            ),
        )
        weights = (kernels.array(w) for w in (input_weight, weight))
        known = (start, hidden, kept, grad_hidden)
        kernels.gru_gradients(
            kernels.array(x), *ctx.streams, *weights, *(kernels.array(t) for t in (*known, *gradients))
        )
        return *gradients, None


def in_torch(memory: nn.GRU, x: Tensor, lengths: Tensor, start: Tensor | None) -> Tensor:
    """`gru_over_sequences` by torch's packed GRU, on any device and in any precision."""
    agents = x.shape[1]
    order, rows = time_major(lengths)
    order = order.to(x.device)
    steps = PackedSequence(x.index_select(0, order).flatten(0, 1), torch.tensor(rows) * agents)  # (R*N, I)
    first = None if start is None else start[longest_first(lengths).to(x.device)].flatten(0, 1)[None]  # (1, B*N, H)
    hidden = memory(steps, first)[0].data  # (R*N, H)
    back = torch.empty_like(order)
    back[order] = torch.arange(len(order), device=order.device)
    found: Tensor = hidden.view(len(x), agents, -1).index_select(0, back)  # (R, N, H)
    return found
