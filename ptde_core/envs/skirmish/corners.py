"""The corners of a map's walls, where ways around them bend."""

import numpy as np
from numpy.typing import NDArray


def wall_corners(floor: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Centres (K, 2) of the floor cells diagonal to a convex wall corner, sorted: where a path around it bends.

    Args:
        floor: (width, height), where anyone can walk.
    """
    width, height = floor.shape
    squares = np.stack([floor[x : width - 1 + x, y : height - 1 + y] for x in (0, 1) for y in (0, 1)])
    which, west, south = np.nonzero(~squares & (squares.sum(axis=0) == 3))  # the one wall of four cells
    opposite = np.stack([west + 1.5 - which // 2, south + 1.5 - which % 2], axis=1)  # (.., 2)
    return np.unique(opposite, axis=0).reshape(-1, 2)
