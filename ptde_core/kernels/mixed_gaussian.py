"""The Gaussian of light information: its hidden layer is mixed for every agent of parts that all share.

Mixing, activation, both heads and the sample are made while the agents' rows are in the cache; nothing but sigma and z
is written, and the hidden layer is mixed again for the gradients.
"""

# ruff: noqa: D417  (shapes are told of what needs telling)

import numpy as np

from ptde_core.kernels.compile import Array, entry, inner
from ptde_core.kernels.data import add_data_product, look_at, room
from ptde_core.kernels.functions import exp
from ptde_core.kernels.layer_kernels import LEAK, apply
from ptde_core.kernels.products import BLOCK, add_product
from ptde_core.kernels.rows import add_rows, repeat, turn


@inner
def _mixed(x: Array, shared: Array, factors: Array) -> None:
    """X (r * N, W) = leaky relu(shared_0 + sum_k factors_k shared_k), of a few rows r of the state."""
    agents, rank = factors.shape[1], factors.shape[2]
    width = x.shape[1]
    for row in range(len(shared)):
        own = x[row * agents : (row + 1) * agents]
        repeat(own, shared[row, :width])
        add_product(own, factors[row], shared[row, width:].reshape((rank, width)))
    apply(x, LEAK)


@inner
def _sampled(
    shared: Array, factors: Array, turned: Array, bias: Array, floor: float, noise: Array,
    sigma: Array, z: Array,
) -> None:  # fmt: skip
    """What `mixed_gaussian` says."""
    agents, size = z.shape[1], z.shape[2]
    group, lowest = max(1, BLOCK // agents), np.float32(floor)
    hidden = np.empty((group * agents, len(turned)), np.float32)
    both = np.empty((group * agents, 2 * size), np.float32)
    for begin in range(0, len(shared), group):
        count = min(group, len(shared) - begin) * agents
        x, out = hidden[:count], both[:count]
        _mixed(x, shared[begin : begin + group], factors[begin : begin + group])
        repeat(out, bias)
        add_product(out, x, turned)
        for k in range(count):
            row, agent = begin + k // agents, k % agents
            deviation, drawn, made = sigma[row, agent], z[row, agent], out[k]
            for j in range(size):
                variance = exp(made[size + j])
                deviation[j] = np.sqrt(variance if variance > lowest else lowest)
            if len(noise):
                chance = noise[row, agent]
                for j in range(size):
                    drawn[j] = made[j] + deviation[j] * chance[j]
            else:
                for j in range(size):
                    drawn[j] = made[j]


@entry
def mixed_gaussian(
    shared: Array, factors: Array, turned: Array, bias: Array, floor: float, noise: Array,
    sigma: Array, z: Array,
) -> None:  # fmt: skip
    """Sigma and z = mean + sigma * noise, written; the mean itself if `noise` has no rows.

    Args:
        shared: (R, (k+1)*W), first what all agents share, then what each agent mixes by its factors.
        factors: (R, N, k).
        turned: (W, 2Z) the heads' weights, transposed: of the mean, then of the variance's logarithm.
        bias: (2Z,).
        floor: of the variance.
        noise: (R, N, Z), or (0, N, Z).
        sigma: (R, N, Z), written, as is z (R, N, Z).
    """
    _sampled(shared, factors, turned, bias, floor, noise, sigma, z)


@entry
def inform_lightly(
    local: Array, state: Array, one_hot: int, noise: Array,
    encode: Array, encode_bias: Array, hidden: Array, hidden_bias: Array, mix: Array,
    weights: Array, weights_bias: Array, turned: Array, bias: Array, floor: float,
    z: Array,
) -> None:  # fmt: skip
    """Light information of a step of play, all of it in one call: its rows are few.

    Args:
        local: (E, N, L).
        state: (E, S).
        one_hot: how many of the state's last numbers are mostly zeros.
        noise: (E, N, Z) standard normals, or (0, N, Z) for the mean.
        encode, hidden, mix, weights: (S, K), (L, W), (W, k), (K, (k+1)*W) weights, transposed.
        turned, bias, floor: as for `mixed_gaussian`.
        z: (E, N, Z), written.
    """
    envs, agents = local.shape[0], local.shape[1]
    features, shared = np.empty((BLOCK, len(encode_bias)), np.float32), np.empty((envs, len(weights_bias)), np.float32)
    block = room(state.shape[1], one_hot)
    for begin in range(0, envs, BLOCK):
        seen, parts = state[begin : begin + BLOCK], shared[begin : begin + BLOCK]
        made = features[: len(seen)]
        look_at(seen, block)
        repeat(made, encode_bias)
        add_data_product(made, seen, encode, block)
        apply(made, np.float32(0.0))
        repeat(parts, weights_bias)
        add_product(parts, made, weights)
    first = np.empty((agents, len(hidden_bias)), np.float32)
    factors = np.zeros((envs, agents, mix.shape[1]), np.float32)
    for env in range(envs):
        repeat(first, hidden_bias)
        add_product(first, local[env], hidden)
        apply(first, np.float32(0.0))
        add_product(factors[env], first, mix)
    _sampled(shared, factors, turned, bias, floor, noise, np.empty(z.shape, np.float32), z)


@entry
def mixed_gaussian_gradients(
    shared: Array, factors: Array, weight: Array, floor: float, noise: Array, sigma: Array, grad_z: Array,
    grad_shared: Array, grad_factors: Array, grad_turned: Array, grad_bias: Array,
) -> None:  # fmt: skip
    """Gradients of shared and factors, written, and of turned and bias, added to.

    `weight` (2Z, W) is `turned` as layers hold it; `sigma` as `mixed_gaussian` has left it.
    """
    agents, size, rank, width = grad_z.shape[1], grad_z.shape[2], factors.shape[2], weight.shape[1]
    group, lowest, half, zero = max(1, BLOCK // agents), np.sqrt(np.float32(floor)), np.float32(0.5), np.float32(0.0)
    hidden = np.empty((group * agents, width), np.float32)
    both, back = np.empty((group * agents, 2 * size), np.float32), np.empty((group * agents, width), np.float32)
    across, turned = np.empty((width, agents), np.float32), np.empty((rank, agents), np.float32)
    for begin in range(0, len(shared), group):
        rows = min(group, len(shared) - begin)
        count = rows * agents
        x, upstream, before = hidden[:count], both[:count], back[:count]
        _mixed(x, shared[begin : begin + group], factors[begin : begin + group])
        for k in range(count):
            row, agent = begin + k // agents, k % agents
            deviation, chance, given, own = sigma[row, agent], noise[row, agent], grad_z[row, agent], upstream[k]
            for j in range(size):
                own[j] = given[j]
            for j in range(size):
                slope = half * deviation[j] * chance[j] * given[j]
                own[size + j] = slope if deviation[j] > lowest else zero
        add_product(grad_turned, x.T, upstream)
        add_rows(grad_bias, upstream)
        before[:] = zero
        add_product(before, upstream, weight)
        for k in range(count):
            values, slopes = x[k], before[k]
            for j in range(width):
                slopes[j] = slopes[j] if values[j] > zero else slopes[j] * LEAK
        for k in range(rows):
            own, of_shared = before[k * agents : (k + 1) * agents], grad_shared[begin + k]
            of_shared[:] = zero
            add_rows(of_shared[:width], own)
            add_product(of_shared[width:].reshape((rank, width)), factors[begin + k].T, own)
            turn(across, own)
            turned[:] = zero
            add_product(turned, shared[begin + k, width:].reshape((rank, width)), across)
            turn(grad_factors[begin + k], turned)
