"""Sums over what follows in time."""

from ptde_core.base.kernels.compile import Array, entry


@entry
def add_weighted(weights: Array, sums: Array) -> None:
    """Backwards in time, sums[:, t] += weights[:, t] * sums[:, t+1]: weights (B, T, M), sums (B, T+1, M)."""
    for row in range(len(sums)):
        for t in range(weights.shape[1] - 1, -1, -1):
            for k in range(weights.shape[2]):
                sums[row, t, k] += weights[row, t, k] * sums[row, t + 1, k]
