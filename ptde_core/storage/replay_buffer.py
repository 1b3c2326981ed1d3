"""The replay buffer of whole episodes, and its copy on disk, from which an interrupted training resumes exactly."""

from collections import deque
from collections.abc import Sequence
from dataclasses import fields
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptde_core.base.batch import Episode
from ptde_core.base.errors import PtdeError, quoted
from ptde_core.storage.arena import Arena
from ptde_core.storage.kept_episode import KeptEpisode, KeptEpisodes
from ptde_core.storage.npz import read_arrays
from ptde_core.storage.whole_file import replacing


class Replay:
    """The newest `capacity` episodes, each stored once, without padding and without what repeats from view to view."""

    def __init__(self, capacity: int) -> None:
        self._episodes: deque[KeptEpisode] = deque(maxlen=capacity)
        self._arena = Arena()

    @property
    def nbytes(self) -> int:
        """Bytes of the episodes' arrays."""
        return sum(episode.nbytes for episode in self._episodes)

    def __len__(self) -> int:
        return len(self._episodes)

    def add(self, episodes: Sequence[Episode]) -> None:
        """Append; the oldest are dropped."""
        if isinstance(episodes, KeptEpisodes):
            self._episodes.extend(episodes.kept)
        else:
            self._episodes.extend(KeptEpisode.of(one).on(self._arena) for one in episodes)

    def drain(self) -> list[Episode]:
        """Remove all episodes and return them, oldest first."""
        episodes = [kept.whole() for kept in self._episodes]
        self._episodes.clear()
        return episodes

    def sample(self, count: int, chance: np.random.Generator) -> list[KeptEpisode]:
        """`count` different episodes, uniformly at random."""
        chosen = chance.choice(len(self._episodes), size=count, replace=False)
        return [self._episodes[index] for index in chosen]


def largest_replay(capacity: int, steps: int, agents: int, actions: int, obs: int, state: int) -> int:
    """Bytes of `capacity` episodes of `steps` steps each, in which every number changes at every step.

    Others take less: nothing is padded, and what repeats is not stored again.

    Args:
        capacity: episodes.
        steps: T of each episode.
        agents: N.
        actions: A.
        obs: O.
        state: S.
    """
    numbers = agents * obs + state
    bits = 8 * ceil(numbers / 64) + ceil(agents * actions / 8)  # one each, in whole words and bytes
    view = 4 * numbers + bits
    step = 2 * agents + 4  # int16 actions, float32 reward
    return capacity * ((steps + 1) * view + steps * step)


class ReplayJournal:
    """Episodes on disk in segments, one for each save, so that a save writes only the new episodes.

    The caller keeps the list of segments (name, number of episodes; oldest first) in the state that it saves last.
    Segments on disk that are not in that list are left over from a save that was interrupted.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.segments: list[tuple[str, int]] = []

    def append(self, episodes: Sequence[Episode], keep: int) -> None:
        """Write the episodes as a new segment, and drop segments from the list that the newest `keep` do not need.

        Nothing is deleted until `drop_old`.
        """
        if episodes:
            self._write(episodes)
        while self.segments and sum(count for _, count in self.segments[1:]) >= keep:
            self.segments.pop(0)

    def _write(self, episodes: Sequence[Episode]) -> None:
        number = 1 + (int(self.segments[-1][0].removeprefix("episodes-").removesuffix(".npz")) if self.segments else 0)
        name = f"episodes-{number:06d}.npz"
        with replacing(self._folder / name) as file:
            np.savez(file, **_pack(episodes))  # type: ignore[arg-type]  # numpy's stub knows no **arrays
        self.segments.append((name, len(episodes)))

    def drop_old(self) -> None:
        """Delete segments that are not in the list any more. Call it after the list has been saved."""
        wanted = {name for name, _ in self.segments}
        for path in self._folder.glob("episodes-*.npz"):
            if path.name not in wanted:
                path.unlink()

    def load(self, segments: Sequence[tuple[str, int]]) -> KeptEpisodes:
        """All episodes of a saved list of segments, oldest first. Whole, they would take several times the memory.

        Raises:
            PtdeError: a segment is missing, cut, or holds no episodes.
        """
        self.segments = [(str(name), int(count)) for name, count in segments]
        kept: list[KeptEpisode] = []
        arena = Arena()
        for name, count in self.segments:
            path = self._folder / name
            try:
                found = _unpack(read_arrays(path))
                if len(found) != count:
                    raise ValueError(f"{len(found)} episodes, not {count}")
                kept += (KeptEpisode.of(one).on(arena) for one in found)
            except (ValueError, KeyError, TypeError, IndexError) as error:
                problem = f"{path} does not hold what a training needs to go on ({quoted(error)})"
                raise PtdeError(problem, "train it anew in another folder, with --out") from None
        self.drop_old()  # of an interrupted save
        return KeptEpisodes(kept)


_ROWS_WITH_LAST_VIEW = ("obs", "state", "available")
_ROWS = ("actions", "reward")
_ROWS_IF_KEPT = "noise"


def _pack(episodes: Sequence[Episode]) -> dict[str, NDArray[Any]]:
    kept = () if episodes[0].noise is None else (_ROWS_IF_KEPT,)
    names = (*_ROWS_WITH_LAST_VIEW, *_ROWS, *kept)
    columns = {name: np.concatenate([getattr(e, name) for e in episodes]) for name in names}
    singles = {f.name for f in fields(Episode)} - set(columns) - {_ROWS_IF_KEPT}
    dtypes = {"seed": np.uint64}
    return {
        **columns,
        **{name: np.array([getattr(e, name) for e in episodes], dtypes.get(name)) for name in singles},
        "length": np.array([e.length for e in episodes]),
    }


def _unpack(arrays: dict[str, NDArray[Any]]) -> list[Episode]:
    length = arrays["length"]
    columns = {**dict.fromkeys(_ROWS_WITH_LAST_VIEW, length + 1), **dict.fromkeys((*_ROWS, _ROWS_IF_KEPT), length)}
    dtypes = {"available": np.bool_, "actions": np.int16, "seed": np.uint64, "terminated": np.bool_, "won": np.bool_}
    if length.dtype != np.int64 or length.ndim != 1 or (length < 1).any() or (length > len(arrays["reward"])).any():
        raise ValueError("lengths of no episodes")
    for name, values in arrays.items():
        if values.dtype != dtypes.get(name, np.int64 if name == "length" else np.float32):
            raise ValueError(f"{name} is of {values.dtype}")
        if len(values) != (columns[name].sum() if name in columns else len(length)):
            raise ValueError(f"{name} has {len(values)} rows")
    ends, ends_with_view = np.cumsum(length), np.cumsum(length + 1)
    per_row = [name for name in (*_ROWS, _ROWS_IF_KEPT) if name in arrays]
    episodes = []
    for k, n in enumerate(length):
        rows = slice(ends[k] - n, ends[k])
        views = slice(ends_with_view[k] - n - 1, ends_with_view[k])
        episodes.append(
            Episode(
                seed=int(arrays["seed"][k]),
                terminated=bool(arrays["terminated"][k]),
                won=bool(arrays["won"][k]),
                **{name: arrays[name][views] for name in _ROWS_WITH_LAST_VIEW},
                **{name: arrays[name][rows] for name in per_row},
            )
        )
    return episodes
