"""A replay: some episodes of one policy's evaluation, with all that it takes to show them and what was thought in them.

Layout (schema 1), HDF5. The root's attribute `header` is JSON (`ReplayHeader`). `floor` (width, height), bool, is there
where units walk on a map: cell [x, y], y grows to the north. Each episode is a group `episodes/K`, its attributes seed,
won and terminated, its arrays those of `ReplayEpisode`; `units` and `minds/<role>` are groups in it. z is kept in half
precision: to be looked at, not to be computed with.
"""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from ptde_core.base.errors import PtdeError
from ptde_core.storage.evaluation_file import ZSource
from ptde_core.storage.whole_file import replacing

SCHEMA = 1

Role = Literal["teacher", "student"]


class UnitLook(BaseModel):
    """What has to be known of a unit to draw it. Radius in the field's lengths; `side` 0 agents', 1 opponents'."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    side: int
    radius: float
    max_health: float
    max_shield: float


class ReplayHeader(BaseModel):
    """What holds for all episodes of a replay. Unit i of `looks` is agent i for i < N; empty where nothing is drawn."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_number: int = SCHEMA
    backend: str
    backend_version: str
    map: str
    names: Mapping[Role, str]  # of the policies in `minds`, as tables print them
    role: Role  # which of them played
    z: ZSource  # and with which z
    head: Literal["values", "logits"]  # what their numbers for actions are
    checkpoint: str  # path inside the run folder
    teacher_id: str
    policy_id: str
    train_seed: int
    env_steps: int
    evaluation_seed: int
    code: str
    action_names: tuple[str, ...]
    state_names: tuple[str, ...]
    looks: tuple[UnitLook, ...] = ()
    can_be_won: bool = True  # whether an episode can be won; older replays do not say
    sight: float | None = None  # how far an agent sees; None: there are no distances, or it sees everything

    @property
    def name(self) -> str:
        """Of the policy that played."""
        return self.names[self.role]


@dataclass(frozen=True)
class Units:
    """U units in the T+1 views of an episode, y to the north; `hits` is what happened from one view to the next."""

    x: NDArray[np.float32]  # (T+1, U)
    y: NDArray[np.float32]  # (T+1, U)
    health: NDArray[np.float32]  # (T+1, U)
    shield: NDArray[np.float32]  # (T+1, U)
    alive: NDArray[np.bool_]  # (T+1, U)
    hits: NDArray[np.int16]  # (H, 3) step, the unit that damaged or healed another in it, and that other


@dataclass(frozen=True)
class Mind:
    """What one policy made of the episode's T steps, whether it played them or only looked on."""

    values: NDArray[np.float32]  # (T, N, A) of actions, or a policy's logits
    mean: NDArray[np.float16] | None = None  # (T, N, Z) its z without chance, a student's prediction; None: it has none
    sigma: NDArray[np.float16] | None = (
        None  # (T, N, Z) standard deviation of z, where a Gaussian is asked at each step
    )
    sampled: NDArray[np.float16] | None = None  # (T, N, Z) the z that it acted on, where that was drawn


@dataclass(frozen=True)
class ReplayEpisode:
    """One episode of T steps."""

    seed: int
    won: bool
    terminated: bool  # the world ended; otherwise time was up
    actions: NDArray[np.int16]  # (T, N)
    available: NDArray[np.bool_]  # (T, N, A)
    reward: NDArray[np.float32]  # (T,)
    state: NDArray[np.float32]  # (T+1, S)
    minds: Mapping[Role, Mind]
    units: Units | None = None

    @property
    def length(self) -> int:
        """Steps T."""
        return len(self.reward)

    @property
    def total_reward(self) -> float:
        """The return: the undiscounted sum of the team's rewards."""
        return float(self.reward.sum(dtype=np.float64))


@dataclass(frozen=True)
class Replay:
    """A whole file."""

    header: ReplayHeader
    episodes: tuple[ReplayEpisode, ...]
    floor: NDArray[np.bool_] | None = None  # (width, height) cell [x, y]: where ground units walk


def write_replay(path: Path, replay: Replay) -> None:
    """Write a replay, whole or not at all.

    Raises:
        StorageError: it cannot be written.
    """
    image = io.BytesIO()  # HDF5 itself ends the process where a disk is full
    with h5py.File(image, "w") as file:
        file.attrs["header"] = replay.header.model_dump_json()
        if replay.floor is not None:
            _keep(file, "floor", replay.floor)
        for number, episode in enumerate(replay.episodes):
            group = file.create_group(f"episodes/{number}")
            for name in ("seed", "won", "terminated"):
                group.attrs[name] = getattr(episode, name)
            _keep_arrays(group, episode)
            if episode.units is not None:
                _keep_arrays(group.create_group("units"), episode.units)
            for role, mind in episode.minds.items():
                _keep_arrays(group.create_group(f"minds/{role}"), mind)
    with replacing(path) as whole:
        whole.write(image.getbuffer())


def read_replay(path: Path) -> Replay:
    """Read a whole replay.

    Raises:
        PtdeError: missing, cut short, not a replay, or of another schema.
    """
    header = read_header(path)
    try:
        with h5py.File(path, "r") as file:
            floor = file["floor"][:] if "floor" in file else None
            episodes = tuple(_episode(file[f"episodes/{k}"]) for k in range(len(file["episodes"])))
    except (KeyError, OSError, TypeError):
        raise _broken(path) from None
    return Replay(header, episodes, floor)


def read_header(path: Path) -> ReplayHeader:
    """What a replay is of, without its episodes.

    Raises:
        PtdeError: as `read_replay`.
    """
    if not path.is_file():
        raise PtdeError(f"no replay at {path}", "keep some: `ptde evaluate CHECKPOINT --keep-replays 4`")
    try:
        with h5py.File(path, "r") as file:
            text = str(file.attrs["header"])
        return ReplayHeader.model_validate_json(text)
    except (KeyError, OSError, ValidationError):
        raise _broken(path) from None


def count_episodes(path: Path) -> int:
    """How many episodes a replay holds."""
    with h5py.File(path, "r") as file:
        return len(file["episodes"])


def is_replay(path: Path) -> bool:
    """Whether a file is HDF5, as replays are and checkpoints are not."""
    return path.is_file() and bool(h5py.is_hdf5(path))


def _broken(path: Path) -> PtdeError:
    again = "make it anew: `ptde evaluate CHECKPOINT --keep-replays 4`"
    return PtdeError(f"{path} is not a whole replay of schema {SCHEMA}", again)


def _keep(group: Any, name: str, values: NDArray[Any]) -> None:
    group.create_dataset(name, data=values, compression="gzip", shuffle=True)


def _keep_arrays(group: Any, record: Any) -> None:
    for name, values in vars(record).items():
        if isinstance(values, np.ndarray):
            _keep(group, name, values)


def _arrays(group: Any, record: type[Any]) -> Iterator[tuple[str, NDArray[Any]]]:
    """The arrays of a group that a dataclass has fields for."""
    return (
        (field.name, group[field.name][:])
        for field in fields(record)
        if isinstance(group.get(field.name), h5py.Dataset)
    )


def _episode(group: Any) -> ReplayEpisode:
    return ReplayEpisode(
        seed=int(group.attrs["seed"]),
        won=bool(group.attrs["won"]),
        terminated=bool(group.attrs["terminated"]),
        minds={role: Mind(**dict(_arrays(group["minds"][role], Mind))) for role in group["minds"]},
        units=Units(**dict(_arrays(group["units"], Units))) if "units" in group else None,
        **dict(_arrays(group, ReplayEpisode)),
    )
