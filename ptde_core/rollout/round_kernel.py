"""Several steps of several battles in one call: views, networks, choice, simulator, recording. Numba compiles it.

It says in compiled code what the loop of `rollout/play.py` says in Python, and calls the kernels that this calls, by
their addresses (`kernels/calling.py`): so a step has the same bits, and little is left to compile.
"""

# ruff: noqa: D417  (shapes are told of what needs telling)

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ptde_core.envs.skirmish.battle import RESET, STEP, Battles
from ptde_core.envs.skirmish.compiled import entry, kernel
from ptde_core.envs.skirmish.fields import RUNNING
from ptde_core.envs.skirmish.map_constants import MapTables
from ptde_core.kernels.calling import call
from ptde_core.kernels.rows import copy_floats

Floats = NDArray[np.float32]


class Addresses(NamedTuple):
    """Of the kernels that are called; `inform` is 0 where the networks have no global information."""

    advance: int
    act: int
    inform: int
    choose: int


class Information(NamedTuple):
    """What `inform` takes beside what is seen; empty arrays where there is no information."""

    one_hot: int
    weights: Any  # a tuple of arrays
    floor: float


class Rows(NamedTuple):
    """What is known of each of the E environments from one call to the next; each belongs to one thread at a time."""

    numbers: NDArray[np.int64]  # (E, N) actions; to begin a battle, the row's own number
    seeds: NDArray[np.uint64]  # (E,)
    fresh: NDArray[np.bool_]  # (E,) whether its battle is still to be begun
    memory: Floats  # (E, N, H)
    epsilon: NDArray[np.float64]  # (E,)


class Record(NamedTuple):
    """The episode that each environment is playing, up to the limit of T steps."""

    obs: Floats  # (E, T+1, N, O)
    state: Floats  # (E, T+1, S)
    available: NDArray[np.bool_]  # (E, T+1, N, A)
    actions: NDArray[np.int16]  # (E, T, N)
    reward: Floats  # (E, T)
    noise: Floats  # (E, T, N, Z), or (0, T, N, Z) where it is not kept


class Draws(NamedTuple):
    """Random numbers for the next C steps of each of K environments, drawn from the streams of their episodes."""

    noise: Floats  # (K, C, N, Z) standard normals of z; (0, C, N, Z) for its mean
    minus: NDArray[np.float64]  # (K, C, N, A) subtracted from the logits to draw actions; (0, C, N, A) for the best ones
    uniforms: NDArray[np.float64]  # (K, C, 2, N) of exploration


class Room(NamedTuple):
    """Where one thread works on up to K environments."""

    near: NDArray[np.int64]  # of the simulator
    block: NDArray[np.float64]
    row: NDArray[np.int64]  # (K,) which of the E environments
    place: NDArray[np.int64]  # (K,) which of the draws
    local: Floats  # (K*N, L)
    state: Floats  # (K, S)
    noise: Floats  # (K, N, Z)
    z: Floats  # (K*N, Z)
    memory: Floats  # (K*N, H)
    values: Floats  # (K*N, A)


@kernel
def _copy(into: Floats, of: Floats) -> None:
    """Both contiguous, and of one shape."""
    copy_floats(into.ctypes.data, of.ctypes.data, of.size)


@kernel
def _see(b: Battles, e: int, local: Floats) -> None:
    """Fill the agents' local inputs (N, L): observation, last action, identity."""
    agents, size, n_actions = b.obs.shape[1], b.obs.shape[2], b.available.shape[2]
    for i in range(agents):
        own = local[i]
        _copy(own, b.obs[e, i])
        for k in range(size, len(own)):
            own[k] = np.float32(0.0)
        if b.actions[e, i] >= 0:
            own[size + b.actions[e, i]] = np.float32(1.0)
        own[size + n_actions + i] = np.float32(1.0)


@kernel
def _keep_view(b: Battles, e: int, record: Record) -> None:
    step = b.clock[e]
    _copy(record.obs[e, step], b.obs[e])
    _copy(record.state[e, step], b.state[e])
    for i in range(b.available.shape[1]):
        for action in range(b.available.shape[2]):
            record.available[e, step, i, action] = b.available[e, i, action]


@kernel
def _are_finite(values: Floats) -> bool:
    total = np.float32(0.0)
    for row in range(len(values)):
        own = values[row]
        for k in range(len(own)):
            total += own[k] * np.float32(0.0)  # not a number if one is not finite
    return total == np.float32(0.0)


@entry
def go_on(
    at: Addresses, m: MapTables, b: Battles, agent: Any, information: Information,
    rows: Rows, record: Record, draws: Draws, room: Room, count: int, steps: int,
) -> bool:  # fmt: skip
    """Play `steps` steps of the first `count` of the room's environments, each as long as its battle lasts.

    Args:
        agent: a tuple of what `act` takes beside what is seen.

    Returns:
        Whether all action values were finite; if not, nothing more was done.
    """
    agents, left = b.actions.shape[1], count
    for k in range(count):
        e = room.row[k]
        if rows.fresh[e]:
            rows.fresh[e] = False
            rows.numbers[e, 0] = e
            call(at.advance, (m, b, RESET, rows.numbers, rows.seeds, e, e + 1, room.near, room.block))
            for i in range(agents):
                for h in range(rows.memory.shape[2]):
                    rows.memory[e, i, h] = np.float32(0.0)
            _keep_view(b, e, record)
        _copy(room.memory[k * agents : (k + 1) * agents], rows.memory[e])
        room.place[k] = k
    for step in range(steps):
        if left == 0:
            break
        for k in range(left):
            e = room.row[k]
            _see(b, e, room.local[k * agents : (k + 1) * agents])
            if at.inform:
                _copy(room.state[k], b.state[e])
                if len(draws.noise):
                    _copy(room.noise[k], draws.noise[room.place[k], step])
        local, z, values = room.local[: left * agents], room.z[: left * agents], room.values[: left * agents]
        if at.inform:
            sampled = left if len(draws.noise) else 0
            seen = local.reshape((left, agents, local.shape[1])), room.state[:left]
            given = information.one_hot, room.noise[:sampled]
            made = information.floor, z.reshape((left, agents, z.shape[1]))
            call(at.inform, seen + given + information.weights + made)
        call(at.act, (local, z) + agent + (room.memory[: left * agents], values))
        if not _are_finite(values):
            return False
        running = 0
        for k in range(left):
            e, place, now = room.row[k], room.place[k], b.clock[room.row[k]]
            own = values[k * agents : (k + 1) * agents]
            if len(draws.minus):
                for i in range(agents):
                    for action in range(own.shape[1]):
                        own[i, action] = np.float32(own[i, action] - draws.minus[place, step, i, action])
            chances = rows.epsilon[e : e + 1], draws.uniforms[place, step : step + 1]
            known = own.reshape((1, agents, own.shape[1])), b.available[e : e + 1]
            call(at.choose, known + chances + (rows.numbers[e : e + 1],))
            for i in range(agents):
                record.actions[e, now, i] = rows.numbers[e, i]
            if len(record.noise):
                _copy(record.noise[e, now], room.noise[k])
            call(at.advance, (m, b, STEP, rows.numbers, rows.seeds, e, e + 1, room.near, room.block))
            record.reward[e, now] = b.reward[e]
            _keep_view(b, e, record)
            if b.outcome[e] == RUNNING:  # whoever plays on moves up
                if running < k:
                    room.row[running], room.place[running] = e, place
                    to, of = running * agents, k * agents
                    _copy(room.memory[to : to + agents], room.memory[of : of + agents])
                running += 1
        left = running
    for k in range(left):
        _copy(rows.memory[room.row[k]], room.memory[k * agents : (k + 1) * agents])
    return True
