"""Memory for arrays that are kept for long, apart from the heap, on which those of an update come and go.

On one heap (`base/machine_memory.py:keep_freed_memory`) the kept arrays come to lie between the others and
fragment it: free pieces get too small for a larger array, and the heap grows, update after update.
"""

import mmap
import sys
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

BLOCK = 16 * 2**20  # bytes
ALIGNED = 8  # bytes, of the widest numbers

Number = TypeVar("Number", bound=np.generic)


class Arena:
    """Arrays one after the other in blocks mapped from the system; a block goes back when its last array is gone.

    Made for arrays that are dropped in the order in which they came.

    Args:
        block: bytes of a block; a larger array gets one of its own size.
    """

    def __init__(self, block: int = BLOCK) -> None:
        self._block, self._rest = block, np.empty(0, np.uint8)

    def put(self, array: NDArray[Number]) -> NDArray[Number]:
        """A copy of the array, in C order."""
        size = -(-array.nbytes // ALIGNED) * ALIGNED
        if size > len(self._rest):
            self._rest = _mapped(max(self._block, size))
        own, self._rest = self._rest[: array.nbytes], self._rest[size:]
        copy: NDArray[Any] = own.view(array.dtype).reshape(array.shape)
        copy[...] = array
        return copy


def _mapped(size: int) -> NDArray[np.uint8]:
    """Memory of its own, in whole pages.

    Raises:
        MemoryError: there is none left.
    """
    private = {} if sys.platform == "win32" else {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS}
    try:
        return np.frombuffer(mmap.mmap(-1, size, **private), np.uint8)
    except OSError as error:
        raise MemoryError(f"{size} bytes cannot be mapped: {error}") from None
