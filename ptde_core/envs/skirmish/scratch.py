"""Where one thread works while units walk: who is near the one whose turn it is, and what stands in its way."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ptde_core.kernels.products import LANES

BLOCK_X, BLOCK_Y, BLOCK_SQUARE, BLOCKS = range(4)  # of each blocker: where it stands, seen from the unit; squared gap
ROUGH_X, ROUGH_Y, ROUGH_FROM, ROUGH_LEFT, ROUGH_RIGHT, ROUGHS = range(6)
# the same and how far along a way a blocker must lie to stand in it; excesses of the bends to each side
STANDS, YIELDS, WALKS_ON = range(3)  # what a unit does about a friend that comes its way: nothing, steps aside, walks
BENDS = 8  # bends tried on each side

_LINE = 64  # bytes of a cache line


class Scratch(NamedTuple):
    """Room for U units; single precision where a question is only whether the exact answer is in doubt."""

    xs: NDArray[np.float32]  # (W,) where every unit is, rounded; infinite for the dead; no limit reaches those beyond U
    ys: NDArray[np.float32]  # (W,)
    kinds: NDArray[np.int64]  # (U,) STANDS, YIELDS or WALKS_ON, and 4 more if it is on the second side
    near: NDArray[np.uint16]  # (U,) indices of units nearby (unsigned: no index counts from the end)
    block: NDArray[np.float64]  # (BLOCKS, U)
    rough: NDArray[np.float32]  # (ROUGHS, at least U and BENDS)


def scratch(units: int) -> Scratch:
    """For one thread."""
    wide = padded(units)
    return Scratch(
        xs=_apart(np.float32, wide),
        ys=_apart(np.float32, wide),
        kinds=_apart(np.int64, units),
        near=_apart(np.uint16, units),
        block=_apart(np.float64, BLOCKS, units),
        rough=_apart(np.float32, ROUGHS, max(units, BENDS)),
    )


def padded(units: int) -> int:
    """W: the smallest multiple of a vector's floats that is not below U."""
    return -(-units // LANES) * LANES


def _apart(kind: type, *shape: int) -> NDArray[Any]:
    """An array of zeros, with a cache line at both ends that no other thread writes to."""
    line = _LINE // np.dtype(kind).itemsize
    return np.zeros(math.prod(shape) + 2 * line, kind)[line:-line].reshape(shape)
