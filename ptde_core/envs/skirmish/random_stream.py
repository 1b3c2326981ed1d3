"""The random stream of a battle: SplitMix64, one 64-bit counter per battle, so that nothing else can disturb it."""

import numpy as np
from numpy.typing import NDArray

from ptde_core.envs.skirmish.compiled import kernel

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_UNIT = 1.0 / 9007199254740992.0  # 2 ** -53


@kernel
def uniform(chance: NDArray[np.uint64], battle: int) -> float:
    """The next number in [0, 1) of a battle's stream; `chance` (E,) holds the counters."""
    chance[battle] = chance[battle] + _STEP
    z = chance[battle]
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    z = z ^ (z >> np.uint64(31))
    return float(z >> np.uint64(11)) * _UNIT
