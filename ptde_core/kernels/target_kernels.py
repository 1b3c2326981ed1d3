"""Sums backwards in time, as the recursions of TD(lambda) targets and advantages need them."""

from ptde_core.kernels.compile import Array, entry


@entry
def add_weighted(weights: Array, sums: Array) -> None:
    """From the last step back: sums[t] += weights[t] * sums[t+1]. Both are (T, M); the last step is left as it is."""
    for t in range(len(sums) - 2, -1, -1):
        for k in range(sums.shape[1]):
            sums[t, k] += weights[t, k] * sums[t + 1, k]
