"""episodes.h5: a teacher's observations and the z it gave, one row per step, for distillation.

Layout (schema 3, docs/how-to/data.md). The root's attributes say what the episodes were made from; `made_from` is
JSON. Group `rows`, one row per step, no padding: obs (R, N, O), last_action (R, N), available (R, N, A), action (R, N),
reward (R,), terminated (R,), truncated (R,), z_mean (R, N, Z), z_sigma (R, N, Z) and, if it was collected, state
(R, S). Group `episodes`, an entry per episode: start (its first row), length, seed, won, total_reward, and the view
after the last step: last_obs (B, N, O), last_available (B, N, A) and, with the state, last_state (B, S). Group `names`,
the name of each feature and action: obs (O,), action (A,) and, with the state, state (S,).
"""

import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ptde_core.base.batch import Episode
from ptde_core.base.errors import PtdeError, quoted
from ptde_core.base.machine_memory import check_room
from ptde_core.base.made_from import KEY, MadeFrom, read_made_from
from ptde_core.storage import hdf5
from ptde_core.storage.hdf5 import Column
from ptde_core.storage.whole_file import replacing

SCHEMA = 3
CHUNK_ROWS = 1024
ATTRIBUTES = 200
TEXT = 1000  # most characters of an attribute, or of a name
NAMES = 100_000  # most names of features
ROWS = 2**31  # rows are fewer, so that lengths of as many episodes have a sum of 64 bits
NUMBER_BYTES = 8  # most bytes of a number: what other formats of data know too
ROOM = 3  # memory that a fit takes, in multiples of the rows: as read, as inputs, and shuffled
AGAIN = "move it away and collect anew: `ptde collect TEACHER`"
# What the index of the episodes holds in any case, an entry per episode.
INDEX = {"start": np.int64, "length": np.int64, "seed": np.uint64, "won": np.bool_, "total_reward": np.float64}
# The arrays that distillation reads; none is global.
LOCAL_ROWS = ("obs", "last_action", "available", "z_mean", "z_sigma")


@dataclass(frozen=True)
class Widths:
    """The sizes that a file's arrays must have: agents N, actions A, observation O, information Z."""

    agents: int
    actions: int
    obs: int
    info: int


@dataclass(frozen=True)
class LocalRows:
    """What a student learns from: local inputs and the teacher's z, episode after episode."""

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
    made_from: MadeFrom,
    *,
    with_state: bool,
    new: bool = False,
) -> None:
    """Write all episodes; the file appears under its name only when it is whole.

    Args:
        path: where to.
        episodes: whole episodes.
        z_mean: per episode (T, N, Z), the mean of the teacher's z at every step.
        z_sigma: per episode (T, N, Z), its standard deviation.
        about: attributes of the root: plain numbers and strings.
        names: of the numbers of "obs" and "state", and of the actions: "action".
        made_from: the teacher and the settings that these episodes come from.
        with_state: also keep the global state.
        new: refuse to replace a file that is there.

    Raises:
        StorageError: it cannot be written.
    """
    image = io.BytesIO()  # not a file: HDF5 aborts the process where a disk is full
    with h5py.File(image, "w") as file:
        for name, value in {"schema": SCHEMA, **about, KEY: json.dumps(made_from.plain())}.items():
            hdf5.write_attribute(file, name, value)
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
            hdf5.write_texts(texts, kind, names[kind])
    with replacing(path, new=new) as whole:
        whole.write(image.getbuffer())


def read_about(path: Path) -> dict[str, Any]:
    """The attributes of the root: numbers and texts; `teacher_id` and `map` are among them, and are texts.

    Raises:
        PtdeError: missing, cut short, or not such a file.
    """
    with _opened(path) as file:
        if len(file.attrs) > ATTRIBUTES:
            raise ValueError(f"more than {ATTRIBUTES} attributes")
        for name in ("teacher_id", "map"):
            hdf5.text(file, name, TEXT)
        return {str(name): hdf5.plain(file, name, TEXT) for name in file.attrs}


def read_origin(path: Path) -> MadeFrom:
    """What the episodes were made from.

    Raises:
        PtdeError: as `read_about`; or the origin is missing, or its digest does not fit.
    """
    text = read_about(path).get(KEY)
    try:
        held = None if text is None else json.loads(text)
    except (TypeError, ValueError):
        raise _broken(path) from None
    return read_made_from(held, path)


def read_local_rows(path: Path, widths: Widths) -> LocalRows:
    """Read what a student learns from. The state, if the file holds it, is not read.

    Args:
        path: the file.
        widths: sizes of the teacher's environment and z.

    Raises:
        PtdeError: missing, cut short, or not such a file; or of other widths.
    """
    with _opened(path) as file:
        rows = hdf5.group(file, "rows")
        n = hdf5.rows_of(rows, LOCAL_ROWS[0])
        length = _lengths(hdf5.group(file, "episodes"), n)
        per_row = widths.agents * (4 * widths.obs + 2 + widths.actions + 8 * widths.info)
        check_room(ROOM * n * per_row, f"fitting to the {n:,} rows of {path}", "collect fewer episodes")
        columns = {name: hdf5.array(rows, name, column) for name, column in _columns(n, widths).items()}
        _check_rows(columns, widths)
    return LocalRows(**columns, length=length)


def _columns(rows: int, widths: Widths) -> dict[str, Column]:
    agents, z = widths.agents, (rows, widths.agents, widths.info)
    return {
        "obs": Column(np.float32, (rows, agents, widths.obs)),
        "last_action": Column(np.int16, (rows, agents)),
        "available": Column(np.bool_, (rows, agents, widths.actions)),
        "z_mean": Column(np.float32, z),
        "z_sigma": Column(np.float32, z),
    }


def _lengths(episodes: Any, rows: int) -> NDArray[np.int64]:
    """How many rows each episode has, (B,): at least one, and together `rows`.

    Raises:
        ValueError: they have not.
    """
    length: NDArray[np.int64] = hdf5.array(episodes, "length", Column(np.int64, (None,)))
    if not 0 < len(length) <= rows < ROWS or length.min() < 1 or length.max() > rows or length.sum() != rows:
        raise ValueError("lengths of episodes that are not those of the rows")
    return length


def _check_rows(columns: Mapping[str, NDArray[Any]], widths: Widths) -> None:
    last = columns["last_action"]
    if last.min() < -1 or last.max() >= widths.actions:
        raise ValueError("a last action that there is not")
    if (columns["z_sigma"] < 0).any():
        raise ValueError("a negative standard deviation")
    if not columns["available"].any(axis=-1).all():
        raise ValueError("an agent that can do nothing")


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    with hdf5.opened(path, _broken(path), "file of episodes", "collect them: `ptde collect TEACHER`") as file:
        schema = hdf5.whole_number(file, "schema")
        if schema != SCHEMA:
            raise PtdeError(f"{path} is not an episode file of schema {SCHEMA}", AGAIN)
        yield file


@dataclass(frozen=True)
class Array:
    """Name, shape and type of an array of a file, without its numbers."""

    group: str  # rows or episodes
    name: str
    shape: tuple[int, ...]
    dtype: str
    stored_bytes: int  # as compressed


@dataclass(frozen=True)
class Contents:
    """The content of a file of episodes."""

    about: Mapping[str, Any]  # where it comes from
    arrays: tuple[Array, ...]
    names: Mapping[str, tuple[str, ...]]  # of the features of obs and state (if it is there), and of the actions
    episodes: Mapping[str, NDArray[Any]]  # (B, ...) an entry per episode
    rows: Mapping[str, NDArray[Any]]  # (R, ...) an entry per step; empty if they were not read


def read_contents(path: Path, *, with_rows: bool) -> Contents:
    """Read a file; the rows, which may be large, only with `with_rows`.

    Raises:
        PtdeError: missing, cut short, or not such a file.
    """
    about = read_about(path)
    with _opened(path) as file:
        groups = {name: hdf5.group(file, name) for name in ("rows", "episodes")}
        facts = {(group, name): hdf5.facts_of(held, name) for group, held in groups.items() for name in held}
        first = next((name for group, name in facts if group == "rows"), LOCAL_ROWS[0])
        length = _lengths(groups["episodes"], hdf5.rows_of(groups["rows"], first))
        counts = {"rows": int(length.sum()), "episodes": len(length)}
        for (group, name), (shape, kind, _) in facts.items():
            if not shape or shape[0] != counts[group] or 0 in shape:
                raise ValueError(f"{name} has not {counts[group]} entries of some numbers")
            if kind.kind not in hdf5.NUMBERS or kind.itemsize > NUMBER_BYTES or not kind.isnative:
                raise ValueError(f"{name} is of {quoted(kind)}, no kind of number that ptde writes")
        index = {name: hdf5.array(groups["episodes"], name, Column(kind, (None,))) for name, kind in INDEX.items()}
        if (index["start"] != np.cumsum(length) - length).any():
            raise ValueError("episodes that do not begin where the one before ends")
        if with_rows:
            size = sum(math.prod(shape) * kind.itemsize for shape, kind, _ in facts.values())
            check_room(ROOM * size, f"the {counts['rows']:,} steps of {path}", "collect fewer episodes")
        arrays = tuple(
            Array(group, name, shape, str(kind), stored) for (group, name), (shape, kind, stored) in facts.items()
        )
        texts = hdf5.group(file, "names")
        names = {name: hdf5.texts(texts, name, NAMES, TEXT) for name in hdf5.names_of(texts)}
        read = {
            (group, name): hdf5.array(groups[group], name, Column(kind, shape, finite=name == "total_reward"))
            for (group, name), (shape, kind, _) in facts.items()
            if with_rows or group == "episodes"
        }
    episodes, rows = ({name: one for (g, name), one in read.items() if g == group} for group in ("episodes", "rows"))
    return Contents(about, arrays, names, episodes, rows)


def _broken(path: Path) -> PtdeError:
    return PtdeError(f"{path} is not a whole HDF5 file of episodes", AGAIN)


def _column(group: Any, name: str, parts: Sequence[NDArray[Any]]) -> None:
    rows = np.concatenate(parts)
    chunks = (min(CHUNK_ROWS, len(rows)), *rows.shape[1:])
    group.create_dataset(name, data=rows, chunks=chunks, compression="lzf", shuffle=True)


def _last_actions(episode: Episode) -> NDArray[np.int16]:
    none = np.full_like(episode.actions[:1], -1)
    return np.concatenate([none, episode.actions[:-1]])  # (T, N)
