"""Fully connected layers y = f(x W^T + b), their gradients, and the regression of two such layers."""

# ruff: noqa: D417  (shapes are told of what needs telling)

import numpy as np

from ptde_core.base.kernels.compile import Array, entry, inner
from ptde_core.base.kernels.data import add_data_product, add_turned_data_product, look_at, room
from ptde_core.base.kernels.products import BLOCK, add_product
from ptde_core.base.kernels.rounded import add_product_in
from ptde_core.base.kernels.rows import add_rows, copy, repeat, turn

PLAIN, RELU, LEAKY_RELU = 0, 1, 2
LEAK = np.float32(0.01)


@inner
def apply(y: Array, slope: np.float32) -> None:
    """To y (r, m), in place: what is negative is multiplied by the slope."""
    for row in range(len(y)):
        values = y[row]
        for k in range(len(values)):
            values[k] = values[k] if values[k] > np.float32(0.0) else values[k] * slope


@entry
def layer(x: Array, turned: Array, bias: Array, function: int, one_hot: int, pairs: Array | None, y: Array) -> None:
    """Y (R, m) = function(x (R, k) @ turned (k, m) + bias (m,)); the last `one_hot` inputs are mostly zeros."""
    block = room(x.shape[1], one_hot, pairs)
    for start in range(0, len(x), BLOCK):
        fed, out = x[start : start + BLOCK], y[start : start + BLOCK]
        look_at(fed, block)
        repeat(out, bias)
        add_data_product(out, fed, turned, block)
        if function != PLAIN:
            apply(out, np.float32(0.0) if function == RELU else LEAK)


@entry
def layer_of_two(x: Array, other: Array, turned: Array, bias: Array, pairs: Array | None, y: Array) -> None:
    """Y (R, m) = x (R, j) and other (R, k), side by side, @ turned (j + k, m) + bias (m,)."""
    first = x.shape[1]
    for start in range(0, len(x), BLOCK):
        out = y[start : start + BLOCK]
        repeat(out, bias)
        add_product_in(out, x[start : start + BLOCK], turned[:first], pairs)
        add_product_in(out, other[start : start + BLOCK], turned[first:], pairs)


@entry
def layer_gradients(
    x: Array, weight: Array, y: Array, function: int, one_hot: int, pairs: Array | None, grad_y: Array,
    grad_x: Array, grad_weight: Array, grad_bias: Array,
) -> None:  # fmt: skip
    """Gradients of a layer: of x (R, k), or none if `grad_x` has no rows; of weight (m, k); of bias (m,), added to."""
    work, turned = np.empty((BLOCK, len(weight)), np.float32), np.zeros((x.shape[1], len(weight)), np.float32)
    block = room(x.shape[1], one_hot, pairs)
    for start in range(0, len(x), BLOCK):
        upstream = grad_y[start : start + BLOCK]
        before = work[: len(upstream)]  # gradient before the function
        if function == PLAIN:
            copy(before, upstream)  # numba takes seconds to compile an assignment of arrays
        else:
            slope = np.float32(0.0) if function == RELU else LEAK
            for row in range(len(before)):
                own, given, values = before[row], upstream[row], y[start + row]
                for k in range(len(own)):
                    own[k] = given[k] if values[k] > np.float32(0.0) else given[k] * slope
        if len(grad_x):
            out = grad_x[start : start + BLOCK]
            out[:] = np.float32(0.0)
            add_product_in(out, before, weight, pairs)
        fed = x[start : start + BLOCK]
        look_at(fed, block)
        add_turned_data_product(turned, fed, before, block)
        add_rows(grad_bias, before)
    turn(grad_weight, turned)


@entry
def regression(
    x: Array, y: Array, first: Array, first_bias: Array, second: Array, second_bias: Array, scale: float,
    grad_first: Array, grad_first_bias: Array, grad_second: Array, grad_second_bias: Array,
) -> float:  # fmt: skip
    """Of error = second relu(first x + b) + c - y: its squares' sum; and `scale` times half of that sum's gradients.

    Args:
        x: (R, L).
        y: (R, Z).
        first: (H, L) weights, second (Z, H), each with its bias.
        scale: what the gradients, which are written, are multiplied by.
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
