"""What a policy remembers of several environments: joined for one step of all of them, parted to be kept for each."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def joined(memories: Sequence[Any]) -> Any:
    """What a policy remembers of k environments, from what it remembers of each.

    Args:
        memories: each None, a tensor with one row, or a named tuple of these; all of one kind.
    """
    first = memories[0]
    if len(memories) == 1 or first is None:
        return first
    if isinstance(first, Tensor):
        return torch.cat(list(memories))
    return type(first)(*(joined(parts) for parts in zip(*memories, strict=True)))


def parted(memory: Any, count: int) -> list[Any]:
    """The inverse of `joined` for so many environments."""
    if count == 1 or memory is None:
        return [memory] * count
    if isinstance(memory, Tensor):
        return [memory[k : k + 1] for k in range(count)]
    return [type(memory)(*parts) for parts in zip(*(parted(part, count) for part in memory), strict=True)]
