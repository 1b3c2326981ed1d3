"""The vocabulary of axes, one whole episode, and a padded batch of them.

B episodes, E environments side by side, T steps, N agents, A actions, O observation, S state,
Z agent-specific information, H hidden. Masks are derived from `length`, never stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Episode:
    """One whole episode of T real steps, as played. Arrays with T+1 rows hold the final view too (bootstrapping)."""

    seed: int
    obs: NDArray[np.float32]  # (T+1, N, O)
    state: NDArray[np.float32]  # (T+1, S)
    available: NDArray[np.bool_]  # (T+1, N, A)
    actions: NDArray[np.int16]  # (T, N)
    reward: NDArray[np.float32]  # (T,)
    terminated: bool  # the world ended: nothing follows the last step
    won: bool
    noise: NDArray[np.float32] | None = None  # (T, N, Z) standard normals of z, where play was told to keep them

    @property
    def length(self) -> int:
        """Real steps T."""
        return len(self.reward)

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
    """B episodes padded to T steps; t is one transition. T+1 tensors carry one step more, for bootstrapping.

    Padding is zero, except `available`, where it is True, so that a maximum over actions stays finite, and the largest,
    `obs` and `state`, where it is whatever memory held: nobody reads it.
    """

    obs: Tensor  # (B, T+1, N, O) float32  one local view per agent
    state: Tensor  # (B, T+1, S)    float32  global: only the teacher may read it
    available: Tensor  # (B, T+1, N, A) bool     legal actions
    actions: Tensor  # (B, T, N)      int64
    reward: Tensor  # (B, T)         float32  shared by the team, unscaled
    terminated: Tensor  # (B, T)         bool     the world ended here: do not bootstrap
    length: Tensor  # (B,)           int64    real steps
    noise: Tensor | None = None  # (B, T, N, Z)   float32  standard normals of z; None where the episodes keep none

    @classmethod
    def of(cls, episodes: Sequence[Episode]) -> "EpisodeBatch":
        """Pad the episodes to the longest among them."""
        b, t = len(episodes), max(e.length for e in episodes)
        first = episodes[0]
        obs = np.empty((b, t + 1, *first.obs.shape[1:]), np.float32)
        state = np.empty((b, t + 1, *first.state.shape[1:]), np.float32)
        available = np.ones((b, t + 1, *first.available.shape[1:]), np.bool_)
        actions = np.zeros((b, t, *first.actions.shape[1:]), np.int64)
        reward = np.zeros((b, t), np.float32)
        terminated = np.zeros((b, t), np.bool_)
        for row, episode in enumerate(episodes):
            n = episode.length
            obs[row, : n + 1] = episode.obs
            state[row, : n + 1] = episode.state
            available[row, : n + 1] = episode.available
            actions[row, :n] = episode.actions
            reward[row, :n] = episode.reward
            terminated[row, n - 1] = episode.terminated
        length = np.array([e.length for e in episodes], np.int64)
        arrays = (obs, state, available, actions, reward, terminated, length)
        return replace(cls(*(torch.from_numpy(array) for array in arrays)), noise=_padded_noise(episodes))

    @property
    def real(self) -> Tensor:
        """(B, T) bool: steps that were played, not padding."""
        steps = torch.arange(self.reward.shape[1], device=self.length.device)
        return steps < self.length[:, None]  # (B, T)

    @property
    def seen(self) -> Tensor:
        """(B, T+1) bool: views that were seen: those of real steps, and the final one of each episode."""
        steps = torch.arange(self.obs.shape[1], device=self.length.device)
        return steps <= self.length[:, None]  # (B, T+1)

    @property
    def last(self) -> Tensor:
        """(B, T) bool: the last real step of each episode."""
        steps = torch.arange(self.reward.shape[1], device=self.length.device)
        return steps == self.length[:, None] - 1  # (B, T)

    @property
    def last_actions(self) -> Tensor:
        """(B, T+1, N) int64: the action before each view; -1 where there is none (the first view)."""
        none = torch.full_like(self.actions[:, :1], -1)  # (B, 1, N)
        return torch.cat([none, self.actions], dim=1)  # (B, T+1, N)

    def to(self, device: torch.device | str) -> "EpisodeBatch":
        """The same batch on another device."""
        tensors = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{name: tensor.to(device) for name, tensor in tensors.items() if tensor is not None})


def _padded_noise(episodes: Sequence[Episode]) -> Tensor | None:
    """The episodes' noise (B, T, N, Z), zero where padded; None if they keep none."""
    kept = [torch.from_numpy(e.noise) for e in episodes if e.noise is not None]
    assert len(kept) in (0, len(episodes)), "of a batch, all episodes keep their noise or none"
    return torch.nn.utils.rnn.pad_sequence(kept, batch_first=True) if kept else None
