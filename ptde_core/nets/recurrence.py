"""A GRU over sequences of unequal length, without padding, with its backward pass written out.

Rows are time-major: all sequences' first steps, then the second steps of those that have one, and so on, longer
sequences first. So the sequences alive at a step are the first rows of the step before. Torch's packed GRU takes the
same layout, but its backward pass adds a zero-filled tensor of all rows at every step.
"""

from typing import Any

import numba
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Array = NDArray[Any]


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


def gru_over_sequences(memory: nn.GRU, x: Tensor, rows: list[int], start: Tensor | None = None) -> Tensor:
    """The hidden of every step (R, H) of time-major inputs x (R, I).

    Args:
        memory: a GRU of one layer and one direction, whose weights are used.
        x: (R, I) time-major.
        rows: number of rows of each step, never rising.
        start: (rows[0], H) the hiddens that the sequences begin with; zeros by default.
    """
    input_weight, weight, input_bias, bias = (memory.get_parameter(f"{name}_l0") for name in _WEIGHTS)
    gates = nn.functional.linear(x, input_weight, input_bias)  # (R, 3H)
    if start is None:
        start = gates.new_zeros(rows[0], weight.shape[1])
    hidden: Tensor = _Recurrence.apply(gates, weight, bias, start, rows)  # type: ignore[no-untyped-call]  # torch's
    return hidden


_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


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
        slopes = slopes_of_one_step if hidden.device.type == "cpu" else slopes_in_torch
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
            slopes(both[own], new[own], recurrent[own], before, now, grad_gates[own], of_product)
            grad_weight.addmm_(of_product.t(), before)
            grad_bias += of_product.sum(dim=0)
            now.addmm_(of_product, weight)  # (r, H), what comes back to the step before
            carried = count
        return grad_gates, grad_weight, grad_bias, total, None  # what comes back to the first step is that of `start`


def slopes_in_torch(
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


def slopes_of_one_step(*tensors: Tensor) -> None:
    """`slopes_in_torch` in one pass over memory, for tensors on the CPU."""
    _slopes(*(tensor.numpy() for tensor in tensors))


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _slopes(
    both: Array, new: Array, recurrent: Array, before: Array, total: Array, grad_gates: Array, of_product: Array
) -> None:
    rows, size = new.shape
    for row in range(rows):
        for k in range(size):
            reset, update, n, grad = both[row, k], both[row, size + k], new[row, k], total[row, k]
            grad_new = grad * (1 - update) * (1 - n * n)
            grad_reset = grad_new * recurrent[row, k] * reset * (1 - reset)
            grad_update = grad * (before[row, k] - n) * update * (1 - update)
            grad_gates[row, k] = grad_reset
            grad_gates[row, size + k] = grad_update
            grad_gates[row, 2 * size + k] = grad_new
            of_product[row, k] = grad_reset
            of_product[row, size + k] = grad_update
            of_product[row, 2 * size + k] = grad_new * reset
            total[row, k] = grad * update
