"""The replay buffer as rows of tensors on a device, from which a learner samples without copying to the host.

An episode takes consecutive rows, one for each of its T+1 views, without padding; the host knows where each begins.
Rows of the oldest episodes are reused; when there are too few, their number is doubled.
"""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ptde_core.base.batch import Episode

FIRST_ROWS = 1 << 12


class Place(NamedTuple):
    """The rows of an episode."""

    start: int  # row of its first view
    length: int  # steps T; it has T+1 rows
    terminated: bool


class Chosen(NamedTuple):
    """The rows of B episodes, on the host."""

    start: NDArray[np.int64]  # (B,)
    length: NDArray[np.int64]  # (B,)
    terminated: NDArray[np.bool_]  # (B,)


class DeviceReplay:
    """The newest `capacity` episodes.

    `rows` holds, for every view: obs (M, N, O), state (M, S), available (M, N, A), and for the step after it: actions
    (M, N) int16 and reward (M,), both zero after an episode's final view.
    """

    def __init__(self, capacity: int, device: torch.device) -> None:
        self._capacity, self._device = capacity, device
        self._places: deque[Place] = deque()
        self.rows: dict[str, Tensor] = {}

    def __len__(self) -> int:
        return len(self._places)

    @property
    def nbytes(self) -> int:
        """Bytes of all rows, also the free ones."""
        return sum(tensor.nbytes for tensor in self.rows.values())

    def add(self, episodes: Sequence[Episode]) -> None:
        """Append; the oldest are dropped."""
        for episode in episodes[-self._capacity :]:
            if len(self._places) == self._capacity:
                self._places.popleft()
            views = {
                "obs": episode.obs,
                "state": episode.state,
                "available": episode.available,
                "actions": np.concatenate([episode.actions, np.zeros_like(episode.actions[:1])]),
                "reward": np.concatenate([episode.reward, np.zeros_like(episode.reward[:1])]),
            }
            count = episode.length + 1
            start = self._room(count, views)
            for name, array in views.items():
                self.rows[name][start : start + count].copy_(torch.from_numpy(array))
            self._places.append(Place(start, episode.length, episode.terminated))

    def choose(self, count: int, chance: np.random.Generator) -> Chosen:
        """`count` different episodes, the same as `Replay.sample` draws."""
        indices = chance.choice(len(self._places), size=count, replace=False)
        start, length, terminated = zip(*(self._places[index] for index in indices), strict=True)
        return Chosen(np.array(start), np.array(length), np.array(terminated))

    def _room(self, count: int, views: dict[str, NDArray[np.generic]]) -> int:
        """The first of `count` free rows, after making more rows if they do not fit."""
        total = len(self.rows["reward"]) if self.rows else 0
        if not self._places:
            gaps = [(0, total)]
        else:
            oldest, newest = self._places[0].start, self._places[-1]
            end = newest.start + newest.length + 1
            gaps = [(end, oldest)] if newest.start < oldest else [(end, total), (0, oldest)]
        for begin, end in gaps:
            if begin + count <= end:
                return begin
        return self._grow(max(FIRST_ROWS, 2 * total, total + count), views)

    def _grow(self, total: int, views: dict[str, NDArray[np.generic]]) -> int:
        """Allocate more rows and move all episodes, oldest first, to their beginning; returns the first free row."""
        held = [np.arange(place.start, place.start + place.length + 1) for place in self._places]
        index = np.concatenate(held) if held else np.empty(0, np.int64)
        moved = torch.from_numpy(index).to(self._device)
        for name, array in views.items():
            example = torch.from_numpy(array)
            rows = torch.zeros(total, *example.shape[1:], dtype=example.dtype, device=self._device)
            if len(index):
                torch.index_select(self.rows[name], 0, moved, out=rows[: len(index)])
            self.rows[name] = rows
        ends = np.cumsum([len(one) for one in held])
        self._places = deque(
            place._replace(start=int(end) - place.length - 1) for place, end in zip(self._places, ends, strict=True)
        )
        return len(index)
