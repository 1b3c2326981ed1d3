"""Learning curves of several training seeds as one: the median and the quartiles, over env steps they all share."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

POINTS = 100_000  # most multiples of the distance between tests; the longest published training has a thousand
ENOUGH_FOR_QUARTILES = 3  # seeds; of two, the quartiles would only be the two again, moved closer


@dataclass(frozen=True)
class SeedCurve:
    """What one training seed's tests gave; `env_steps` rise.

    Args:
        env_steps: (K,) when it was tested.
        values: (K,) what the tests gave.
    """

    env_steps: NDArray[np.float64]
    values: NDArray[np.float64]


@dataclass(frozen=True)
class CurveOverSeeds:
    """All seeds of one algorithm.

    Args:
        env_steps: (G,) multiples of the distance between tests.
        seeds: (G,) how many have data there; it falls where a training is shorter, or has not come that far.
        median: (G,) of those.
        low, high: (G,) their quartiles; NaN where fewer than `ENOUGH_FOR_QUARTILES` have data.
    """

    env_steps: NDArray[np.float64]
    seeds: NDArray[np.intp]
    median: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def why_too_long(env_steps: float, every: int) -> str:
    """Why a curve up to these env steps, tested at every multiple of `every`, has too many points; "" if it has not."""
    if env_steps // every <= POINTS:
        return ""
    return f"it says {env_steps:,.0f} env steps with a test every {every:,}, and at most {POINTS:,} tests are drawn"


def over_seeds(curves: Sequence[SeedCurve], every: int) -> CurveOverSeeds:
    """Median and quartiles over seeds at every multiple of `every` env steps that any seed has reached.

    Seeds are tested at slightly different steps (an episode is played to its end), so each is read between its two
    tests around a multiple, on a straight line. It is never read before its first test, nor beyond its last.

    Args:
        curves: one per seed, each with at least one test.
        every: env steps between tests.

    Raises:
        ValueError: no curve at all, none that reaches from one multiple to the next, or one of too many points
            (`why_too_long`).
    """
    last = max((curve.env_steps[-1] for curve in curves), default=0.0)
    if why := why_too_long(last, every):
        raise ValueError(why)
    grid = every * np.arange(1, int(last // every) + 1, dtype=float)  # (G,)
    read = [np.interp(grid, curve.env_steps, curve.values, left=np.nan, right=np.nan) for curve in curves]
    values = np.stack(read) if read else np.zeros((0, 0))  # (seeds, G)
    reached = ~np.isnan(values).all(axis=0)  # (G,)
    if not reached.any():
        raise ValueError(f"no seed has come as far as {every} env steps")
    grid, values = grid[reached], values[:, reached]
    seeds = (~np.isnan(values)).sum(axis=0)
    low, median, high = np.nanquantile(values, [0.25, 0.5, 0.75], axis=0)
    few = seeds < ENOUGH_FOR_QUARTILES
    return CurveOverSeeds(grid, seeds, median, np.where(few, np.nan, low), np.where(few, np.nan, high))
