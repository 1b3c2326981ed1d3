"""episodes.h5: what a teacher saw and the information it gave, as flat rows of real steps, for distillation.

Layout (schema 1). The root's attributes say where it all comes from. Group `episodes`, an entry per episode: start
(its first row), length, seed, won, total_reward. Group `rows`, one row per real step, no padding: obs (R, N, O),
last_action (R, N), available (R, N, A), action (R, N), reward (R,), z_mean (R, N, Z), z_sigma (R, N, Z) and, if it was
collected, state (R, S).
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ptde_core.base.batch import Episode
from ptde_core.base.errors import PtdeError
from ptde_core.storage.whole_file import replacing

SCHEMA = 1
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
    *,
    with_state: bool,
    new: bool = False,
) -> None:
    """Write all episodes; the file appears under its name only when it is whole.

    Args:
        path: where to.
        episodes: whole episodes.
        z_mean: per episode (T, N, Z), the mean of the teacher's z at every real step.
        z_sigma: per episode (T, N, Z), its standard deviation.
        about: attributes of the root: plain numbers and strings.
        with_state: also keep the global state.
        new: refuse to replace a file that is there.

    Raises:
        StorageError: it cannot be written.
    """
    image = io.BytesIO()  # HDF5 itself ends the process where a disk is full
    with h5py.File(image, "w") as file:
        file.attrs.update({"schema": SCHEMA, **about})
        length = np.array([e.length for e in episodes])
        index = file.create_group("episodes")
        index["start"] = np.cumsum(length) - length
        index["length"] = length
        index["seed"] = np.array([e.seed for e in episodes], np.uint64)
        index["won"] = np.array([e.won for e in episodes])
        index["total_reward"] = np.array([e.total_reward for e in episodes])
        rows = file.create_group("rows")
        _column(rows, "obs", [e.obs[:-1] for e in episodes])
        _column(rows, "last_action", [_last_actions(e) for e in episodes])
        _column(rows, "available", [e.available[:-1] for e in episodes])
        _column(rows, "action", [e.actions for e in episodes])
        _column(rows, "reward", [e.reward for e in episodes])
        _column(rows, "z_mean", z_mean)
        _column(rows, "z_sigma", z_sigma)
        if with_state:
            _column(rows, "state", [e.state[:-1] for e in episodes])
    with replacing(path, new=new) as whole:
        whole.write(image.getbuffer())


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
