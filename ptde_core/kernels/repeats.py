"""Rows that repeat most of the row before them: only what has changed is kept."""

import numpy as np

from ptde_core.kernels.bits import lowest_one
from ptde_core.kernels.compile import Array, entry


@entry
def write_views(changed: Array, values: Array, obs: Array, state: Array) -> None:
    """Each number of a view: the next of `values` where its bit in `changed` is set, or else that of the view before.

    Args:
        changed: (R, (W + S) / 64 rounded up) uint64, a bit for each number, the lowest first.
        values: (V,) float32, as many as bits are set.
        obs: (R, W) float32, written: the first numbers of each view.
        state: (R, S) float32, written: the others. Before the first view, all are 0.
    """
    of_obs = obs.shape[1]
    view, done, one = np.zeros(64 * changed.shape[1], np.float32), 0, np.uint64(1)
    for r in range(len(obs)):
        for word in range(changed.shape[1]):
            bits = changed[r, word]
            while bits:
                view[64 * word + lowest_one(bits)] = values[done]
                done += 1
                bits &= bits - one
        obs[r] = view[:of_obs]
        state[r] = view[of_obs : of_obs + state.shape[1]]
