"""A policy's memory of several environments (`Policy.step`): joined, split, and that of some of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def joined(memories: Sequence[Any]) -> Any:
    """The memory of k environments, from those of each.

    Args:
        memories: each None, a tensor (1, ...), or a named tuple of such tensors; all of one kind.
    """
    first = memories[0]
    if len(memories) == 1 or first is None:
        return first
    if isinstance(first, Tensor):
        return torch.cat(list(memories))
    return type(first)(*(joined(parts) for parts in zip(*memories, strict=True)))


def split(memory: Any, count: int) -> list[Any]:
    """The memories of each of `count` environments: the inverse of `joined`."""
    if count == 1 or memory is None:
        return [memory] * count
    if isinstance(memory, Tensor):
        return [memory[k : k + 1] for k in range(count)]
    return [type(memory)(*parts) for parts in zip(*(split(part, count) for part in memory), strict=True)]


def of_rows(memory: Any, which: NDArray[np.bool_]) -> Any:
    """The memory of those of its environments (k,) for which `which` is True."""
    if memory is None:
        return None
    if isinstance(memory, Tensor):
        return memory[torch.from_numpy(which)]
    return type(memory)(*(of_rows(part, which) for part in memory))
