"""episodes.h5: what a teacher saw and the information it gave, as flat rows of real steps, for distillation.

Layout (schema 2, docs/data.md). The root's attributes say where it all comes from. Group `rows`, one row per real step,
no padding: obs (R, N, O), last_action (R, N), available (R, N, A), action (R, N), reward (R,), terminated (R,),
truncated (R,), z_mean (R, N, Z), z_sigma (R, N, Z) and, if it was collected, state (R, S). Group `episodes`, an entry
per episode: start (its first row), length, seed, won, total_reward, and what the last step led to: last_obs (B, N, O),
last_available (B, N, A) and, with the state, last_state (B, S). Group `names`, a text for each number: obs (O,),
action (A,) and, with the state, state (S,).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ptde_core.base.batch import Episode
from ptde_core.base.errors import PtdeError

SCHEMA = 2
CHUNK_ROWS = 1024
# All that distillation reads: nothing global among them.
LOCAL_ROWS = ("obs", "last_action", "available", "z_mean", "z_sigma")


@dataclass(frozen=True)
class LocalRows:
    """What a student may learn from: local inputs and the teacher's z, one episode's steps after the other's."""

    obs: NDArray[np.float32]  # (R, N, O)
    last_action: NDArray[np.int16]  # (R, N), -1 at an episode's first step
    available: NDArray[np.bool_]  # (R, N, A)
    z_mean: NDArray[np.float32]  # (R, N, Z)
    z_sigma: NDArray[np.float32]  # (R, N, Z)
    length: NDArray[np.int64]  # (B,) rows of each episode


def write_episodes(
    path: Path,
    episodes: Sequence[Episode],
    z_mean: Sequence[NDArray[np.float32]],
    z_sigma: Sequence[NDArray[np.float32]],
    about: Mapping[str, Any],
    names: Mapping[str, Sequence[str]],
    *,
    with_state: bool,
) -> None:
    """Write all episodes; the file appears under its name only when it is whole.

    Args:
        path: where to.
        episodes: whole episodes.
        z_mean: per episode (T, N, Z), the mean of the teacher's z at every real step.
        z_sigma: per episode (T, N, Z), its standard deviation.
        about: attributes of the root: plain numbers and strings.
        names: of the numbers of "obs" and "state", and of the actions: "action".
        with_state: also keep the global state.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with h5py.File(partial, "w") as file:
        file.attrs.update({"schema": SCHEMA, **about})
        length = np.array([e.length for e in episodes])
        index = file.create_group("episodes")
        index["start"] = np.cumsum(length) - length
        index["length"] = length
        index["seed"] = np.array([e.seed for e in episodes], np.uint64)
        index["won"] = np.array([e.won for e in episodes])
        index["total_reward"] = np.array([e.total_reward for e in episodes])
        _column(index, "last_obs", [e.obs[-1:] for e in episodes])
        _column(index, "last_available", [e.available[-1:] for e in episodes])
        ended = np.arange(length.sum()) + 1  # (R,) rows up to and with this one
        last = np.isin(ended, np.cumsum(length))  # (R,) whether it is its episode's last
        terminated = last & np.repeat([e.terminated for e in episodes], length)
        rows = file.create_group("rows")
        _column(rows, "obs", [e.obs[:-1] for e in episodes])
        _column(rows, "last_action", [_last_actions(e) for e in episodes])
        _column(rows, "available", [e.available[:-1] for e in episodes])
        _column(rows, "action", [e.actions for e in episodes])
        _column(rows, "reward", [e.reward for e in episodes])
        _column(rows, "terminated", [terminated])
        _column(rows, "truncated", [last & ~terminated])
        _column(rows, "z_mean", z_mean)
        _column(rows, "z_sigma", z_sigma)
        if with_state:
            _column(rows, "state", [e.state[:-1] for e in episodes])
            _column(index, "last_state", [e.state[-1:] for e in episodes])
        texts = file.create_group("names")
        for kind in ("obs", "action", *(("state",) if with_state else ())):
            texts.create_dataset(kind, data=list(names[kind]), dtype=h5py.string_dtype())
    partial.replace(path)


def read_about(path: Path) -> dict[str, Any]:
    """The attributes of the root.

    Raises:
        PtdeError: missing, cut short, or not such a file.
    """
    with _open(path) as file:
        return {key: value.item() if isinstance(value, np.generic) else value for key, value in file.attrs.items()}


def read_local_rows(path: Path) -> LocalRows:
    """Read what a student may learn from. The state, if the file holds it, is not touched.

    Raises:
        PtdeError: missing, cut short, or not such a file.
    """
    with _open(path) as file:
        try:
            length = file["episodes/length"][:]
            columns = {name: file[f"rows/{name}"][:] for name in LOCAL_ROWS}
        except (KeyError, OSError):
            raise _broken(path) from None
    if any(len(column) != length.sum() for column in columns.values()):
        raise _broken(path)
    return LocalRows(**columns, length=length)


@dataclass(frozen=True)
class Array:
    """What an array of a file is, without its numbers."""

    group: str  # rows or episodes
    name: str
    shape: tuple[int, ...]
    dtype: str
    stored_bytes: int  # as compressed


@dataclass(frozen=True)
class Contents:
    """What a file of episodes holds; of the arrays those that were asked for."""

    about: Mapping[str, Any]  # where it comes from
    arrays: tuple[Array, ...]
    names: Mapping[str, tuple[str, ...]]  # of the numbers of obs and, where it is there, state; of the actions: action
    episodes: Mapping[str, NDArray[Any]]  # (B, ...) an entry per episode
    rows: Mapping[str, NDArray[Any]]  # (R, ...) an entry per step; empty if they were not asked for


def read_contents(path: Path, *, with_rows: bool) -> Contents:
    """Read all that lies in a file; the steps, which may be large, only where they are asked for.

    Raises:
        PtdeError: missing, cut short, or not such a file.
    """
    about = read_about(path)
    with _open(path) as file:
        try:
            arrays = tuple(
                Array(group, name, one.shape, str(one.dtype), one.id.get_storage_size())
                for group in ("rows", "episodes")
                for name, one in file[group].items()
            )
            names = {name: tuple(map(str, texts.asstr()[:])) for name, texts in file["names"].items()}
            episodes = {name: one[:] for name, one in file["episodes"].items()}
            steps = int(episodes["length"].sum())
            rows = {name: one[:] for name, one in file["rows"].items()} if with_rows else {}
        except (KeyError, OSError, AttributeError, TypeError):
            raise _broken(path) from None
    if any(array.shape[0] != (steps if array.group == "rows" else len(episodes["length"])) for array in arrays):
        raise _broken(path)
    return Contents(about, arrays, names, episodes, rows)


def _open(path: Path) -> Any:
    if not path.is_file():
        raise PtdeError(f"no episodes at {path}", "collect them: `ptde collect TEACHER`")
    try:
        file = h5py.File(path, "r")
    except OSError:
        raise _broken(path) from None
    if file.attrs.get("schema") != SCHEMA:
        file.close()
        raise PtdeError(f"{path} is not an episode file of schema {SCHEMA}", "collect anew: `ptde collect TEACHER`")
    return file


def _broken(path: Path) -> PtdeError:
    return PtdeError(f"{path} is not a whole HDF5 file of episodes", "collect anew: `ptde collect TEACHER`")


def _column(group: Any, name: str, parts: Sequence[NDArray[Any]]) -> None:
    rows = np.concatenate(parts)
    chunks = (min(CHUNK_ROWS, len(rows)), *rows.shape[1:])
    group.create_dataset(name, data=rows, chunks=chunks, compression="lzf", shuffle=True)


def _last_actions(episode: Episode) -> NDArray[np.int16]:
    none = np.full_like(episode.actions[:1], -1)
    return np.concatenate([none, episode.actions[:-1]])  # (T, N)
