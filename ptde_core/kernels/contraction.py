"""Agent-specific weights: g = sum_k a_k (s . M_k) + s . M_K + offset. s . M is computed once for all agents."""

import numpy as np

from ptde_core.kernels.compile import Array, entry
from ptde_core.kernels.data import add_data_product, add_turned_data_product, look_at, room
from ptde_core.kernels.functions import ONE, exp
from ptde_core.kernels.products import BLOCK, add_product
from ptde_core.kernels.rows import copy, turn


@entry
def contraction(
    state: Array, one_hot: int, a: Array, m: Array, offset: Array, elu: bool,
    shared: Array, g: Array,
) -> None:  # fmt: skip
    """g[r, n, z] = offset[r, n, z] + sum_k a[r, n, k] sum_s state[r, s] m[s, k, z], with 1 for a[r, n, K].

    Args:
        state: (R, S).
        one_hot: how many of the last numbers of the state are one-hots, mostly zeros.
        a: (R, N, K).
        m: (S, at least (K+1)*Z); further columns are ignored.
        offset: (R, N, Z).
        elu: whether to apply ELU to g.
        shared: (R, as m), overwritten with state . m for `contraction_gradients`; or `BLOCK` rows as scratch space.
        g: (R, N, Z), written.
    """
    rows, agents, factors = a.shape
    size = g.shape[2]
    width = (factors + 1) * size
    block = room(state.shape[1], one_hot)
    for begin in range(0, rows, BLOCK):
        count = min(BLOCK, rows - begin)
        own = shared[begin : begin + count] if len(shared) >= rows else shared[:count]
        used = own[:, :width]
        used[:] = np.float32(0.0)
        part = state[begin : begin + count]
        look_at(part, block)
        add_data_product(used, part, m[:, :width], block)
        for k in range(count):
            mixed, base = g[begin + k], own[k, factors * size :]
            for agent in range(agents):
                values, given = mixed[agent], offset[begin + k, agent]
                for z in range(size):
                    values[z] = given[z] + base[z]
            add_product(mixed, a[begin + k], own[k, : factors * size].reshape((factors, size)))
            if elu:
                values = mixed.ravel()
                for z in range(len(values)):
                    below = exp(values[z]) - ONE
                    values[z] = values[z] if values[z] > np.float32(0.0) else below


@entry
def contraction_gradients(
    state: Array, one_hot: int, a: Array, elu: bool, shared: Array, g: Array,
    grad_g: Array, grad_a: Array, grad_m: Array, grad_offset: Array,
) -> None:  # fmt: skip
    """Gradients: those of a and offset are overwritten, that of m is added to.

    `shared`, all rows of state . m, and `g` are as `contraction` has left them.
    """
    rows, agents, factors = a.shape
    size = grad_g.shape[2]
    width = (factors + 1) * size
    given, turned = np.empty((BLOCK, shared.shape[1]), np.float32), np.empty((factors, agents), np.float32)
    upstream = np.empty((size, agents), np.float32)
    block = room(state.shape[1], one_hot)
    for begin in range(0, rows, BLOCK):
        count = min(BLOCK, rows - begin)
        part = state[begin : begin + count]
        own = shared[begin : begin + count]
        look_at(part, block)
        for k in range(count):
            before = grad_offset[begin + k]
            if elu:
                slopes, values, above = before.ravel(), g[begin + k].ravel(), grad_g[begin + k].ravel()
                for z in range(len(slopes)):
                    slopes[z] = above[z] if values[z] > np.float32(0.0) else above[z] * (values[z] + ONE)
            else:
                copy(before, grad_g[begin + k])
            turn(upstream, before)
            turned[:] = np.float32(0.0)
            add_product(turned, own[k, : factors * size].reshape((factors, size)), upstream)
            turn(grad_a[begin + k], turned)
            of_shared = given[k, :width].reshape((factors + 1, size))
            of_shared[:] = np.float32(0.0)
            add_product(of_shared[:factors], a[begin + k].T, before)
            total = of_shared[factors]
            for agent in range(agents):
                own_part = before[agent]
                for z in range(size):
                    total[z] += own_part[z]
        add_turned_data_product(grad_m[:, :width], part, given[:count, :width], block)
