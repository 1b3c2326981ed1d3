"""Fully connected layers y = f(x W^T + b) and their gradients; and the squared error of a two-layer network."""

# ruff: noqa: D417  (shapes are told of what needs telling)

import numpy as np

from ptde_core.kernels.compile import Array, entry, inner
from ptde_core.kernels.data import add_data_product, add_turned_data_product, look_at, room
from ptde_core.kernels.products import BLOCK, add_product
from ptde_core.kernels.rows import add_rows, copy, repeat, turn

Arrays = tuple[Array, ...]  # one for each of several layers
Codes = tuple[int, ...]

PLAIN, RELU, LEAKY_RELU = 0, 1, 2
LEAK = np.float32(0.01)


@inner
def apply(y: Array, slope: np.float32) -> None:
    """Leaky ReLU on y (r, m), in place: negative numbers are multiplied by the slope."""
    for row in range(len(y)):
        values = y[row]
        for k in range(len(values)):
            values[k] = values[k] if values[k] > np.float32(0.0) else values[k] * slope


@entry
def layers(x: Array, turned: Arrays, bias: Arrays, functions: Codes, one_hot: int, y: Arrays) -> None:
    """Several layers on the same input: for each, y (R, m) = function(x (R, k) @ turned (k, m) + bias (m,)).

    The last `one_hot` columns of x are one-hots, mostly zeros.
    """
    block = room(x.shape[1], one_hot)
    for start in range(0, len(x), BLOCK):
        fed = x[start : start + BLOCK]
        look_at(fed, block)
        for k in range(len(y)):
            out = y[k][start : start + BLOCK]
            repeat(out, bias[k])
            add_data_product(out, fed, turned[k], block)
            if functions[k] != PLAIN:
                apply(out, np.float32(0.0) if functions[k] == RELU else LEAK)


@entry
def layers_gradients(
    x: Array, weight: Arrays, y: Arrays, functions: Codes, one_hot: int, grad_y: Arrays,
    grad_x: Array, grad_weight: Arrays, grad_bias: Arrays,
) -> None:  # fmt: skip
    """Gradients of `layers`: of x (R, k), unless `grad_x` has no rows, and of each weight (m, k) and bias (m,).

    Gradients of weights are overwritten; those of biases are added to, so they must hold zeros.
    """
    inputs, outputs = x.shape[1], 0
    for k in range(len(weight)):
        outputs += len(weight[k])
    work, sums = np.empty(BLOCK * outputs, np.float32), np.zeros(inputs * outputs, np.float32)
    block = room(inputs, one_hot)
    for start in range(0, len(x), BLOCK):
        fed = x[start : start + BLOCK]
        look_at(fed, block)
        if len(grad_x):
            grad_x[start : start + BLOCK] = np.float32(0.0)
        done = 0
        for k in range(len(weight)):
            size = len(weight[k])
            before = work[: len(fed) * size].reshape((len(fed), size))  # gradient of the function's input
            _before_function(before, grad_y[k][start : start + BLOCK], y[k][start : start + BLOCK], functions[k])
            if len(grad_x):
                add_product(grad_x[start : start + BLOCK], before, weight[k])
            own = sums[inputs * done : inputs * (done + size)].reshape((inputs, size))
            add_turned_data_product(own, fed, before, block)
            add_rows(grad_bias[k], before)
            done += size
    done = 0
    for k in range(len(weight)):
        size = len(weight[k])
        turn(grad_weight[k], sums[inputs * done : inputs * (done + size)].reshape((inputs, size)))
        done += size


@inner
def _before_function(before: Array, upstream: Array, y: Array, function: int) -> None:
    """Backpropagate through a layer's function: from the gradient (r, m) of its output to that of its input."""
    if function == PLAIN:
        copy(before, upstream)  # numba takes seconds to compile an assignment of arrays
        return
    slope = np.float32(0.0) if function == RELU else LEAK
    for row in range(len(before)):
        own, given, values = before[row], upstream[row], y[row]
        for k in range(len(own)):
            own[k] = given[k] if values[k] > np.float32(0.0) else given[k] * slope


@entry
def regression(
    x: Array, y: Array, first: Array, first_bias: Array, second: Array, second_bias: Array, scale: float,
    grad_first: Array, grad_first_bias: Array, grad_second: Array, grad_second_bias: Array,
) -> float:  # fmt: skip
    """Squared error of a two-layer network, and its gradients.

    error = second relu(first x + b) + c - y. Returned is the sum of error^2; the gradients are those of
    scale / 2 * that sum.

    Args:
        x: (R, L).
        y: (R, Z).
        first: (H, L) weights, second (Z, H), each with its bias.
        scale: factor of the gradients, which are overwritten.
    """
    hidden, outputs = second.shape[1], len(second)
    turned, second_turned = np.empty((x.shape[1], hidden), np.float32), np.empty((hidden, outputs), np.float32)
    turn(turned, first)
    turn(second_turned, second)
    between, back = np.empty((BLOCK, hidden), np.float32), np.empty((BLOCK, hidden), np.float32)
    errors = np.empty((BLOCK, outputs), np.float32)
    zero, factor = np.float32(0.0), np.float32(scale)
    grad_first[:], grad_second[:], grad_first_bias[:], grad_second_bias[:] = zero, zero, zero, zero
    total = np.float64(0.0)
    for start in range(0, len(x), BLOCK):
        fed, wanted = x[start : start + BLOCK], y[start : start + BLOCK]
        passed, error, given = between[: len(fed)], errors[: len(fed)], back[: len(fed)]
        repeat(passed, first_bias)
        add_product(passed, fed, turned)
        for row in range(len(fed)):
            for k in range(hidden):
                passed[row, k] = max(passed[row, k], zero)
        repeat(error, second_bias)
        add_product(error, passed, second_turned)
        for row in range(len(fed)):
            squares = zero
            for k in range(outputs):
                error[row, k] -= wanted[row, k]
                squares += error[row, k] * error[row, k]
            total += np.float64(squares)
            for k in range(outputs):
                error[row, k] *= factor
        add_product(grad_second, error.T, passed)
        add_rows(grad_second_bias, error)
        given[:] = zero
        add_product(given, error, second)
        for row in range(len(fed)):
            for k in range(hidden):
                given[row, k] = given[row, k] if passed[row, k] > zero else zero
        add_product(grad_first, given.T, fed)
        add_rows(grad_first_bias, given)
    return total
