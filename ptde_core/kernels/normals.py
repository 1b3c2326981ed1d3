"""A counter-based generator of standard normals: each depends on a key and its index alone, so threads can share them.

SplitMix (Steele, Lea and Flood, 2014) hashes key and index to 64 bits. These give two uniform numbers, and these two
normal ones (Box and Muller, 1958).
"""

import numpy as np

from ptde_core.kernels.compile import Array, entry
from ptde_core.kernels.functions import cosine, logarithm, sine

GOLDEN, FIRST, SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_GOLDEN, _FIRST, _SECOND = np.uint64(GOLDEN), np.uint64(FIRST), np.uint64(SECOND)
_S30, _S27, _S31, _S40, _S2, _MASK = (np.uint64(n) for n in (30, 27, 31, 40, 2, 0xFFFFFF))
_STEP, _QUARTER = np.float32(2.0**-24), np.float32(np.pi / 2)
_ZERO, _HALF, _TWO, _ODD, _SIGN = np.float32(0), np.float32(0.5), np.float32(2), np.uint64(1), np.uint64(2)


@entry
def normals(key: int, rows: Array, numbers: Array) -> None:
    """Standard normals (r, M): row k holds those of row number rows[k] (r,) int64. `key` is a uint64."""
    width = numbers.shape[1]
    pairs = (width + 1) // 2
    ones, others = np.empty(pairs, np.float32), np.empty(pairs, np.float32)
    for row in range(len(rows)):
        start = np.uint64(rows[row]) * np.uint64(pairs)
        for k in range(pairs):
            bits = (start + np.uint64(k)) * _GOLDEN + key
            bits = (bits ^ (bits >> _S30)) * _FIRST
            bits = (bits ^ (bits >> _S27)) * _SECOND
            bits = bits ^ (bits >> _S31)
            uniform = np.float32(np.int64(bits >> _S40) + 1) * _STEP  # above 0, up to 1
            radius = np.sqrt(-_TWO * logarithm(uniform))
            angle = (np.float32(np.int64((bits >> _S2) & _MASK)) * _STEP - _HALF) * _QUARTER
            x, y = radius * cosine(angle), radius * sine(angle)
            turned = (bits & _ODD) != np.uint64(0)  # rotated by 90 degrees
            x, y = (-y if turned else x), (x if turned else y)
            opposite = (bits & _SIGN) != np.uint64(0)
            ones[k], others[k] = (-x if opposite else x), (-y if opposite else y)
        own = numbers[row]
        for k in range(pairs):
            own[k] = ones[k]
        for k in range(width - pairs):
            own[pairs + k] = others[k]
