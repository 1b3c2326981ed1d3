"""One step of play: the forward pass of all agents' networks in one call.

A step has few rows, so that the overhead of calling torch layer by layer is several times the computation itself.
"""

# ruff: noqa: D417  (shapes are told of what needs telling)

import numpy as np

from ptde_core.kernels.compile import Array, entry, inner
from ptde_core.kernels.data import add_data_product, look_at, room
from ptde_core.kernels.functions import ONE, exp
from ptde_core.kernels.gru_kernels import advance
from ptde_core.kernels.layer_kernels import LEAK, apply
from ptde_core.kernels.products import BLOCK, add_product
from ptde_core.kernels.rows import repeat

_ZERO = np.float32(0.0)


@inner
def _small_layer(x: Array, turned: Array, bias: Array, slope: np.float32, y: Array) -> None:
    """Y (r, m) = x (r, k) @ turned (k, m) + bias, then leaky ReLU: negative numbers are multiplied by `slope`."""
    repeat(y, bias)
    add_product(y, x, turned)
    apply(y, slope)


@entry
def act(
    local: Array, z: Array,
    encode: Array, encode_bias: Array, inputs: Array, turned: Array, biases: Array,
    features: Array, features_bias: Array, head: Array, head_bias: Array,
    memory: Array, values: Array,
) -> None:  # fmt: skip
    """Action values from local inputs, and one step of the agents' GRU.

    Args:
        local: (R, L), a row per environment and agent.
        z: (R, Z) information; (R, 0) for a head without.
        encode, inputs, turned, features, head: (L, I), (I, 3H), (H, 3H), (H, F), (F+Z, A) weights, transposed; without
            information `features` has no rows and the head reads the hidden state itself.
        biases: (4, H), as for `gru`.
        memory: (R, H) hidden states, overwritten with those after the step.
        values: (R, A), written.
    """
    size, wide = memory.shape[1], len(head) - z.shape[1]
    feed, work = np.empty((BLOCK, len(encode_bias)), np.float32), np.empty((4 * BLOCK, size), np.float32)
    passed = np.empty((BLOCK, wide), np.float32)
    for begin in range(0, len(local), BLOCK):
        hidden, out = memory[begin : begin + BLOCK], values[begin : begin + BLOCK]
        count = len(hidden)
        fed = feed[:count]
        _small_layer(local[begin : begin + BLOCK], encode, encode_bias, _ZERO, fed)
        advance(work[: 4 * count].reshape((4, count, size)), fed, hidden, inputs, turned, biases)
        repeat(out, head_bias)
        if len(features):
            _small_layer(hidden, features, features_bias, _ZERO, passed[:count])
            add_product(out, passed[:count], head[:wide])
            add_product(out, z[begin : begin + BLOCK], head[wide:])
        else:
            add_product(out, hidden, head)


@entry
def inform(
    local: Array, state: Array, one_hot: int, noise: Array,
    m: Array, hidden: Array, hidden_bias: Array, own: Array, own_bias: Array,
    mean: Array, mean_bias: Array, mean_out: Array, mean_out_bias: Array,
    deviation: Array, deviation_bias: Array, deviation_out: Array, deviation_out_bias: Array, floor: float,
    z: Array,
) -> None:  # fmt: skip
    """Agent-specific information z (equation 1): mean + sigma * noise, or the mean where `noise` has no rows.

    Args:
        local: (E, N, L).
        state: (E, S).
        one_hot: how many of the last numbers of the state are one-hots, mostly zeros.
        noise: (E, N, Z) standard normals, or (0, N, Z).
        m: (S, at least (H+1)*Z): the H matrices that a_i weights, then the one that all agents share.
        hidden: (L, H) weights of a_i's layer, transposed, as all that follow.
        own: (L, Z).
        mean, mean_out, deviation, deviation_out: (Z, Z) each.
        floor: lower bound of the variance.
        z: (E, N, Z), written.
    """
    agents, size = local.shape[1], z.shape[2]
    factors = len(hidden_bias)
    mixed = factors * size
    least = np.float32(floor)
    shared = np.zeros((len(state), mixed + size), np.float32)
    block = room(state.shape[1], one_hot)
    for begin in range(0, len(state), BLOCK):
        look_at(state[begin : begin + BLOCK], block)
        add_data_product(shared[begin : begin + BLOCK], state[begin : begin + BLOCK], m[:, : mixed + size], block)
    a = np.empty((agents, factors), np.float32)
    g, passed, out = np.empty((3, agents, size), np.float32)
    for env in range(len(state)):
        found = z[env]
        _small_layer(local[env], hidden, hidden_bias, _ZERO, a)
        _small_layer(local[env], own, own_bias, ONE, g)
        add_product(g, a, shared[env, :mixed].reshape((factors, size)))
        for agent in range(agents):
            for k in range(size):
                x = g[agent, k] + shared[env, mixed + k]
                g[agent, k] = x if x > _ZERO else exp(x) - ONE
        _small_layer(g, mean, mean_bias, LEAK, passed)
        _small_layer(passed, mean_out, mean_out_bias, ONE, found)
        if len(noise):
            _small_layer(g, deviation, deviation_bias, LEAK, passed)
            _small_layer(passed, deviation_out, deviation_out_bias, ONE, out)
            for agent in range(agents):
                for k in range(size):
                    found[agent, k] += np.sqrt(max(exp(out[agent, k]), least)) * noise[env, agent, k]
