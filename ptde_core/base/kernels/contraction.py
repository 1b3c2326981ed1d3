"""Agent-specific weights: g = sum_k a_k (s . M_k), with s . M shared by the agents of a row."""

import numpy as np

from ptde_core.base.kernels.compile import Array, entry
from ptde_core.base.kernels.data import add_data_product, add_turned_data_product, look_at, room
from ptde_core.base.kernels.products import BLOCK, add_product
from ptde_core.base.kernels.rows import turn


@entry
def contraction(state: Array, one_hot: int, a: Array, m: Array, shared: Array, g: Array) -> None:
    """g[r, n, z] = sum_k a[r, n, k] sum_s state[r, s] m[s, k, z].

    Args:
        state: (R, S).
        one_hot: how many of the state's last numbers are mostly zeros.
        a: (R, N, K).
        m: (S, K*Z + any number of columns that are not used).
        shared: (R, as m), written: state . m for `contraction_gradients`; or `BLOCK` rows of it, used again and again.
        g: (R, N, Z), written.
    """
    rows, _, factors = a.shape
    size = g.shape[2]
    block = room(state.shape[1], one_hot)
    for begin in range(0, rows, BLOCK):
        count = min(BLOCK, rows - begin)
        own = shared[begin : begin + count] if len(shared) >= rows else shared[:count]
        used = own[:, : factors * size]
        used[:] = np.float32(0.0)
        part = state[begin : begin + count]
        look_at(part, block)
        add_data_product(used, part, m[:, : factors * size], block)
        for k in range(count):
            mixed = g[begin + k]
            mixed[:] = np.float32(0.0)
            add_product(mixed, a[begin + k], own[k, : factors * size].reshape((factors, size)))


@entry
def contraction_gradients(
    state: Array, one_hot: int, a: Array, m: Array, shared: Array, grad_g: Array, grad_a: Array, grad_m: Array
) -> None:
    """Gradients of a, written, and of m, added. `shared` holds all rows; or room for a block, and is made anew."""
    rows, agents, factors = a.shape
    size, width = grad_g.shape[2], m.shape[1]
    given, turned = np.empty((BLOCK, width), np.float32), np.empty((factors, agents), np.float32)
    upstream = np.empty((size, agents), np.float32)
    block = room(state.shape[1], one_hot)
    for begin in range(0, rows, BLOCK):
        count = min(BLOCK, rows - begin)
        part, own = (
            state[begin : begin + count],
            shared[begin : begin + count] if len(shared) >= rows else shared[:count],
        )
        look_at(part, block)
        if len(shared) < rows:
            used = own[:, : factors * size]
            used[:] = np.float32(0.0)
            add_data_product(used, part, m[:, : factors * size], block)
        for k in range(count):
            turn(upstream, grad_g[begin + k])
            turned[:] = np.float32(0.0)
            add_product(turned, own[k, : factors * size].reshape((factors, size)), upstream)
            turn(grad_a[begin + k], turned)
            of_shared = given[k, : factors * size].reshape((factors, size))
            of_shared[:] = np.float32(0.0)
            add_product(of_shared, a[begin + k].T, grad_g[begin + k])
        add_turned_data_product(grad_m[:, : factors * size], part, given[:count, : factors * size], block)
