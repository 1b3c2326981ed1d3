"""What SMAC shows of a battle: available actions, observations, state (smac-contract#availability, #views), exactly."""

import math

import numpy as np
from numpy.typing import NDArray

from ptde_core.envs.skirmish.compiled import entry, kernel
from ptde_core.envs.skirmish.fields import (
    ALIVE,
    ALLY_SHIELDS,
    ATTACK_DISTANCE,
    BIT,
    COOLDOWN,
    EAST,
    ENEMY_SHIELDS,
    ENERGY,
    FIRST_TARGET,
    HEAL_RATE,
    HEALTH,
    HEALTH_MAX,
    NO_OP,
    NORM,
    NORTH,
    SHIELD,
    SHIELD_MAX,
    SIGHT,
    SOUTH,
    STOP,
    TYPE_BITS,
    WEST,
    X,
    Y,
)
from ptde_core.envs.skirmish.map_constants import MapTables, Reals, Wholes

TEST_STEP = 1.0  # a direction is offered if the cell this far ahead is walkable (half of SMAC's move amount)


@kernel
def show_available(m: MapTables, n_agents: int, real: Reals, whole: Wholes, available: NDArray[np.bool_]) -> None:
    """Fill available (N, A). The ground grid counts for everybody, flyers included (smac-contract#availability)."""
    units = real.shape[1]
    for i in range(n_agents):
        alive = whole[ALIVE, i] == 1
        available[i, :] = False
        available[i, NO_OP] = not alive
        if not alive:
            continue
        x, y = real[X, i], real[Y, i]
        available[i, STOP] = True
        available[i, NORTH] = _walkable(m, x, y + TEST_STEP)
        available[i, SOUTH] = _walkable(m, x, y - TEST_STEP)
        available[i, EAST] = _walkable(m, x + TEST_STEP, y)
        available[i, WEST] = _walkable(m, x - TEST_STEP, y)
        heals = m.body[HEAL_RATE, i] > 0.0
        start = 0 if heals else n_agents
        stop = min(n_agents, units - n_agents) if heals else units
        for j in range(start, stop):
            if whole[ALIVE, j] == 0 or (heals and m.body[HEAL_RATE, j] > 0.0):
                continue
            square = (real[X, j] - x) ** 2 + (real[Y, j] - y) ** 2
            available[i, FIRST_TARGET + j - start] = square <= ATTACK_DISTANCE * ATTACK_DISTANCE


@kernel
def _walkable(m: MapTables, x: float, y: float) -> bool:
    """Whether the cell of a point, truncated towards zero as SMAC does, is on the map and pathable in SMAC's grid."""
    cx, cy = int(x), int(y)
    width, height = m.offered.shape
    return bool(0 <= cx < width and 0 <= cy < height and m.offered[cx, cy] == 1)


@kernel
def show_observations(
    m: MapTables,
    n_agents: int,
    real: Reals,
    whole: Wholes,
    available: NDArray[np.bool_],
    sight: float,
    obs: NDArray[np.float32],
) -> None:
    """Fill obs (N, O): moves, enemies, other allies, self; zeros for the dead and what is out of sight.

    Source: smac-contract#observations.

    `sight` in cells is SMAC's 9 but for agents that see otherwise; distances are in units of SMAC's whatever it is.
    """
    units = real.shape[1]
    bits = int(m.setting[TYPE_BITS])
    ally_shields, enemy_shields = m.setting[ALLY_SHIELDS] > 0.0, m.setting[ENEMY_SHIELDS] > 0.0
    ally_width = 5 + bits + (1 if ally_shields else 0)
    enemy_width = 5 + bits + (1 if enemy_shields else 0)
    enemies_end = 4 + (units - n_agents) * enemy_width
    own_at = enemies_end + (n_agents - 1) * ally_width
    obs[:, :] = 0.0
    for j in range(units):  # unit j, as all agents see it
        if whole[ALIVE, j] == 0:
            continue
        ally = j < n_agents
        shields = ally_shields if ally else enemy_shields
        health = real[HEALTH, j] / m.body[HEALTH_MAX, j]
        shield = real[SHIELD, j] / m.body[SHIELD_MAX, j] if m.body[SHIELD_MAX, j] > 0.0 else 0.0
        bit = m.trait[BIT, j]
        x, y = real[X, j], real[Y, j]
        for i in range(n_agents):
            if whole[ALIVE, i] == 0:
                continue
            if i == j:
                for direction in range(NORTH, FIRST_TARGET):
                    obs[i, direction - NORTH] = available[i, direction]
                at = own_at
            else:
                dx, dy = x - real[X, i], y - real[Y, i]
                square = dx * dx + dy * dy
                if square >= sight * sight:
                    continue
                if ally:
                    at = enemies_end + (j if j < i else j - 1) * ally_width
                    obs[i, at] = 1.0
                else:
                    at = 4 + (j - n_agents) * enemy_width
                    obs[i, at] = available[i, FIRST_TARGET + j - n_agents]
                obs[i, at + 1] = math.sqrt(square) / SIGHT
                obs[i, at + 2] = dx / SIGHT
                obs[i, at + 3] = dy / SIGHT
                at += 4
            obs[i, at] = health
            if shields:
                obs[i, at + 1] = shield
                at += 1
            if bits > 0:
                obs[i, at + 1 + bit] = 1.0


@kernel
def show_state(
    m: MapTables,
    n_agents: int,
    real: Reals,
    whole: Wholes,
    actions: NDArray[np.int64],
    n_actions: int,
    state: NDArray[np.float32],
) -> None:
    """Fill state (S,): allies, enemies, last actions one-hot; `actions` (N,), -1 where there was none.

    Source: smac-contract#state.
    """
    width, height = m.floor.shape
    bits = int(m.setting[TYPE_BITS])
    state[:] = 0.0
    at = 0
    for j in range(real.shape[1]):
        ally = j < n_agents
        shields = m.setting[ALLY_SHIELDS] > 0.0 if ally else m.setting[ENEMY_SHIELDS] > 0.0
        columns = (4 if ally else 3) + bits + (1 if shields else 0)
        if whole[ALIVE, j] == 1:
            k = at
            state[k] = real[HEALTH, j] / m.body[HEALTH_MAX, j]
            k += 1
            if ally:
                reserve = real[ENERGY, j] if m.body[HEAL_RATE, j] > 0.0 else max(real[COOLDOWN, j], 0.0)
                state[k] = reserve / m.body[NORM, j]
                k += 1
            state[k] = (real[X, j] - width / 2) / width
            state[k + 1] = (real[Y, j] - height / 2) / height
            k += 2
            if shields:
                if m.body[SHIELD_MAX, j] > 0.0:
                    state[k] = real[SHIELD, j] / m.body[SHIELD_MAX, j]
                k += 1
            if bits > 0:
                state[k + m.trait[BIT, j]] = 1.0
        at += columns
    for i in range(n_agents):
        if actions[i] >= 0:
            state[at + i * n_actions + actions[i]] = 1.0


@entry
def observe(
    m: MapTables,
    real: NDArray[np.float64],
    whole: NDArray[np.int64],
    available: NDArray[np.bool_],
    sight: float,
    obs: NDArray[np.float32],
) -> None:
    """Fill obs (E, N, O) of all battles with what agents see within `sight` cells."""
    for e in range(len(obs)):
        show_observations(m, available.shape[1], real[e], whole[e], available[e], sight, obs[e])
