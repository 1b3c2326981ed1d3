"""A battle from its start through its game loops to its end, and the two kernels that Python calls for a batch.

One loop: answers to fire, timers and regeneration, targets, decisions, movement, strikes, deaths
(smac-contract#game-loop).
One env step: orders, 8 loops, outcome, reward, views (smac-contract#step).
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ptde_core.envs.skirmish.acquisition import acquire, answer_fire
from ptde_core.envs.skirmish.compiled import entry, kernel
from ptde_core.envs.skirmish.fields import (
    ALIVE,
    BEAM_AT,
    BURST_AT,
    COOLDOWN,
    DRAWN,
    ENERGY,
    ENERGY_START,
    FACE_X,
    FACE_Y,
    HEAD_START,
    HEAL_RATE,
    HEAL_SCAN,
    HEALER_RULES,
    HEALTH,
    HEALTH_MAX,
    HOME_X,
    HOME_Y,
    LIMIT,
    LOST,
    QUIET,
    RUNNING,
    SCALE,
    SCAN_PHASE,
    SHIELD,
    SHIELD_MAX,
    SHOT_AT,
    SIGHT,
    SPAWN_X,
    SPAWN_Y,
    STRUCK_BY,
    SWING_AT,
    TARGET,
    TIMED_OUT,
    TOUCHED,
    WAY_FOR,
    WON,
    WORTH,
    X,
    Y,
)
from ptde_core.envs.skirmish.map_constants import REWARD_DEATH, REWARD_WIN, MapTables, Reals, Wholes
from ptde_core.envs.skirmish.movement import walk_all
from ptde_core.envs.skirmish.nearby import note_places
from ptde_core.envs.skirmish.orders import decide, order_agents, order_enemies
from ptde_core.envs.skirmish.random_stream import uniform
from ptde_core.envs.skirmish.scratch import Scratch
from ptde_core.envs.skirmish.smac_views import show_available, show_observations, show_state
from ptde_core.envs.skirmish.weapons import READY, SHIELD_DELAY, bury, pass_time, strike

LOOPS_PER_STEP = 8


class Battles(NamedTuple):
    """Everything that changes in a batch of E battles with N agents and U units; copied whole by a snapshot."""

    real: NDArray[np.float64]  # (E, REALS, U)
    whole: NDArray[np.int64]  # (E, WHOLES, U)
    chance: NDArray[np.uint64]  # (E,) counter of the battle's random stream
    clock: NDArray[np.int64]  # (E,) env steps played
    outcome: NDArray[np.int64]  # (E,) RUNNING, WON, ...
    actions: NDArray[np.int64]  # (E, N) last given; -1 before the first
    obs: NDArray[np.float32]  # (E, N, O)
    state: NDArray[np.float32]  # (E, S)
    available: NDArray[np.bool_]  # (E, N, A)
    reward: NDArray[np.float32]  # (E,)


@kernel
def _loop(
    m: MapTables,
    n_agents: int,
    loop: int,
    chance: NDArray[np.uint64],
    battle: int,
    real: Reals,
    whole: Wholes,
    scratch: Scratch,
) -> None:
    """One game loop of one battle."""
    answer_fire(m, n_agents, real, whole)
    pass_time(m, real, whole)
    acquire(m, n_agents, real, whole, scratch)
    decide(m, loop, chance, battle, real, whole)
    walk_all(m, chance, battle, real, whole, scratch)
    strike(m, real, whole)
    bury(m, real, whole, scratch)


@kernel
def _spawn(m: MapTables, n_agents: int, chance: NDArray[np.uint64], battle: int, real: Reals, whole: Wholes) -> None:
    """All units at full health on their spots, facing anywhere, the enemy under its order (smac-contract#start)."""
    real[:, :] = 0.0
    whole[:, :] = 0
    for i in range(real.shape[1]):
        angle = 2.0 * math.pi * uniform(chance, battle)
        real[X, i], real[Y, i] = m.body[SPAWN_X, i], m.body[SPAWN_Y, i]
        real[HOME_X, i], real[HOME_Y, i] = real[X, i], real[Y, i]
        real[FACE_X, i], real[FACE_Y, i] = math.cos(angle), math.sin(angle)
        real[HEALTH, i], real[SHIELD, i] = m.body[HEALTH_MAX, i], m.body[SHIELD_MAX, i]
        real[ENERGY, i] = m.body[ENERGY_START, i]
        real[COOLDOWN, i] = READY
        real[QUIET, i] = SHIELD_DELAY
        whole[ALIVE, i] = 1
        for row in (TARGET, SWING_AT, BURST_AT, SHOT_AT, BEAM_AT, STRUCK_BY):
            whole[row, i] = -1
        whole[WAY_FOR, i] = -2
        whole[SCAN_PHASE, i] = int(m.setting[HEAL_SCAN] * uniform(chance, battle))
    order_enemies(m, n_agents, chance, battle, real, whole)


@kernel
def _weigh(n_agents: int, real: Reals, whole: Wholes) -> float:
    """The absolute change of the enemies' health and shield since the last call, 10 more per kill.

    Source: smac-contract#reward.
    """
    total = 0.0
    for j in range(n_agents, real.shape[1]):
        if real[WORTH, j] < 0.0:  # dead before
            continue
        if whole[ALIVE, j] == 0:
            total += real[WORTH, j] + REWARD_DEATH
            real[WORTH, j] = -1.0
        else:
            worth = real[HEALTH, j] + real[SHIELD, j]
            total += real[WORTH, j] - worth
            real[WORTH, j] = worth
    return abs(total)


@kernel
def _outcome(m: MapTables, n_agents: int, clock: int, whole: Wholes) -> int:
    """The end code of smac-contract#ends; a win or a loss on the last step counts before the time limit."""
    living, fighters, foes, foe_fighters = 0, 0, 0, 0
    for i in range(whole.shape[1]):
        fights = 1 if m.body[HEAL_RATE, i] == 0.0 else 0
        if i < n_agents:
            living += whole[ALIVE, i]
            fighters += whole[ALIVE, i] * fights
        else:
            foes += whole[ALIVE, i]
            foe_fighters += whole[ALIVE, i] * fights
    healer_rules = m.setting[HEALER_RULES] > 0.0
    if (living == 0 and foes > 0) or (healer_rules and fighters == 0):
        return LOST
    if (living > 0 and foes == 0) or (healer_rules and foes == 1 and foe_fighters == 0):
        return WON
    if living == 0:
        return DRAWN
    return TIMED_OUT if clock >= m.setting[LIMIT] else RUNNING


@kernel
def _show(m: MapTables, b: Battles, e: int) -> None:
    """Bring all views of battle e up to date."""
    n_agents, n_actions = b.available.shape[1], b.available.shape[2]
    show_available(m, n_agents, b.real[e], b.whole[e], b.available[e])
    show_observations(m, n_agents, b.real[e], b.whole[e], b.available[e], SIGHT, b.obs[e])
    show_state(m, n_agents, b.real[e], b.whole[e], b.actions[e], n_actions, b.state[e])


@kernel
def _begin(m: MapTables, b: Battles, e: int, seed: int) -> None:
    """A new battle in row e, before its head start."""
    b.chance[e] = seed
    _spawn(m, b.actions.shape[1], b.chance, e, b.real[e], b.whole[e])
    b.clock[e], b.outcome[e], b.reward[e] = 0, RUNNING, 0.0
    b.actions[e, :] = -1


@kernel
def _order(m: MapTables, b: Battles, e: int, actions: NDArray[np.int64]) -> None:
    """Battle e under its agents' new orders."""
    b.whole[e, TOUCHED, :] = 0
    for i in range(b.actions.shape[1]):
        b.actions[e, i] = actions[i]
    order_agents(m, b.actions.shape[1], b.real[e], b.whole[e], actions)


@kernel
def _settle(m: MapTables, b: Battles, e: int) -> None:
    """The outcome and the reward of battle e's env step."""
    b.clock[e] += 1
    b.outcome[e] = _outcome(m, b.actions.shape[1], b.clock[e], b.whole[e])
    reward = _weigh(b.actions.shape[1], b.real[e], b.whole[e])
    if b.outcome[e] == WON:
        reward += REWARD_WIN
    b.reward[e] = reward / m.setting[SCALE]


@kernel
def _value(b: Battles, e: int) -> None:
    """What the enemies of battle e are worth from now on; as they stand it pays nothing."""
    for j in range(b.actions.shape[1], b.real.shape[2]):
        alive = b.whole[e, ALIVE, j] == 1
        b.real[e, WORTH, j] = b.real[e, HEALTH, j] + b.real[e, SHIELD, j] if alive else -1.0


RESET, STEP, SHOW = range(3)


@entry
def advance(
    m: MapTables,
    b: Battles,
    task: int,
    numbers: NDArray[np.int64],
    seeds: NDArray[np.uint64],
    first: int,
    last: int,
    scratch: Scratch,
) -> None:
    """The one entry point (one compilation, one cache entry), for lines first..last-1 of `numbers` (R, N).

    STEP and SHOW: a line is a battle, and `numbers` holds actions. RESET: column 0 names the battle.
    """
    n_agents = b.actions.shape[1]
    # One loop for all tasks: kernels are merged into their callers, and a second call of `_loop` would double
    # the time to compile.
    for k in range(first, last):
        e = numbers[k, 0] if task == RESET else k
        if task == STEP:
            b.reward[e] = 0.0
            if b.outcome[e] != RUNNING:
                continue
        since, loops = 0, 0
        if task == RESET:
            _begin(m, b, e, seeds[k])
            loops = int(m.setting[HEAD_START])
        elif task == STEP:
            _order(m, b, e, numbers[e])
            since, loops = b.clock[e] * LOOPS_PER_STEP, LOOPS_PER_STEP
        note_places(b.real[e], b.whole[e], scratch)
        for loop in range(since, since + loops):
            _loop(m, n_agents, loop, b.chance, e, b.real[e], b.whole[e], scratch)
        if task == STEP:
            _settle(m, b, e)
        else:
            _value(b, e)
        _show(m, b, e)
