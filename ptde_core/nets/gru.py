"""A GRU over sequences of unequal length, without padding, with its backward pass written out.

On the CPU in float32 the whole recurrence is one kernel each way. Elsewhere it is a loop over time of torch's
operations on time-major rows: all sequences' first steps, then the second steps of those that have one, and so on,
longer sequences first. So the sequences alive at a step are the first rows of the step before. Torch's packed GRU takes
the same layout, but its backward pass adds a zero-filled tensor of all rows at every step.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

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
    """The hidden of every step and agent (R, N, H) of B sequences laid end to end, without padding.

    Args:
        memory: a GRU of one layer and one direction, whose weights are used.
        x: (R, N, I) inputs.
        lengths: (B,) int64 on the CPU; R is their sum.
        start: (B, N, H) the hiddens that the sequences begin with; zeros by default.
    """
    weights = _weights(memory)
    if kernels.can_take(x, *weights):
        return _in_kernels(x, lengths, start, *weights)
    if start is None:
        start = x.new_zeros(len(lengths), x.shape[1], memory.hidden_size)
    return in_torch(x, lengths, start, *weights)


def gru_step(memory: nn.GRU, kept: Prepared, x: Tensor, hidden: Tensor | None) -> Tensor:
    """One step of play: the hidden (E, N, H) after inputs x (E, N, I), from the one before, zeros by default.

    Args:
        memory: as of `gru_over_sequences`.
        kept: of `prepared`.
        x: (E, N, I).
        hidden: (E, N, H).
    """
    weights = _weights(memory)
    if torch.is_grad_enabled() or not kernels.can_take(x, weights[0]):
        start = None if hidden is None else hidden.flatten(0, 1)[None]  # (1, E*N, H)
        found, _ = memory(x.flatten(0, 1)[None], start)  # (1, E*N, H)
        return found.view(*x.shape[:2], memory.hidden_size)  # type: ignore[no-any-return]  # nn.Module calls are untyped
    after = x.new_zeros(*x.shape[:2], memory.hidden_size) if hidden is None else hidden.clone()
    kernels.gru_step(kernels.array(x), *kept.of(*weights), after.numpy())
    return after


def prepared(input_weight: Tensor, weight: Tensor, input_bias: Tensor, bias: Tensor) -> tuple[NDArray[Any], ...]:
    """What the kernels take of a GRU's parameters: weights transposed, (I, 3H) and (H, 3H), and biases (4, H)."""
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


def in_torch(
    x: Tensor, lengths: Tensor, start: Tensor, input_weight: Tensor, weight: Tensor, input_bias: Tensor, bias: Tensor
) -> Tensor:
    """The same by torch's operations, on any device and in any precision."""
    agents = x.shape[1]
    order, rows = time_major(lengths)
    order = order.to(x.device)
    gates = nn.functional.linear(x.index_select(0, order).flatten(0, 1), input_weight, input_bias)  # (R*N, 3H)
    first = start[longest_first(lengths)].flatten(0, 1)  # (B*N, H)
    hidden = _Recurrence.apply(gates, weight, bias, first, [count * agents for count in rows])  # type: ignore[no-untyped-call]  # torch's
    back = torch.empty_like(order)
    back[order] = torch.arange(len(order), device=order.device)
    found: Tensor = hidden.view(len(x), agents, -1).index_select(0, back)  # (R, N, H)
    return found


class _Recurrence(torch.autograd.Function):
    """h = (1 - z) n + z h_before with r, z = sigmoid(...), n = tanh(gates_n + r (W_n h_before + b_n)).

    Step by step, both ways: what one step works on stays in the cache, where whole sequences would not.
    """

    @staticmethod
    def forward(ctx: Any, gates: Tensor, weight: Tensor, bias: Tensor, start: Tensor, rows: list[int]) -> Tensor:
        """Keeps what the backward pass needs: r and z, n, and the new gate's recurrent part W_n h_before + b_n."""
        size = weight.shape[1]
        both = gates.new_empty(len(gates), 2 * size)  # (R, 2H): r, z
        new, recurrent, hidden = (gates.new_empty(len(gates), size) for _ in range(3))  # (R, H)
        product = gates.new_empty(rows[0], 3 * size)
        before, at = start, 0
        for count in rows:
            own = slice(at, at + count)
            before, step = before[:count], product[:count]
            torch.addmm(bias, before, weight.t(), out=step)  # (r, 3H)
            torch.add(gates[own, : 2 * size], step[:, : 2 * size], out=both[own]).sigmoid_()
            recurrent[own] = step[:, 2 * size :]
            torch.addcmul(gates[own, 2 * size :], both[own, :size], recurrent[own], out=new[own]).tanh_()
            before = torch.lerp(new[own], before, both[own, size:], out=hidden[own])
            at += count
        ctx.save_for_backward(both, new, recurrent, hidden, weight, start)
        ctx.rows = rows
        return hidden

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, None]:
        """Back through time."""
        (grad_hidden,) = upstream
        both, new, recurrent, hidden, weight, start = ctx.saved_tensors
        rows: list[int] = ctx.rows
        size = weight.shape[1]
        grad_gates = both.new_empty(len(hidden), 3 * size)  # (R, 3H), of r, z, n before their functions
        grad_product = both.new_empty(rows[0], 3 * size)  # of W h_before + b at one step
        grad_weight, grad_bias = torch.zeros_like(weight), weight.new_zeros(3 * size)
        total, at = hidden.new_empty(rows[0], size), len(hidden)  # (r, H), gradient of the hidden of one step
        carried = 0
        for step in range(len(rows) - 1, -1, -1):
            count = rows[step]
            own = slice(at - count, at)
            total[:carried] += grad_hidden[own][:carried]
            total[carried:count] = grad_hidden[own][carried:]
            at -= count
            # The sequences alive at a step are the first rows of the step before.
            before = hidden[at - rows[step - 1] :][:count] if step else start[:count]
            of_product, now = grad_product[:count], total[:count]
            _slopes(both[own], new[own], recurrent[own], before, now, grad_gates[own], of_product)
            grad_weight.addmm_(of_product.t(), before)
            grad_bias += of_product.sum(dim=0)
            now.addmm_(of_product, weight)  # (r, H), what comes back to the step before
            carried = count
        return grad_gates, grad_weight, grad_bias, total, None  # what comes back to the first step is that of `start`


def _slopes(
    both: Tensor, new: Tensor, recurrent: Tensor, before: Tensor, total: Tensor, grad_gates: Tensor, of_product: Tensor
) -> None:
    """From the gradient of one step's hidden to those of its gates and of W h_before + b; r rows of one step.

    Args:
        both: (r, 2H) the gates r and z.
        new: (r, H) the gate n.
        recurrent: (r, H) W_n h_before + b_n.
        before: (r, H) hidden before the step.
        total: (r, H) gradient of the hidden after the step; becomes what reaches `before` past the gates.
        grad_gates: (r, 3H), written: gradients of r, z, n before their functions.
        of_product: (r, 3H), written: gradients of W h_before + b.
    """
    size = new.shape[1]
    reset, update = both[:, :size], both[:, size:]
    grad_new = total * (1 - update) * (1 - new * new)
    grad_gates[:, :size] = grad_new * recurrent * reset * (1 - reset)
    grad_gates[:, size : 2 * size] = total * (before - new) * update * (1 - update)
    grad_gates[:, 2 * size :] = grad_new
    of_product[:, : 2 * size] = grad_gates[:, : 2 * size]
    of_product[:, 2 * size :] = grad_new * reset
    total *= update
