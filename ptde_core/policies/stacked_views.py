"""The views of K trainings side by side, time-major, as stacked networks read them; and how their teachers play."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ptde_core.policies.network_inputs import local_input
from ptde_core.policies.policy import Acted
from ptde_core.policies.teacher import Teacher
from ptde_core.storage.device_replay_buffer import Chosen, DeviceReplay


@dataclass(frozen=True)
class Layout:
    """The rows of K batches of B episodes in time-major order: the first views of all, then the second ones, ...

    Each batch is sorted by length, longest first. The b-th episodes of the K batches get as many rows as the longest of
    them needs; sorted lengths of large batches are alike, so few rows are padding. A row of padding repeats its
    episode's final view and counts nowhere. All of this is computed on the host, without waiting for the device.
    """

    counts: NDArray[np.int64]  # (T+1,) rows of each step, never rising; R is their sum
    step: NDArray[np.int64]  # (R,) step of each row
    rank: NDArray[np.int64]  # (R,) which of the sorted episodes
    length: NDArray[np.int64]  # (K, B) real steps, sorted
    order: NDArray[np.int64]  # (K, B) the batches' episodes in that order

    @classmethod
    def of(cls, lengths: NDArray[np.int64]) -> "Layout":
        """The layout of batches of these lengths (K, B)."""
        order = np.argsort(-lengths, axis=1, kind="stable")  # (K, B)
        length = np.take_along_axis(lengths, order, axis=1)  # (K, B)
        there = np.arange(length.max() + 1)[:, None] <= length.max(axis=0)  # (T+1, B)
        step, rank = np.nonzero(there)
        return cls(there.sum(axis=1), step, rank, length, order)

    @property
    def own_step(self) -> NDArray[np.int64]:
        """(K, R) the step of its own episode that a row shows."""
        return np.minimum(self.step, self.length[:, self.rank])

    @property
    def own_rows(self) -> NDArray[np.int64]:
        """(K, R) the row that each has when its batch's episodes are laid end to end, in the order they were given."""
        views = np.empty_like(self.length)
        np.put_along_axis(views, self.order, self.length + 1, axis=1)  # (K, B) in the order they were given
        begin = np.take_along_axis(views.cumsum(axis=1) - views, self.order, axis=1)  # (K, B), sorted
        return begin[:, self.rank] + self.own_step

    @property
    def stepped(self) -> NDArray[np.int64]:
        """(P,) the rows that have a next step in the layout; the rows of those steps are the B-th and all after it."""
        following = np.append(self.counts[1:], 0)
        return np.flatnonzero(self.rank < following[self.step])


@dataclass(frozen=True)
class StackedViews:
    """K batches as a learner reads them; the P steps are those that begin at the rows `stepped`, in their order."""

    local: Tensor  # (K, R, N, L) local inputs
    state: Tensor  # (K, R, S)
    available: Tensor  # (K, R, N, A) bool
    actions: Tensor  # (K, P, N) int64
    reward: Tensor  # (K, P)
    terminated: Tensor  # (K, P) bool
    last: Tensor  # (K, P) bool, an episode's last real step
    real: Tensor  # (K, P) float32, 1 where the step was played
    seen: Tensor  # (K, R) float32, 0 where the row is padding
    stepped: Tensor  # (P,) int64
    layout: Layout

    @classmethod
    def of(cls, replays: Sequence[DeviceReplay], chosen: Sequence[Chosen], device: torch.device) -> "StackedViews":
        """Gather the chosen episodes of each replay."""
        start, length, terminated = (np.stack(arrays) for arrays in zip(*chosen, strict=True))  # (K, B)
        layout = Layout.of(length)
        first = np.take_along_axis(start, layout.order, axis=1)[:, layout.rank]  # (K, R)
        ended = np.take_along_axis(terminated, layout.order, axis=1)[:, layout.rank]  # (K, R)
        left = layout.length[:, layout.rank] - layout.step  # (K, R) steps from this view on; below 0 the row is padding

        def sent(array: NDArray[np.generic]) -> Tensor:
            return torch.from_numpy(array).to(device)

        rows, stepped = sent(first + layout.own_step), sent(layout.stepped)
        begun = sent(layout.step > 0)  # (R,)
        steps_left, is_end = (sent(array[:, layout.stepped]) for array in (left, ended))  # (K, P)
        obs, state, available, actions, reward = (
            _gathered(replays, name, rows) for name in ("obs", "state", "available", "actions", "reward")
        )
        earlier = _gathered(replays, "actions", (rows - 1).clamp_min(0)).long()  # (K, R, N)
        last_actions = torch.where(begun[:, None], earlier, -1)
        last = steps_left == 1
        return cls(
            local=local_input(obs, last_actions, available.shape[-1]),
            state=state,
            available=available,
            actions=actions[:, stepped].long(),
            reward=reward[:, stepped],
            terminated=is_end & last,
            last=last,
            real=(steps_left > 0).float(),
            seen=(sent(left) >= 0).float(),
            stepped=stepped,
            layout=layout,
        )


def _gathered(replays: Sequence[DeviceReplay], name: str, rows: Tensor) -> Tensor:
    """Rows (K, R, ...) of each replay."""
    first = replays[0].rows[name]
    found = first.new_empty(*rows.shape, *first.shape[1:])
    for k, replay in enumerate(replays):
        torch.index_select(replay.rows[name], 0, rows[k], out=found[k])
    return found


class StackedPolicy:
    """K teachers as one policy: of K·E environments, k·E to (k+1)·E-1 are the k-th teacher's.

    Args:
        teacher: stacked, on any device.
        count: K.
    """

    def __init__(self, teacher: nn.Module, count: int) -> None:
        assert isinstance(teacher, Teacher)
        self._teacher, self._count = teacher, count
        self.reads_state, self.noise_size = teacher.reads_state, teacher.noise_size

    def step(self, local: Tensor, memory: Any, state: Tensor | None, noise: Tensor | None) -> Acted:
        """One step of play of K·E environments; see `Policy.step`. Memory (K, E, ...) and z stay on the device."""
        device = next(self._teacher.parameters()).device

        def split(x: Tensor | None) -> Any:
            return None if x is None else x.to(device).view(self._count, -1, *x.shape[1:])

        values, memory, z = self._teacher.step(split(local), memory, split(state), split(noise))  # (K, E, N, A)
        return Acted(values.flatten(0, 1).cpu(), memory, None if z is None else z.flatten(0, 1))
