"""Actions of PettingZoo environments as numbers from 0: those of a discrete space, or all combinations of several."""

from collections.abc import Iterable
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptde_core.base.errors import PtdeError

MOST = 4096  # combinations: a head has an output for each


class Choices:
    """What one agent can do, counted.

    A MultiDiscrete or MultiBinary space is flattened: its combinations are numbered with the last part running
    fastest, as `numpy.ravel_multi_index` numbers them.

    Args:
        space: of gymnasium: Discrete, MultiDiscrete or MultiBinary.
        agent: whose.

    Raises:
        PtdeError: another space, or one of more than `MOST` combinations.
    """

    def __init__(self, space: Any, agent: str) -> None:
        from gymnasium.spaces import Discrete, MultiBinary, MultiDiscrete

        self._space = space
        self.parts: tuple[int, ...]  # choices of each part
        match space:
            case Discrete():
                self.parts = (int(space.n),)
            case MultiDiscrete():
                self.parts = tuple(map(int, space.nvec.ravel()))
            case MultiBinary():
                self.parts = (2,) * prod(space.shape)
            case _:
                raise PtdeError(
                    f"{agent} acts in {space}", "only Discrete, MultiDiscrete and MultiBinary actions can be played"
                )
        self.count = prod(self.parts)
        if self.count > MOST:
            raise PtdeError(
                f"{agent} acts in {space}, which has {self.count:,} combinations",
                f"only up to {MOST:,} can be played: let fewer parts be chosen at once",
            )
        start = getattr(space, "start", 0)
        self._start = np.broadcast_to(np.asarray(start, np.int64).ravel(), len(self.parts))
        self._one = isinstance(space, Discrete)

    @property
    def names(self) -> tuple[str, ...]:
        """Of each action: action_3, or of combinations action_0_2, a number for each part."""
        return tuple("_".join(["action", *map(str, parts)]) for parts in np.ndindex(self.parts))

    def action(self, number: int) -> Any:
        """What the environment takes for the action of that number, 0 to `count` - 1."""
        parts = np.array(np.unravel_index(number, self.parts), np.int64) + self._start
        return int(parts[0]) if self._one else parts.reshape(self._space.shape).astype(self._space.dtype)

    def mask(self, mask: Any) -> NDArray[np.bool_]:
        """Which of the actions (count,) a mask allows.

        Args:
            mask: (count,) of all actions; or of a space of several parts one mask for each part, as gymnasium has them.

        Raises:
            PtdeError: a mask of another form.
        """
        if self._is_by_part(mask):
            allowed = np.ones((), np.bool_)
            for part in mask:
                allowed = np.logical_and.outer(allowed, np.asarray(part, np.bool_))
            return np.asarray(allowed, np.bool_).ravel()
        flat = np.asarray(mask) if not isinstance(mask, tuple | list) or not _ragged(mask) else np.zeros((0, 0))
        if flat.shape != (self.count,):
            by_part = "" if self._one else f", or one mask for each of the parts {self.parts}"
            raise PtdeError(f"an action_mask is {mask!r}", f"give {self.count} numbers{by_part}")
        return flat.astype(np.bool_)

    def _is_by_part(self, mask: Any) -> bool:
        if self._one or not isinstance(mask, tuple | list) or len(mask) != len(self.parts):
            return False
        return all(np.shape(part) == (size,) for part, size in zip(mask, self.parts, strict=True))


def _ragged(parts: Iterable[Any]) -> bool:
    return len({np.shape(part) for part in parts}) > 1
