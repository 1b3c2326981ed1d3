"""`Skirmish`: a batch of battles on one map behind the environment contract (`ptde_core.envs.interface`)."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from ptde_core.envs.skirmish import fields as f
from ptde_core.envs.skirmish.battle import RESET, SHOW, STEP, Battles, advance
from ptde_core.envs.skirmish.compiled import is_compiled, note_compiled
from ptde_core.envs.skirmish.layout import Roster, build_roster
from ptde_core.envs.skirmish.map_constants import MapTables, build_tables, floor_is_open
from ptde_core.envs.skirmish.map_files import MapFacts, load_map
from ptde_core.envs.skirmish.paths import plan_detours
from ptde_core.envs.skirmish.scratch import scratch
from ptde_core.envs.skirmish.spec import VERSION, build_spec
from ptde_core.envs.skirmish.units import unit_names
from ptde_core.envs.skirmish.worker import Worker

UNIT_TYPES = unit_names()
"""The unit types; `raw_units()["type"]` is an index into this."""

RAW_UNIT = np.dtype(
    [
        ("owner", np.int8),  # 0 ally, 1 enemy
        ("type", np.int8),  # index into UNIT_TYPES
        ("x", np.float64),  # cells, east
        ("y", np.float64),  # cells, north
        ("health", np.float64),
        ("shield", np.float64),
        ("energy", np.float64),
        ("cooldown", np.float64),  # game loops until the next swing may start
        ("alive", np.bool_),
        ("face_x", np.float64),  # unit vector of the facing
        ("face_y", np.float64),
        ("target", np.int16),  # unit index that it fights or heals; -1: none
        ("swinging", np.bool_),  # a swing or its second hit is under way
    ]
)
"""One unit of a battle as `raw_units()` shows it."""


def compiled() -> bool:
    """Whether the kernels are compiled and cached on this machine; if not, the first battle takes some seconds."""
    return is_compiled(advance)


class Snapshot(NamedTuple):
    """A copy of a batch: battles and end flags."""

    battles: Battles
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    won: NDArray[np.bool_]


_PLANS: dict[tuple[str, str], tuple[MapFacts, Roster, MapTables]] = {}


def _plan(map_or_path: str | Path) -> tuple[MapFacts, Roster, MapTables]:
    """The plan of a map as it is now: a map file may have been edited since the last time."""
    facts = load_map(map_or_path)
    key = facts.name, facts.digest()
    if key not in _PLANS:
        _PLANS[key] = plan_map(facts)
    return _PLANS[key]


def plan_map(facts: MapFacts) -> tuple[MapFacts, Roster, MapTables]:
    """Roster and kernel tables of a map."""
    roster = build_roster(facts)
    if floor_is_open(facts.terrain):
        corner, detour = np.zeros((0, 2)), np.zeros((0, facts.terrain.width, facts.terrain.height))
    else:
        corner, detour = plan_detours(facts.terrain)
    return facts, roster, build_tables(facts, roster, facts.switches, corner, detour)


class Skirmish:
    """SMAC's battles without StarCraft II: E battles of one map in lock-step (`BatchedEnv`).

    Args:
        map: a built-in map's name, the path of a map file, or facts made by hand.
        n_envs: number of battles E.
        threads: worker threads that share the battles; the results do not depend on it.

    Raises:
        PtdeError: unknown map or faulty map file.
    """

    def __init__(self, map: str | Path | MapFacts, n_envs: int, threads: int = 1) -> None:  # noqa: A002  the word users type
        if n_envs < 1 or threads < 1:
            raise ValueError(f"n_envs = {n_envs} and threads = {threads} must be at least 1")
        self.facts, self._roster, self._tables = plan_map(map) if isinstance(map, MapFacts) else _plan(map)
        self.n_envs = n_envs
        self.spec = replace(build_spec(self.facts, "skirmish", VERSION), map_digest=self.facts.digest())
        units = len(self._roster.units)
        n, a, o, s = self.spec.n_agents, self.spec.n_actions, self.spec.obs_size, self.spec.state_size
        self._battles = Battles(
            real=np.zeros((n_envs, f.REALS, units)),
            whole=np.zeros((n_envs, f.WHOLES, units), np.int64),
            chance=np.zeros(n_envs, np.uint64),
            clock=np.zeros(n_envs, np.int64),
            outcome=np.full(n_envs, f.DRAWN, np.int64),
            actions=np.full((n_envs, n), -1, np.int64),
            obs=np.zeros((n_envs, n, o), np.float32),
            state=np.zeros((n_envs, s), np.float32),
            available=np.zeros((n_envs, n, a), np.bool_),
            reward=np.zeros(n_envs, np.float32),
        )
        self.obs = self._battles.obs
        self.state = self._battles.state
        self.available = self._battles.available
        self.reward = self._battles.reward
        self.terminated = np.zeros(n_envs, np.bool_)
        self.truncated = np.zeros(n_envs, np.bool_)
        self.won = np.zeros(n_envs, np.bool_)
        self.lost = np.zeros(n_envs, np.bool_)
        self.restarts = 0
        self._all_rows = np.arange(n_envs)
        self._no_seeds = np.zeros(0, np.uint64)
        self._actions = np.zeros((n_envs, n), np.int64)
        self._row_starts = a * np.arange(n_envs * n).reshape(n_envs, n)  # of each agent's row in the flat `available`
        self._wrong, self._fine = np.zeros((2, n_envs, n), np.bool_)  # scratch of the check
        self._running = np.zeros(n_envs, np.bool_)
        bounds = np.linspace(0, n_envs, min(threads, n_envs) + 1).astype(int)
        self._shares = list(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True))
        self._scratch = [scratch(units) for _ in self._shares]
        step = partial(advance, self._tables, self._battles, STEP, self._actions, self._no_seeds)
        self._workers = [
            Worker(partial(step, *share, own)) for share, own in zip(self._shares[1:], self._scratch[1:], strict=True)
        ]
        self._stops = [finalize(self, worker.stop) for worker in self._workers]  # also where nobody calls `close`
        self._unit_types = np.array([UNIT_TYPES.index(unit.name) for unit in self._roster.units], np.int8)

    @property
    def full_health(self) -> NDArray[np.float64]:
        """Largest health of every unit (U,), in the order of `raw_units`."""
        return np.array(self._tables.body[f.HEALTH_MAX], np.float64)

    def touched(self, battle: int) -> NDArray[np.int16]:
        """Who damaged or healed whom in the last env step of a battle: pairs (H, 2) of units, as `raw_units` counts."""
        sides, heals = self._roster.sides, self._tables.body[f.HEAL_RATE] > 0
        first = np.array([0, self.spec.n_agents])
        pairs = [
            (unit, first[sides[unit] if heals[unit] else 1 - sides[unit]] + place)
            for unit, bits in enumerate(self._battles.whole[battle, f.TOUCHED].tolist())
            for place in range(64)
            if bits >> place & 1
        ]
        return np.array(pairs, np.int16).reshape(-1, 2)

    def reset(self, seeds: NDArray[np.uint64], rows: NDArray[np.intp] | None = None) -> None:
        """Start new battles in `rows` (default: all); seeds (len(rows),) decide each battle's whole chance.

        Raises:
            ValueError: the numbers of seeds and rows differ.
        """
        chosen = self._all_rows if rows is None else np.asarray(rows, np.int64)
        if len(seeds) != len(chosen):
            raise ValueError(f"skirmish {self.spec.map}: {len(seeds)} seeds for {len(chosen)} rows")
        numbers = np.zeros((len(chosen), self.spec.n_agents), np.int64)
        numbers[:, 0] = chosen
        self._advance(RESET, numbers, np.asarray(seeds, np.uint64), (0, len(chosen)))
        note_compiled(advance)
        self.flag()

    def step(self, actions: NDArray[np.integer[Any]]) -> None:
        """Advance every running battle by one env step (8 game loops); actions (E, N).

        Raises:
            ValueError: an action that is not available, or a wrong shape; nothing has moved then.
        """
        self._check(actions)
        self.step_freely(actions)

    def step_freely(self, actions: NDArray[np.integer[Any]]) -> None:
        """As `step`, but without asking for availability: SMAC's scripted heuristic orders attacks at any distance.

        Action 0 for a living agent sends no order: it goes on with the one it has.
        """
        self._actions[:] = actions
        for worker in self._workers:
            worker.start()
        try:
            self._advance(STEP, self._actions, self._no_seeds, self._shares[0])  # by this thread, which would only wait
        finally:  # also when somebody interrupts: the next step must not meet a worker of this one
            for worker in self._workers:
                worker.wait()
        self.flag()

    def _advance(
        self,
        task: int,
        numbers: NDArray[np.int64],
        seeds: NDArray[np.uint64],
        lines: tuple[int, int],
    ) -> None:
        advance(self._tables, self._battles, task, numbers, seeds, *lines, self._scratch[0])

    def flag(self) -> None:
        """Bring `terminated`, `truncated` and `won` up to date with the battles."""
        outcome = self._battles.outcome
        np.equal(outcome, f.WON, out=self.won)
        np.equal(outcome, f.TIMED_OUT, out=self.truncated)
        np.not_equal(outcome, f.RUNNING, out=self.terminated)
        np.not_equal(self.terminated, self.truncated, out=self.terminated)  # over, but not by time

    def _check(self, actions: NDArray[np.integer[Any]]) -> None:
        shape = (self.n_envs, self.spec.n_agents)
        if actions.shape != shape:
            raise ValueError(f"skirmish {self.spec.map}: actions have shape {actions.shape}, not {shape}")
        fine, wrong = self._fine, self._wrong
        self._actions[:] = actions
        np.add(self._actions, self._row_starts, out=self._actions)
        self.available.take(self._actions, out=fine, mode="clip")  # of actions out of range another's: told apart below
        np.logical_not(fine, out=wrong)
        np.logical_or(wrong, np.less(actions, 0, out=fine), out=wrong)
        np.logical_or(wrong, np.greater_equal(actions, self.spec.n_actions, out=fine), out=wrong)
        np.equal(self._battles.outcome, f.RUNNING, out=self._running)
        np.copyto(fine, self._running[:, None])  # an operator that broadcasts would take a buffer
        np.logical_and(wrong, fine, out=wrong)
        if wrong.any():
            e, i = np.argwhere(wrong)[0]
            raise ValueError(
                f"skirmish {self.spec.map}: action {actions[e, i]} of agent {i} in environment {e} is not available"
            )

    @property
    def inside(self) -> tuple[MapTables, Battles]:
        """What compiled loops around `advance` work on; `flag` must follow them."""
        return self._tables, self._battles

    def snapshot(self) -> Snapshot:
        """A copy of everything that decides what follows."""
        battles = Battles._make(array.copy() for array in self._battles)
        return Snapshot(battles, self.terminated.copy(), self.truncated.copy(), self.won.copy())

    def restore(self, snapshot: Snapshot) -> None:
        """Return to a snapshot of this environment, or of an equal one."""
        pairs: list[tuple[NDArray[Any], NDArray[Any]]] = list(zip(self._battles, snapshot.battles, strict=True))
        for own, kept in pairs:
            own[...] = kept
        self.terminated[:], self.truncated[:], self.won[:] = snapshot.terminated, snapshot.truncated, snapshot.won

    def close(self) -> None:
        """Stop the worker threads."""
        for stop in self._stops:
            stop()

    def raw_units(self) -> NDArray[np.void]:
        """All units as they are now: a structured array (E, U) of `RAW_UNIT`, allies in agent order, then enemies."""
        real, whole = self._battles.real, self._battles.whole
        raw = np.zeros((self.n_envs, real.shape[2]), RAW_UNIT)
        raw["owner"] = self._roster.sides
        raw["type"] = self._unit_types
        for name, row in _RAW_REALS.items():
            raw[name] = real[:, row]
        raw["cooldown"] = np.maximum(real[:, f.COOLDOWN], 0.0)
        raw["alive"] = whole[:, f.ALIVE] == 1
        raw["target"] = whole[:, f.TARGET]
        raw["swinging"] = (whole[:, f.SWING_AT] >= 0) | (whole[:, f.BURST_AT] >= 0)
        return raw

    def set_units(self, raw: NDArray[np.void]) -> None:
        """Put units where `raw` (E, U) of `RAW_UNIT` says and show that; mirrors `raw_units`.

        Orders, swings and missiles under way end; the enemy keeps its order. The fields owner and type must be the
        map's own; target and swinging are not read. All battles must have been reset before.

        Raises:
            ValueError: wrong shape, owner or type.
        """
        real, whole = self._battles.real, self._battles.whole
        if raw.shape != (self.n_envs, real.shape[2]) or raw.dtype != RAW_UNIT:
            raise ValueError(f"skirmish {self.spec.map}: units have shape {raw.shape} and type {raw.dtype}")
        if (raw["owner"] != self._roster.sides).any() or (raw["type"] != self._unit_types).any():
            raise ValueError(f"skirmish {self.spec.map}: owner and type of the units must be those of the map")
        for name, row in _RAW_REALS.items():
            real[:, row] = raw[name]
        dead = ~raw["alive"]
        real[:, f.HEALTH][dead] = 0.0
        real[:, f.SHIELD][dead] = 0.0
        real[:, f.COOLDOWN] = np.where(raw["cooldown"] > 0.0, raw["cooldown"], -1.0)
        for row in (f.HOME_X, f.HOME_Y):
            real[:, row] = real[:, f.X if row == f.HOME_X else f.Y]
        for row in (f.TARGET, f.SWING_AT, f.BURST_AT, f.SHOT_AT, f.BEAM_AT, f.STRUCK_BY):
            whole[:, row] = -1
        whole[:, f.ALIVE] = raw["alive"]
        whole[:, f.ORDER, : self.spec.n_agents] = f.IDLE
        for row in (f.AWAY, f.TURNED, f.STALLED):
            whole[:, row] = 0
        whole[:, f.WAY_FOR] = -2
        real[:, f.BACKSWING] = 0.0
        self._advance(SHOW, self._actions, self._no_seeds, (0, self.n_envs))


_RAW_REALS = {
    "x": f.X,
    "y": f.Y,
    "health": f.HEALTH,
    "shield": f.SHIELD,
    "energy": f.ENERGY,
    "face_x": f.FACE_X,
    "face_y": f.FACE_Y,
}
