"""Sums over what follows in time."""

from ptde_core.kernels.compile import Array, entry


@entry
def add_weighted(weights: Array, sums: Array) -> None:
    """Backwards in time, sums[t] += weights[t] * sums[t+1]: both (T, M); nothing follows the last."""
    for t in range(len(sums) - 2, -1, -1):
        for k in range(sums.shape[1]):
            sums[t, k] += weights[t, k] * sums[t + 1, k]
