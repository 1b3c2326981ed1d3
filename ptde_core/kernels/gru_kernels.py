"""A GRU over sequences, and its gradients.

A stream is one agent in one episode. Episodes lie end to end, a row for each step and agent: the row of a stream at
step t is first + t * stride. Streams are sorted by length, longest first, so that at each step those that still run
are the first ones.
"""

# ruff: noqa: D417  (shapes are told of what needs telling)

import numpy as np

from ptde_core.kernels.compile import Array, entry, inner
from ptde_core.kernels.functions import ONE, sigmoid, tanh
from ptde_core.kernels.products import BLOCK, add_product
from ptde_core.kernels.rows import add_rows, copy, gather, repeat, scatter


@inner
def _sums(sums: Array, fed: Array, old: Array, input_turned: Array, turned: Array, biases: Array) -> None:
    """Pre-activations (4, r, H) of reset gate, update gate, candidate and its recurrent part.

    They come from inputs (r, I) and hidden states (r, H).
    """
    size = old.shape[1]
    for gate in range(4):
        repeat(sums[gate], biases[gate])
    for gate in range(3):
        own = slice(gate * size, (gate + 1) * size)
        add_product(sums[gate], fed, input_turned[:, own])
        add_product(sums[gate if gate < 2 else 3], old, turned[:, own])


@inner
def _gates(sums: Array, hidden: Array) -> None:
    """Turn the pre-activations (4, r, H) into gates, and `hidden` into the state after the step; both in place."""
    reset, update, new, recurrent = sums[0].ravel(), sums[1].ravel(), sums[2].ravel(), sums[3].ravel()
    now = hidden.ravel()
    for k in range(len(now)):
        reset[k] = sigmoid(reset[k])
    for k in range(len(now)):
        update[k] = sigmoid(update[k])
    for k in range(len(now)):
        new[k] = tanh(new[k] + reset[k] * recurrent[k])
    for k in range(len(now)):
        now[k] = new[k] + update[k] * (now[k] - new[k])


@inner
def advance(sums: Array, fed: Array, hidden: Array, input_turned: Array, turned: Array, biases: Array) -> None:
    """One step of the hidden states (r, H) on inputs (r, I), in place; `sums` (4, r, H) holds the gates afterwards."""
    _sums(sums, fed, hidden, input_turned, turned, biases)
    _gates(sums, hidden)


@entry
def gru(
    x: Array,
    first: Array,
    steps: Array,
    stride: int,
    input_turned: Array,
    turned: Array,
    biases: Array,
    memory: Array,
    hidden: Array,
    kept: Array,
) -> None:
    """Hidden states (R, H) of inputs x (R, I).

    Args:
        x: (R, I).
        first, steps: (M,) int64, each stream's first row and number of steps, longest first.
        stride: rows from a stream's step to its next.
        input_turned, turned: (I, 3H), (H, 3H) weights, transposed.
        biases: (4, H) of reset gate, update gate, candidate and its recurrent part.
        memory: (M, H) hidden states before the first steps, overwritten with those after the last ones.
        hidden: (R, H), overwritten.
        kept: (4R, H), overwritten with the gates for `gru_gradients`, block by block in the order of computation;
            without rows they are not kept.
    """
    size = memory.shape[1]
    inputs, work = np.empty((BLOCK, x.shape[1]), np.float32), np.empty((4 * BLOCK, size), np.float32)
    alive, done = len(first), 0
    for t in range(steps[0]):
        while steps[alive - 1] <= t:
            alive -= 1
        for begin in range(0, alive, BLOCK):
            count = min(BLOCK, alive - begin)
            old, fed = memory[begin : begin + count], inputs[:count]
            sums = (kept[4 * done : 4 * (done + count)] if len(kept) else work[: 4 * count]).reshape((4, count, size))
            gather(fed, x, first[begin:], t * stride)
            advance(sums, fed, old, input_turned, turned, biases)
            scatter(hidden, old, first[begin:], t * stride)
            done += count


@entry
def gru_step(x: Array, input_turned: Array, turned: Array, biases: Array, memory: Array) -> None:
    """One step of play: `memory` (E, N, H) on inputs x (E, N, I), in place; the other arguments are as for `gru`."""
    size = memory.shape[2]
    rows, hiddens = x.reshape((-1, x.shape[2])), memory.reshape((-1, size))
    work = np.empty((4 * BLOCK, size), np.float32)
    for begin in range(0, len(rows), BLOCK):
        fed, old = rows[begin : begin + BLOCK], hiddens[begin : begin + BLOCK]
        sums = work[: 4 * len(fed)].reshape((4, len(fed), size))
        advance(sums, fed, old, input_turned, turned, biases)


@inner
def _slopes(gates: Array, before: Array, upstream: Array, total: Array, sums: Array) -> None:
    """Backpropagate one step: from the gradient of the hidden states to that of the pre-activations (4, r, H).

    Args:
        gates: (4, r, H) as `_gates` has left them.
        before, upstream: (r, H) hidden states before the step; gradient of those after it, from the loss.
        total: (r, H) gradient of those after it, from the next step; overwritten with the part that goes straight
            to the hidden states before it, by the update gate.
        sums: overwritten.
    """
    reset, update, new, recurrent = gates[0].ravel(), gates[1].ravel(), gates[2].ravel(), gates[3].ravel()
    of_reset, of_update, of_new, of_recurrent = sums[0].ravel(), sums[1].ravel(), sums[2].ravel(), sums[3].ravel()
    old, given, grad = before.ravel(), upstream.ravel(), total.ravel()
    for k in range(len(grad)):
        grad[k] += given[k]
    for k in range(len(grad)):
        of_new[k] = grad[k] * (ONE - update[k]) * (ONE - new[k] * new[k])
    for k in range(len(grad)):
        of_update[k] = grad[k] * (old[k] - new[k]) * update[k] * (ONE - update[k])
    for k in range(len(grad)):
        of_recurrent[k] = of_new[k] * reset[k]
    for k in range(len(grad)):
        of_reset[k] = of_recurrent[k] * recurrent[k] * (ONE - reset[k])
    for k in range(len(grad)):
        grad[k] *= update[k]


@entry
def gru_gradients(
    x: Array,
    first: Array,
    steps: Array,
    stride: int,
    input_weight: Array,
    weight: Array,
    start: Array,
    hidden: Array,
    kept: Array,
    grad_hidden: Array,
    grad_x: Array,
    grad_input_weight: Array,
    grad_weight: Array,
    grad_biases: Array,
    grad_start: Array,
) -> None:
    """Backpropagation through time. Weights are (3H, I) and (3H, H); their gradients are added to.

    Args:
        start: (M, H) hidden states before the first steps.
        grad_hidden: (R, H).
        grad_x: (R, I), overwritten.
        grad_biases: (4, H), added to.
        grad_start: (M, H) zeros, overwritten with the gradient of `start`.
    """
    size, width = start.shape[1], x.shape[1]
    inputs, out = np.empty((BLOCK, width), np.float32), np.empty((BLOCK, width), np.float32)
    befores, upstreams = np.empty((BLOCK, size), np.float32), np.empty((BLOCK, size), np.float32)
    work = np.empty((4 * BLOCK, size), np.float32)
    alive, done = 0, len(hidden)
    for t in range(steps[0] - 1, -1, -1):
        while alive < len(first) and steps[alive] > t:
            alive += 1
        done -= alive
        for begin in range(0, alive, BLOCK):
            count = min(BLOCK, alive - begin)
            fed, given, before, upstream = inputs[:count], out[:count], befores[:count], upstreams[:count]
            total = grad_start[begin : begin + count]
            gates = kept[4 * (done + begin) : 4 * (done + begin + count)].reshape((4, count, size))
            sums = work[: 4 * count].reshape((4, count, size))
            gather(fed, x, first[begin:], t * stride)
            gather(upstream, grad_hidden, first[begin:], t * stride)
            if t:
                gather(before, hidden, first[begin:], (t - 1) * stride)
            else:
                copy(before, start[begin : begin + count])
            _slopes(gates, before, upstream, total, sums)
            given[:] = np.float32(0.0)
            for gate in range(3):
                own = slice(gate * size, (gate + 1) * size)
                of_input, of_hidden = sums[gate], sums[gate if gate < 2 else 3]
                add_product(given, of_input, input_weight[own])
                add_product(total, of_hidden, weight[own])
                add_product(grad_input_weight[own], of_input.T, fed)
                add_product(grad_weight[own], of_hidden.T, before)
            scatter(grad_x, given, first[begin:], t * stride)
            for gate in range(4):
                add_rows(grad_biases[gate], sums[gate])
