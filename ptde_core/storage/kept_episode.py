"""An episode as the replay buffer keeps it: what a view repeats of the view before it is not stored again.

Nothing is rounded. Of a trained team on 3s_vs_5z three quarters of the numbers are those of the step before.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from ptde_core.base.batch import Episode, ViewArrays
from ptde_core.kernels.repeats import write_views
from ptde_core.storage.arena import Arena

BITS = 64


class KeptEpisodes(Sequence[Episode]):
    """Episodes that are kept, in an arena already, and given as they were, one at a time."""

    def __init__(self, kept: Sequence["KeptEpisode"]) -> None:
        self.kept = kept

    def __len__(self) -> int:
        return len(self.kept)

    @overload
    def __getitem__(self, place: int) -> Episode: ...

    @overload
    def __getitem__(self, place: slice) -> "KeptEpisodes": ...

    def __getitem__(self, place: int | slice) -> "Episode | KeptEpisodes":
        return KeptEpisodes(self.kept[place]) if isinstance(place, slice) else self.kept[place].whole()


@dataclass(frozen=True)
class KeptEpisode:
    """One whole episode of T steps. Observations and state of a view are W = N*O + S numbers.

    Args:
        shape: N, O, S and A.
        changed: (T+1, W / 64 rounded up) uint64, a bit for each number, the lowest first: whether it differs from that
            of the view before.
        values: (V,) float32, those that do.
        available_bits: (T+1, N*A / 8 rounded up) uint8, a bit for each action, the highest first.

    The rest is as in `Episode`.
    """

    seed: int
    shape: tuple[int, int, int, int]
    changed: NDArray[np.uint64]
    values: NDArray[np.float32]
    available_bits: NDArray[np.uint8]
    actions: NDArray[np.int16]
    reward: NDArray[np.float32]
    terminated: bool
    won: bool
    noise: NDArray[np.float32] | None

    @classmethod
    def of(cls, episode: Episode) -> "KeptEpisode":
        """The episode, kept. Its arrays may be parts of larger ones, of which nothing is held on to.

        Raises:
            ValueError: its arrays do not fit each other.
        """
        views, agents, of_obs = episode.obs.shape
        if episode.available.shape[:2] != (views, agents):
            raise ValueError(f"available actions {episode.available.shape} beside views {episode.obs.shape}")
        numbers = np.concatenate([episode.obs.reshape(views, -1), episode.state], axis=1).view(np.uint32)  # (T+1, W)
        width = numbers.shape[1]
        changed = np.zeros((views, -(-width // BITS) * BITS), np.bool_)
        changed[0, :width] = numbers[0] != 0
        np.not_equal(numbers[1:], numbers[:-1], out=changed[1:, :width])
        return cls(
            seed=episode.seed,
            shape=(agents, of_obs, episode.state.shape[1], episode.available.shape[2]),
            changed=np.packbits(changed, axis=1, bitorder="little").view("<u8"),
            values=numbers[changed[:, :width]].view(np.float32),
            available_bits=np.packbits(episode.available.reshape(views, -1), axis=1),
            actions=episode.actions.copy(),
            reward=episode.reward.copy(),
            terminated=episode.terminated,
            won=episode.won,
            noise=None if episode.noise is None else episode.noise.copy(),
        )

    def on(self, arena: Arena) -> "KeptEpisode":
        """The same, with its arrays in an arena."""
        own: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        moved: dict[str, Any] = {name: arena.put(one) for name, one in own.items() if isinstance(one, np.ndarray)}
        return replace(self, **moved)

    @staticmethod
    def views(episodes: Sequence["KeptEpisode"]) -> ViewArrays:
        """Observations (R, N, O), states (R, S) and available actions (R, N, A) of episodes, one after the other."""
        agents, of_obs, of_state, actions = episodes[0].shape
        ends = np.cumsum([len(one.changed) for one in episodes])
        obs = np.empty((ends[-1], agents * of_obs), np.float32)
        state = np.empty((ends[-1], of_state), np.float32)
        for one, end in zip(episodes, ends, strict=True):
            own = slice(end - len(one.changed), end)
            write_views(one.changed, one.values, obs[own], state[own])
        bits = np.concatenate([one.available_bits for one in episodes])
        available = np.unpackbits(bits, axis=1, count=agents * actions).view(np.bool_)
        return obs.reshape(-1, agents, of_obs), state, available.reshape(-1, agents, actions)

    @property
    def length(self) -> int:
        """Real steps T."""
        return len(self.reward)

    @property
    def nbytes(self) -> int:
        """Bytes of its arrays, without the noise."""
        kept = (self.changed, self.values, self.available_bits, self.actions, self.reward)
        return sum(array.nbytes for array in kept)

    def whole(self) -> Episode:
        """The episode as it was, bit for bit."""
        obs, state, available = self.views([self])
        rest = (self.actions, self.reward, self.terminated, self.won, self.noise)
        return Episode(self.seed, obs, state, available, *rest)
