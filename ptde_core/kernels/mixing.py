"""QMIX's mixer: the team's value from the agents' values, and its gradients."""

# ruff: noqa: D417  (shapes are told of what needs telling)

import numpy as np

from ptde_core.kernels.compile import Array, entry
from ptde_core.kernels.functions import ONE, exp


@entry
def mix(values: Array, first: Array, bias: Array, second: Array, offset: Array, hidden: Array, team: Array) -> None:
    """Team values (R,) from values (R, N): elu(values . |first| + bias) . |second| + offset.

    Args:
        first: (R, N, M).
        bias, second: (R, M).
        offset: (R,).
        hidden: (R, M), overwritten with the input of the ELU, for `mix_gradients`.
    """
    rows, agents, width = first.shape
    for row in range(rows):
        sums = hidden[row]
        for k in range(width):
            sums[k] = bias[row, k]
        for agent in range(agents):
            value, weights = values[row, agent], first[row, agent]
            for k in range(width):
                sums[k] += value * abs(weights[k])
        total = offset[row]
        for k in range(width):
            x = sums[k]
            below = exp(x) - ONE
            total += (x if x > np.float32(0.0) else below) * abs(second[row, k])
        team[row] = total


@entry
def mix_gradients(
    values: Array,
    first: Array,
    second: Array,
    hidden: Array,
    grad_team: Array,
    grad_values: Array,
    grad_first: Array,
    grad_bias: Array,
    grad_second: Array,
) -> None:
    """Gradients of all inputs of `mix`; that of the offset is `grad_team` itself."""
    rows, agents, width = first.shape
    zero = np.float32(0.0)
    for row in range(rows):
        given, sums, own, of_second = grad_team[row], hidden[row], grad_bias[row], grad_second[row]
        for k in range(width):
            x, weight = sums[k], second[row, k]
            power = exp(x)
            of_second[k] = given * (x if x > zero else power - ONE) * np.sign(weight)
            own[k] = given * abs(weight) * (ONE if x > zero else power)
        for agent in range(agents):
            value, weights, of_first = values[row, agent], first[row, agent], grad_first[row, agent]
            total = zero
            for k in range(width):
                of_first[k] = own[k] * value * np.sign(weights[k])
            for k in range(width):
                total += own[k] * abs(weights[k])
            grad_values[row, agent] = total
