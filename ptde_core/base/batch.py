"""The vocabulary of axes, one whole episode, and a batch of them.

B episodes, E environments side by side, T steps, N agents, A actions, O observation, S state,
Z global information, H hidden, R views and P steps of a batch. Masks are derived from `length`, never stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

ViewArrays = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]


class AnyEpisode(Protocol):
    """An episode in whatever form it is stored: an `Episode`, or one of a replay buffer."""

    @property
    def length(self) -> int:
        """Real steps T."""

    @property
    def actions(self) -> NDArray[np.int16]:
        """(T, N)."""

    @property
    def reward(self) -> NDArray[np.float32]:
        """(T,)."""

    @property
    def terminated(self) -> bool:
        """As in `Episode`."""

    @property
    def noise(self) -> NDArray[np.float32] | None:
        """As in `Episode`."""

    @staticmethod
    def views(episodes: Sequence[Any]) -> ViewArrays:
        """Observations (R, N, O), states (R, S) and available actions (R, N, A) of such episodes, end to end."""

    def whole(self) -> "Episode":
        """The same as an `Episode`."""


@dataclass(frozen=True)
class Episode:
    """One whole episode of T steps. Arrays with T+1 rows hold the final view too (for bootstrapping)."""

    seed: int
    obs: NDArray[np.float32]  # (T+1, N, O)
    state: NDArray[np.float32]  # (T+1, S)
    available: NDArray[np.bool_]  # (T+1, N, A)
    actions: NDArray[np.int16]  # (T, N)
    reward: NDArray[np.float32]  # (T,)
    terminated: bool  # the world ended: nothing follows the last step
    won: bool
    noise: NDArray[np.float32] | None = None  # (T, N, Z) standard normals of z, where play keeps them

    @property
    def length(self) -> int:
        """Real steps T."""
        return len(self.reward)

    @staticmethod
    def views(episodes: Sequence["Episode"]) -> ViewArrays:
        """Observations (R, N, O), states (R, S) and available actions (R, N, A) of episodes, one after the other."""
        return (
            np.concatenate([one.obs for one in episodes]),
            np.concatenate([one.state for one in episodes]),
            np.concatenate([one.available for one in episodes]),
        )

    def whole(self) -> "Episode":
        """Itself."""
        return self

    @property
    def nbytes(self) -> int:
        """Bytes of its arrays, without the noise."""
        kept = (self.obs, self.state, self.available, self.actions, self.reward)
        return sum(array.nbytes for array in kept)

    @property
    def total_reward(self) -> float:
        """The return: the undiscounted sum of the team's rewards."""
        return float(self.reward.sum(dtype=np.float64))


@dataclass(frozen=True)
class EpisodeBatch:
    """B episodes laid end to end, without padding: R views, of which P = R - B are followed by a step."""

    obs: Tensor  # (R, N, O) float32  one local view per agent
    state: Tensor  # (R, S)    float32  global: only the teacher may read it
    available: Tensor  # (R, N, A) bool     legal actions
    actions: Tensor  # (P, N)    int64
    reward: Tensor  # (P,)      float32  shared by the team, unscaled
    terminated: Tensor  # (P,)      bool     the world ended here: do not bootstrap
    length: Tensor  # (B,)      int64    real steps; each episode has one view more
    noise: Tensor | None = None  # (P, N, Z) float32  standard normals of z; None where the episodes keep none

    @classmethod
    def of(cls, episodes: Sequence[AnyEpisode]) -> "EpisodeBatch":
        """Lay the episodes, all stored in one form, end to end."""
        joined = episodes[0].views(episodes)
        actions = np.concatenate([e.actions for e in episodes], dtype=np.int64)
        reward = np.concatenate([e.reward for e in episodes])
        length = np.array([e.length for e in episodes], np.int64)
        terminated = np.zeros(len(reward), np.bool_)
        terminated[np.cumsum(length) - 1] = [e.terminated for e in episodes]
        arrays = (*joined, actions, reward, terminated, length)
        return replace(cls(*(torch.from_numpy(array) for array in arrays)), noise=_noise(episodes))

    @property
    def views(self) -> Tensor:
        """(B,) int64: views of each episode, one for each step and the final one."""
        return self.length + 1

    @property
    def played(self) -> Tensor:
        """(P,) int64: the view before each step. The next view is the one after it."""
        episode = torch.arange(len(self.length), device=self.length.device).repeat_interleave(self.length)
        return torch.arange(len(self.reward), device=self.length.device) + episode

    @property
    def last(self) -> Tensor:
        """(P,) bool: the last real step of each episode."""
        last = torch.zeros_like(self.terminated)
        last[self.length.cumsum(dim=0) - 1] = True
        return last

    @property
    def last_actions(self) -> Tensor:
        """(R, N) int64: the action before each view; -1 where there is none (the first view)."""
        before = self.actions.new_full(self.obs.shape[:2], -1)
        before[self.played + 1] = self.actions
        return before

    def to(self, device: torch.device | str) -> "EpisodeBatch":
        """The same batch on another device."""
        tensors = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{name: tensor.to(device) for name, tensor in tensors.items() if tensor is not None})


def _noise(episodes: Sequence[AnyEpisode]) -> Tensor | None:
    """The episodes' noise (P, N, Z); None if they keep none."""
    kept = [e.noise for e in episodes if e.noise is not None]
    assert len(kept) in (0, len(episodes)), "of a batch, all episodes keep their noise or none"
    return torch.from_numpy(np.concatenate(kept)) if kept else None
