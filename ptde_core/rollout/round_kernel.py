"""Several steps of several battles in one call: views, networks, choice, simulator, recording. Numba compiles it.

It says in compiled code what the loop of `rollout/play.py` says in Python, and calls the kernels that this calls, by
their addresses (`kernels/calling.py`): so a step has the same bits, and little is left to compile.
"""

# ruff: noqa: D417  (shapes are told of what needs telling)

from typing import Any

import numpy as np

from ptde_core.envs.skirmish.battle import RESET, STEP, Battles
from ptde_core.envs.skirmish.compiled import entry, kernel
from ptde_core.envs.skirmish.fields import RUNNING
from ptde_core.envs.skirmish.map_constants import MapTables
from ptde_core.kernels.calling import call
from ptde_core.kernels.rows import copy_floats
from ptde_core.rollout.round_arrays import Addresses, Draws, Floats, Information, Record, Room, Rows


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
    return bool(total == np.float32(0.0))


@kernel
def _begin(at: Addresses, m: MapTables, b: Battles, rows: Rows, record: Record, room: Room, e: int) -> None:
    """The battle of environment e, which nobody remembers anything of."""
    rows.fresh[e], rows.numbers[e, 0] = False, e
    call(at.advance, (m, b, RESET, rows.numbers, rows.seeds, e, e + 1, room.scratch))
    for i in range(rows.memory.shape[1]):
        for h in range(rows.memory.shape[2]):
            rows.memory[e, i, h] = np.float32(0.0)
    _keep_view(b, e, record)


@kernel
def _decide(at: Addresses, agent: Any, information: Information, draws: Draws, room: Room, count: int) -> None:
    """Values of actions for the room's first environments, from what they see."""
    agents = room.noise.shape[1]
    rows = count * agents
    local, z, memory, values = room.local[:rows], room.z[:rows], room.memory[:rows], room.values[:rows]
    if at.inform:
        noise = room.noise[: count if len(draws.noise) else 0]
        seen = local.reshape((count, agents, local.shape[1])), room.state[:count], information.one_hot, noise
        made = information.floor, z.reshape((count, agents, z.shape[1]))
        call(at.inform, (*seen, *information.weights, *made))
    call(at.act, (local, z, *agent, memory, values))


@kernel
def _choose(at: Addresses, b: Battles, rows: Rows, draws: Draws, values: Floats, e: int, place: int, step: int) -> None:
    """Write the actions of environment e into its numbers, given their values (N, A)."""
    agents, n_actions = values.shape
    if len(draws.logarithms):  # as `policies.policy.perturbed`
        for i in range(agents):
            for action in range(n_actions):
                values[i, action] = np.float32(values[i, action] - draws.logarithms[place, step, i, action])
    own, known = slice(e, e + 1), (values.reshape((1, agents, n_actions)), b.available[e : e + 1])
    call(at.choose, (*known, rows.epsilon[own], draws.uniforms[place, step : step + 1], rows.numbers[own]))


@kernel
def _advance(at: Addresses, m: MapTables, b: Battles, rows: Rows, record: Record, room: Room, e: int, k: int) -> None:
    """A step of the battle of environment e, which stands at place k of the room, under its numbers."""
    now = b.clock[e]
    for i in range(b.actions.shape[1]):
        record.actions[e, now, i] = rows.numbers[e, i]
    if len(record.noise):
        _copy(record.noise[e, now], room.noise[k])
    call(at.advance, (m, b, STEP, rows.numbers, rows.seeds, e, e + 1, room.scratch))
    record.reward[e, now] = b.reward[e]
    _keep_view(b, e, record)


@entry
def go_on(
    at: Addresses, m: MapTables, b: Battles, agent: Any, information: Information,
    rows: Rows, record: Record, draws: Draws, room: Room, count: int, steps: int,
) -> bool:  # fmt: skip
    """Play `steps` steps of the first `count` of the room's environments, each as long as its battle lasts.

    Args:
        at, agent, information: the kernels, and what `act` and `inform` take beside what is seen.
        m, b: the map and all its battles.
        rows, record, draws, room: see `round_arrays.py`.

    Returns:
        Whether all values of actions were finite; where not, nothing was done with them.
    """
    agents, left = b.actions.shape[1], count
    for k in range(count):
        e = room.row[k]
        if rows.fresh[e]:
            _begin(at, m, b, rows, record, room, e)
        _copy(room.memory[k * agents : (k + 1) * agents], rows.memory[e])
        room.place[k] = k
    for step in range(steps):
        if left == 0:
            break
        for k in range(left):
            e = room.row[k]
            _see(b, e, room.local[k * agents : (k + 1) * agents])
            _copy(room.state[k], b.state[e])
            if len(draws.noise):
                _copy(room.noise[k], draws.noise[room.place[k], step])
        _decide(at, agent, information, draws, room, left)
        if not _are_finite(room.values[: left * agents]):
            return False
        running = 0
        for k in range(left):
            e, place = room.row[k], room.place[k]
            _choose(at, b, rows, draws, room.values[k * agents : (k + 1) * agents], e, place, step)
            _advance(at, m, b, rows, record, room, e, k)
            if b.outcome[e] == RUNNING:  # whoever plays on moves up
                to, of = running * agents, k * agents
                room.row[running], room.place[running] = e, place
                if to != of:
                    _copy(room.memory[to : to + agents], room.memory[of : of + agents])
                running += 1
        left = running
    for k in range(left):
        _copy(rows.memory[room.row[k]], room.memory[k * agents : (k + 1) * agents])
    return True
