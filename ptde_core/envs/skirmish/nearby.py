"""Who may be near a point: a set of units, one bit each, found in single precision for several units at a time.

Nobody who is near is missing, somebody who is not may be among them: who asks looks at those again.
"""

import math

import numpy as np
from numpy.typing import NDArray

from ptde_core.envs.skirmish.compiled import kernel
from ptde_core.envs.skirmish.fields import ALIVE, X, Y
from ptde_core.envs.skirmish.map_constants import Reals, Wholes
from ptde_core.envs.skirmish.scratch import Scratch
from ptde_core.envs.skirmish.vectors import WORD, bits_within
from ptde_core.kernels.products import LANES


@kernel
def note_places(real: Reals, whole: Wholes, scratch: Scratch) -> None:
    """Note where all units of a battle are; who moves or dies is to be noted again (`note_place`, `forget_place`)."""
    for i in range(real.shape[1]):
        scratch.xs[i] = real[X, i] if whole[ALIVE, i] == 1 else math.inf
        scratch.ys[i] = real[Y, i]


@kernel
def note_place(real: Reals, scratch: Scratch, i: int) -> None:
    """Note where a living unit is."""
    scratch.xs[i], scratch.ys[i] = real[X, i], real[Y, i]


@kernel
def forget_place(scratch: Scratch, i: int) -> None:
    """Note that a unit is dead."""
    scratch.xs[i] = math.inf


@kernel
def may_be_within(
    scratch: Scratch, squares: NDArray[np.float32], first: int, end: int, x: float, y: float
) -> np.uint64:
    """Bit k: whether unit `first` + k lives and may be nearer to (x, y) than the root of its square.

    Args:
        scratch: where the units are.
        squares: (W,) a row of `MapTables.rough`.
        first: a multiple of WORD.
        end: units from here on are not asked for; some of them may be found.
        x: of the point.
        y: of the point.
    """
    found, px, py = np.uint64(0), np.float32(x), np.float32(y)
    xs, ys, limits = (scratch.xs.ctypes.data, scratch.ys.ctypes.data, squares.ctypes.data)
    for k in range(0, min(WORD, end - first), LANES):
        place = 4 * (first + k)
        found |= np.uint64(bits_within(xs + place, ys + place, limits + place, px, py)) << np.uint64(k)
    return found
