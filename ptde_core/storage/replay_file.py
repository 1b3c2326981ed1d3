"""A replay: some episodes of one policy's evaluation, with what it takes to draw them, and z and action values.

Layout (schema 2), HDF5. `header` is JSON (`ReplayHeader`), an array of its UTF-8 bytes. `floor` (width, height), bool,
is there where units walk on a map: cell [x, y], y grows to the north. Each episode is a group `episodes/K`, its
attributes seed, won and terminated, its arrays those of `ReplayEpisode`; `units` and `minds/<role>` are groups in it. z
is kept in half precision, which is enough to show it.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import h5py
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ptde_core.base.errors import PtdeError
from ptde_core.base.machine_memory import check_room
from ptde_core.base.untrusted import Count, Inside, first_fault, parse_json
from ptde_core.storage import hdf5
from ptde_core.storage.evaluation_file import ZSource
from ptde_core.storage.hdf5 import Column
from ptde_core.storage.whole_file import replacing

SCHEMA = 2
HEADER = 4_000_000  # most bytes of the header
EPISODES = 10_000
NAME = 300  # most characters of the name of a policy, a unit or a map
SIDE = 256  # most cells of a floor from side to side, as StarCraft II's maps have; our own have at most 64
AWAY = 16.0  # cells that a unit can be beyond the edge of the floor, or of football's pitch from its middle
UNITS = 256  # most units; our own maps have at most 64 a side
HIGH = 100.0  # height of football's ball, and goals of a step, at most
TEAMS = ("left", "right")

Role = Literal["teacher", "student"]
Named = Annotated[str, Field(min_length=1, max_length=NAME)]


class UnitLook(BaseModel):
    """How to draw a unit. The radius is in units of the map; `side` is 0 for agents, 1 for opponents."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Named
    side: int = Field(ge=0, le=2)
    radius: float = Field(ge=0, le=4)
    max_health: float = Field(ge=0)
    max_shield: float = Field(ge=0)


class ReplayHeader(BaseModel):
    """Facts about all episodes of a replay. `looks` holds the N agents first; it is empty where no units are drawn."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_number: int = SCHEMA
    backend: Named
    backend_version: str = Field(max_length=NAME)
    map: Named
    names: Mapping[Role, Named]  # of the policies in `minds`, as tables print them
    role: Role  # the policy that played
    z: ZSource  # and where its z came from
    head: Literal["values", "logits"]  # kind of the numbers in `values`
    checkpoint: Inside  # path inside the run folder
    teacher_id: str
    policy_id: str
    train_seed: Count
    env_steps: Count
    evaluation_seed: Count
    code: str
    action_names: tuple[str, ...]
    state_names: tuple[str, ...]
    looks: tuple[UnitLook, ...] = Field((), max_length=UNITS)
    can_be_won: bool = True  # whether an episode can be won
    sight: float | None = None  # how far an agent sees; None: there are no distances, or it sees everything

    @model_validator(mode="after")
    def _has_a_player(self) -> "ReplayHeader":
        if self.role not in self.names:
            raise ValueError("nobody who played")
        if self.backend == "football":
            columns_of_football(self.state_names)
        elif any(look.side > 1 for look in self.looks):  # football's ball is of neither
            raise ValueError("a unit of neither side")
        return self

    @property
    def name(self) -> str:
        """The name of the policy that played."""
        return self.names[self.role]


def columns_of_football(state_names: Sequence[str]) -> dict[str, int]:
    """The columns of a football state that are drawn: places of the ball and of each player, and who has the ball.

    Args:
        state_names: names of the state's features.

    Raises:
        ValueError: one is missing, or there is a player of no team.
    """
    players = [name.removesuffix("_tired") for name in state_names if name.endswith("_tired")]
    for player in players:
        team, _, number = player.partition("_")
        if team not in TEAMS or not (number.isascii() and number.isdecimal() and len(number) <= 2):
            raise ValueError("a player of no team of football")
    wanted = ["ball_x", "ball_y", "ball_z"]
    wanted += [name for one in players for name in (f"{one}_x", f"{one}_y", f"ball_of_{one}")]
    column = {name: k for k, name in enumerate(state_names)}
    if not set(wanted) <= set(column):
        raise ValueError("a football state without the names of its parts")
    return {name: column[name] for name in wanted}


@dataclass(frozen=True)
class Units:
    """U units in the T+1 views of an episode; y grows to the north. `hits` are the damage and healing of each step."""

    x: NDArray[np.float32]  # (T+1, U)
    y: NDArray[np.float32]  # (T+1, U)
    health: NDArray[np.float32]  # (T+1, U)
    shield: NDArray[np.float32]  # (T+1, U)
    alive: NDArray[np.bool_]  # (T+1, U)
    hits: NDArray[np.int16]  # (H, 3) step, acting unit, unit that was damaged or healed


@dataclass(frozen=True)
class Mind:
    """Outputs of one policy in the episode's T steps, whether or not it chose the actions."""

    values: NDArray[np.float32]  # (T, N, A) of actions, or a policy's logits
    mean: NDArray[np.float16] | None = None  # (T, N, Z) the mean of z, or a student's prediction; None: it has no z
    sigma: NDArray[np.float16] | None = None  # (T, N, Z) standard deviation of z, where z is Gaussian
    sampled: NDArray[np.float16] | None = None  # (T, N, Z) the z that it acted on, where z was sampled


@dataclass(frozen=True)
class ReplayEpisode:
    """One episode of T steps."""

    seed: int
    won: bool
    terminated: bool  # otherwise truncated by the time limit
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
    floor: NDArray[np.bool_] | None = None  # (width, height) cell [x, y]: whether ground units can enter it


def write_replay(path: Path, replay: Replay) -> None:
    """Write a replay, whole or not at all.

    Raises:
        StorageError: it cannot be written.
    """
    image = io.BytesIO()  # not a file: HDF5 aborts the process where a disk is full
    with h5py.File(image, "w") as file:
        _keep(file, "header", np.frombuffer(replay.header.model_dump_json().encode(), np.uint8))
        if replay.floor is not None:
            _keep(file, "floor", replay.floor)
        for number, episode in enumerate(replay.episodes):
            group = file.create_group(f"episodes/{number}")
            for name in ("seed", "won", "terminated"):
                hdf5.write_attribute(group, name, getattr(episode, name))
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
    with _opened(path) as file:
        header = _header(file)
        floor = _floor(file) if hdf5.has(file, "floor") else None
        held, size = hdf5.group(file, "episodes"), max(floor.shape) if floor is not None else 0
        check_room(hdf5.declared_bytes(held), f"what {path} holds", "keep fewer episodes in one replay")
        episodes = tuple(_episode(hdf5.group(held, str(k)), header, size) for k in range(_count(held)))
    return Replay(header, episodes, floor)


def read_header(path: Path) -> ReplayHeader:
    """The header of a replay, without its episodes.

    Raises:
        PtdeError: as `read_replay`.
    """
    with _opened(path) as file:
        return _header(file)


def count_episodes(path: Path) -> int:
    """How many episodes a replay holds.

    Raises:
        PtdeError: as `read_replay`.
    """
    with _opened(path) as file:
        return _count(hdf5.group(file, "episodes"))


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    missing = "keep some: `ptde evaluate CHECKPOINT --keep-replays 4`"
    with hdf5.opened(path, _broken(path), "replay", missing) as file:
        yield file


def _header(file: Any) -> ReplayHeader:
    if hdf5.rows_of(file, "header") > HEADER:
        raise ValueError(f"a header of more than {HEADER:,} bytes")
    text = hdf5.array(file, "header", Column(np.uint8, (None,))).tobytes()
    try:
        header = ReplayHeader.model_validate(parse_json(text))
    except ValidationError as error:
        raise ValueError(f"its header, {first_fault(error)}") from None
    if header.schema_number != SCHEMA:
        raise ValueError(f"schema {header.schema_number}")
    return header


def _count(held: Any) -> int:
    if len(held) > EPISODES:
        raise ValueError(f"more than {EPISODES:,} episodes")
    return len(held)


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


def _floor(file: Any) -> NDArray[np.bool_]:
    shape, _, _ = hdf5.facts_of(file, "floor")
    if not all(1 <= side <= SIDE for side in shape):
        raise ValueError(f"a floor that is not 1 to {SIDE} cells from side to side")
    floor: NDArray[np.bool_] = hdf5.array(file, "floor", Column(np.bool_, (None, None)))
    return floor


def _check_football(state: NDArray[np.float32], reward: NDArray[np.float32], names: Sequence[str]) -> None:
    """Refuse places that are far off the pitch, and rewards that are no goals."""
    for name, k in columns_of_football(names).items():
        if np.abs(state[:, k]).max() > (HIGH if name == "ball_z" else AWAY):
            raise ValueError(f"{name} is far off the pitch")
    if np.abs(reward).max() > HIGH:
        raise ValueError(f"more than {HIGH:g} goals in a step")


def _episode(group: Any, header: ReplayHeader, size: int) -> ReplayEpisode:
    """One episode, whose arrays are checked against each other, the header, and the larger side of the floor.

    Raises:
        ValueError: an array does not fit.
    """
    steps = hdf5.rows_of(group, "reward")
    actions = hdf5.array(group, "actions", Column(np.int16, (steps, None)))
    agents, choices = actions.shape[1], len(header.action_names)
    if not steps or not agents or actions.min() < 0 or actions.max() >= choices:
        raise ValueError("actions that there are not")
    minds = hdf5.group(group, "minds")
    if not set(minds.keys()) <= set(header.names):
        raise ValueError("a mind of somebody else")
    reward = hdf5.array(group, "reward", Column(np.float32, (steps,)))
    state = hdf5.array(group, "state", Column(np.float32, (steps + 1, len(header.state_names))))
    if header.backend == "football":
        _check_football(state, reward, header.state_names)
    return ReplayEpisode(
        seed=hdf5.whole_number(group, "seed"),
        won=hdf5.truth(group, "won"),
        terminated=hdf5.truth(group, "terminated"),
        actions=actions,
        available=hdf5.array(group, "available", Column(np.bool_, (steps, agents, choices))),
        reward=reward,
        state=state,
        minds={role: _mind(hdf5.group(minds, role), (steps, agents), choices) for role in minds.keys()},  # noqa: SIM118  an HDF5 group
        units=_units(hdf5.group(group, "units"), steps, agents, header, size) if hdf5.has(group, "units") else None,
    )


def _mind(group: Any, of: tuple[int, int], choices: int) -> Mind:
    values = hdf5.array(group, "values", Column(np.float32, (*of, choices)))
    z = Column(np.float16, (*of, None), finite=False)  # half precision: large numbers may have become infinite
    found = {name: hdf5.array(group, name, z) for name in ("mean", "sigma", "sampled") if hdf5.has(group, name)}
    if len({array.shape for array in found.values()}) > 1:
        raise ValueError("z of several sizes")
    return Mind(values, **found)


def _units(group: Any, steps: int, agents: int, header: ReplayHeader, size: int) -> Units:
    views = steps + 1, len(header.looks)
    if agents > len(header.looks):
        raise ValueError("agents that look like nothing")
    hits = hdf5.array(group, "hits", Column(np.int16, (None, 3)))
    if hits.size and (hits.min() < 0 or hits[:, 0].max() >= steps or hits[:, 1:].max() >= len(header.looks)):
        raise ValueError("hits by or of nobody")
    numbers = {name: hdf5.array(group, name, Column(np.float32, views)) for name in ("x", "y", "health", "shield")}
    if any(numbers[axis].min() < -AWAY or numbers[axis].max() > size + AWAY for axis in "xy"):
        raise ValueError(f"units more than {AWAY:g} cells off the floor")
    alive = hdf5.array(group, "alive", Column(np.bool_, views))
    if not alive.any():
        raise ValueError("units of which none ever lives")
    return Units(**numbers, alive=alive, hits=hits)
