"""Measures of z: which parts of the state it depends on, and how much of it a student recovers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ptde_core.base.batch import Episode
from ptde_core.policies.attribution import MeanOfZ, hidden_changes, probes, sensitivities
from ptde_core.policies.network_inputs import local_inputs_of
from ptde_core.policies.student import Student
from ptde_core.rollout.step_through import step_through
from ptde_core.storage.replay_file import UnitLook, Units

ROWS_AT_ONCE = 512
NEAR = (3.0, 6.0, 9.0)  # cells: bounds between the classes of distance
BLOCK = re.compile(r"[A-Za-z]+_\d+|[A-Za-z]+")  # ally_3, left_10, ball: what a name of the state begins with


@dataclass(frozen=True)
class Played:
    """An episode, and where its units were if they are anywhere."""

    episode: Episode
    units: Units | None


@dataclass(frozen=True)
class Dependence:
    """What z depends on. Shares are of all blocks; K blocks, T steps at most, C classes.

    Args:
        blocks: names of the parts of the state.
        by_agent: (N, K) share of each block in what moves the agent's z (gradient), over all steps.
        hidden: (N, K) squared change of the agent's z when the block is hidden, as a share of the variance of its z.
        all_hidden: (N,) the same when the whole state is hidden; the rest of z is from what the agent sees.
        classes: names of what the blocks are to the agent: its own, in sight or beyond it; empty without units.
        by_class: (C,) share of each class.
        over_time: (T, C) the same step by step; NaN where nobody had a choice.
    """

    blocks: tuple[str, ...]
    by_agent: NDArray[np.float64]
    hidden: NDArray[np.float64]
    all_hidden: NDArray[np.float64]
    classes: tuple[str, ...]
    by_class: NDArray[np.float64]
    over_time: NDArray[np.float64]


@dataclass(frozen=True)
class Recovery:
    """How well the student's z' recovers z: 1 - squared error / variance of z, of all and of groups of agent-steps.

    The variance is that of all agent-steps, so that groups have one yardstick: 1 is all of it, 0 as good as always
    saying the mean.
    """

    rows: int  # agent-steps
    explained: float
    by_type: dict[str, tuple[int, float]]  # agent's unit type -> agent-steps, explained
    by_distance: dict[str, tuple[int, float]]  # to the nearest living enemy
    over_time: NDArray[np.float64]  # (T,) NaN where nobody had a choice


def blocks_of(state_names: Sequence[str]) -> dict[str, list[int]]:
    """The parts of a state -> their columns: a unit is one where names begin with one, else each first word is one."""
    found: dict[str, list[int]] = {}
    for column, name in enumerate(state_names):
        word = BLOCK.match(name)
        found.setdefault(word[0] if word else name, []).append(column)
    return found


def depends_on(
    mean_of: MeanOfZ,
    played: Sequence[Played],
    state_names: Sequence[str],
    sight: float | None,
    directions: int,
    seed: int,
) -> Dependence:
    """What the z of a teacher's agents depends on in these episodes.

    A number of the state counts as its squared gradient times its variance over all steps: what a change as large as it
    is usual does to z, as far as z is linear. Only agents that have a choice count.

    Args:
        mean_of: the mean of the teacher's z.
        played: the episodes.
        state_names: what the state's numbers are.
        sight: how far agents see, in cells.
        directions: gradients per agent and step (`attribution.probes`).
        seed: of those directions.
    """
    local = torch.cat([local_inputs_of(one.episode) for one in played])  # (R, N, L)
    state = torch.from_numpy(np.concatenate([one.episode.state[:-1] for one in played]))  # (R, S)
    choice = _choices(played)  # (R, N)
    blocks = blocks_of(state_names)
    with torch.no_grad():
        mean = mean_of(local, state).numpy()  # (R, N, Z)
    variance = state.var(dim=0, unbiased=False)  # (S,)
    basis = probes(mean.shape[-1], directions, seed)
    moved = np.concatenate(  # (R, N, K)
        [
            _by_block(sensitivities(mean_of, local[rows], state[rows], basis) * variance, blocks)
            for rows in _chunks(len(state))
        ]
    )
    moved *= choice[..., None]
    parts = [*blocks.values(), list(range(len(state_names)))]  # each block, then all of them
    hidden = np.stack(
        [hidden_changes(mean_of, local, state, torch.tensor(columns)).numpy() for columns in parts], axis=-1
    )  # (R, N, K+1)
    spread = np.array([mean[who, i].var(axis=0).sum() if who.any() else 0.0 for i, who in enumerate(choice.T)])
    counted = np.maximum(choice.sum(axis=0), 1)  # (N,)
    changes = (hidden * choice[..., None]).sum(axis=0) / counted[:, None]  # (N, K+1)
    changes /= np.where(spread > 0, spread, np.nan)[:, None]
    classes, of_class = _classes(played, list(blocks), sight)
    steps = _steps(played)
    by_class = np.array([(moved * (of_class == k)).sum() for k in range(len(classes))])
    over_time = np.array(
        [[(moved * (of_class == k))[steps == t].sum() for k in range(len(classes))] for t in range(steps.max() + 1)]
    )
    return Dependence(
        blocks=tuple(blocks),
        by_agent=_shares(moved.sum(axis=0)),
        hidden=changes[:, :-1],
        all_hidden=changes[:, -1],
        classes=classes,
        by_class=_shares(by_class) if classes else by_class,
        over_time=_shares(over_time) if classes else over_time,
    )


def recovers(mean_of: MeanOfZ, student: Student, played: Sequence[Played], looks: Sequence[UnitLook]) -> Recovery:
    """How well a student recovers its teacher's z in these episodes."""
    with torch.no_grad():
        told = [mean_of(local_inputs_of(one.episode), torch.from_numpy(one.episode.state[:-1])) for one in played]
    z = torch.cat(told).numpy()  # (R, N, Z)
    guess = np.concatenate([_prediction(student, one.episode) for one in played])  # (R, N, Z)
    choice, steps = _choices(played), _steps(played)
    error = ((guess - z) ** 2).sum(axis=-1)  # (R, N)
    variance = float(z[choice].var(axis=0).sum())

    def explained(group: NDArray[np.bool_]) -> float:
        chosen = group & choice
        return 1 - float(error[chosen].mean()) / variance if chosen.any() and variance > 0 else float("nan")

    def counted(groups: dict[str, NDArray[np.bool_]]) -> dict[str, tuple[int, float]]:
        return {name: (int((g & choice).sum()), explained(g)) for name, g in groups.items() if (g & choice).any()}

    everyone = np.ones_like(choice)
    agents = looks[: choice.shape[1]]
    types = {look.name: np.array([one.name == look.name for one in agents]) & everyone for look in agents}
    return Recovery(
        rows=int(choice.sum()),
        explained=explained(everyone),
        by_type=counted(types) if len(types) > 1 and all(look.max_health for look in agents) else {},
        by_distance=counted(_near(played, looks)),
        over_time=np.array([explained(everyone & (steps == t)[:, None]) for t in range(steps.max() + 1)]),
    )


def _prediction(student: Student, episode: Episode) -> NDArray[np.float32]:
    z = step_through(student, episode, sampled=False).z
    assert z is not None
    found: NDArray[np.float32] = z.numpy()
    return found


def _chunks(rows: int) -> list[slice]:
    return [slice(start, start + ROWS_AT_ONCE) for start in range(0, rows, ROWS_AT_ONCE)]


def _choices(played: Sequence[Played]) -> NDArray[np.bool_]:
    """(R, N) which agents had more than one action: the dead have not."""
    return np.concatenate([one.episode.available[:-1].sum(axis=-1) > 1 for one in played])


def _steps(played: Sequence[Played]) -> NDArray[np.int64]:
    return np.concatenate([np.arange(one.episode.length) for one in played])


def _by_block(values: Tensor, blocks: dict[str, list[int]]) -> NDArray[np.float64]:
    sums = [values[..., columns].sum(dim=-1).numpy().astype(np.float64) for columns in blocks.values()]
    found: NDArray[np.float64] = np.stack(sums, axis=-1)
    return found


def _shares(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each row as shares of its sum; NaN where that is zero."""
    total = values.sum(axis=-1, keepdims=True)
    found: NDArray[np.float64] = np.divide(values, total, out=np.full_like(values, np.nan), where=total > 0)
    return found


def _distances(units: Units, agents: int) -> NDArray[np.float64]:
    """(T, N, U) from each agent to each unit at every step, in cells."""
    dx = units.x[:-1, :agents, None] - units.x[:-1, None]
    dy = units.y[:-1, :agents, None] - units.y[:-1, None]
    away: NDArray[np.float64] = np.hypot(dx, dy).astype(np.float64)
    return away


OWN, ALLY_NEAR, ALLY_FAR, ENEMY_NEAR, ENEMY_FAR, DEAD = range(6)


def _classes(
    played: Sequence[Played], blocks: list[str], sight: float | None
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """What each block is to each agent at each step: names, and (R, N, K); no names where blocks are not units."""
    n_agents = played[0].episode.actions.shape[1]
    unit_of = _units_of(blocks, n_agents)
    if sight is None or any(one.units is None for one in played) or None in unit_of:
        return (), np.zeros((1, 1, 1), np.int64)
    order = [unit for unit in unit_of if unit is not None]
    rows = []
    for one in played:
        assert one.units is not None
        near = _distances(one.units, n_agents) < sight  # (T, N, U)
        ally = np.arange(near.shape[-1]) < n_agents  # (U,)
        of = np.where(ally, np.where(near, ALLY_NEAR, ALLY_FAR), np.where(near, ENEMY_NEAR, ENEMY_FAR))  # (T, N, U)
        of = np.where(one.units.alive[:-1, None], of, DEAD)
        of[:, range(n_agents), range(n_agents)] = OWN
        rows.append(of[..., order])
    seen, unseen = f"within {sight:g} cells", f"beyond {sight:g} cells"
    names = ("own", f"allies {seen}", f"allies {unseen}", f"enemies {seen}", f"enemies {unseen}", "the dead")
    return names, np.concatenate(rows)


def _units_of(blocks: list[str], n_agents: int) -> list[int | None]:
    """Which unit each block is of: ally_2 is unit 2, enemy_0 the first after the agents."""
    found: list[int | None] = []
    for block in blocks:
        kind, _, number = block.partition("_")
        known = kind in ("ally", "enemy") and number.isdecimal()
        found.append(int(number) + (n_agents if kind == "enemy" else 0) if known else None)
    return found


def _near(played: Sequence[Played], looks: Sequence[UnitLook]) -> dict[str, NDArray[np.bool_]]:
    """Classes of distance from an agent to the nearest living enemy -> who is in it, (R, N)."""
    if any(one.units is None for one in played) or not any(look.max_health for look in looks):
        return {}
    n_agents = played[0].episode.actions.shape[1]
    enemy = np.array([look.side == 1 for look in looks])
    nearest = []
    for one in played:
        assert one.units is not None
        away = _distances(one.units, n_agents)
        away[~np.broadcast_to(one.units.alive[:-1, None] & enemy, away.shape)] = np.inf
        nearest.append(away.min(axis=-1))
    cells = np.concatenate(nearest)  # (R, N)
    classes = list(pairwise((0.0, *NEAR, np.inf)))
    names = [f"{low:g} to {high:g} cells" if np.isfinite(high) else f"{low:g} cells and more" for low, high in classes]
    return {name: (low <= cells) & (cells < high) for name, (low, high) in zip(names, classes, strict=True)}
