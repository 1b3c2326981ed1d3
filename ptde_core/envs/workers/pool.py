"""`EnginePool`: a batch of engines that each play one episode at a time, with the interface `FreeRows`.

One process per row, on this machine or another (`host.py`). An engine that dies, raises, or does not answer in time is
killed. Its row is then `lost` and keeps its last numbers; the next episode of the row starts a new process. An episode
is decided by its seed, so the caller plays that seed again. An engine that takes more memory than it may is replaced
between two episodes, so nothing is lost.
"""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from ptde_core.base.errors import PtdeError
from ptde_core.envs.interface import EnvSpec
from ptde_core.envs.workers.breakdowns import Breakdowns, Mishap
from ptde_core.envs.workers.child import Done, Failed, Outgrown, Ready, Refused
from ptde_core.envs.workers.engine_contract import MakeEngine
from ptde_core.envs.workers.host import build_place, cores
from ptde_core.envs.workers.limits import GIGABYTES, Limits, limits_of_machine
from ptde_core.envs.workers.protocols import Worker

CLOSING_SECONDS = 5.0  # time for an engine to end by itself before it is killed


class Asked(NamedTuple):
    """A request that an engine has not answered yet."""

    what: Literal["start", "episode", "step", "recording"]
    deadline: float  # by the monotonic clock
    seed: int = 0  # of the episode


class EnginePool:
    """E engines of one kind, stepped row by row (`FreeRows`) or in lock-step (`BatchedEnv`).

    Args:
        make: builds an engine, in its process.
        n_envs: rows E.
        limits: of time and memory; by default this machine's.

    Raises:
        PtdeError: the engine cannot be used here, or breaks each time it is started.
    """

    def __init__(self, make: MakeEngine, n_envs: int, limits: Limits | None = None) -> None:
        self.n_envs = n_envs
        self._limits = limits or limits_of_machine()
        self._place, self._cores = build_place(make, n_envs, self._limits), cores()
        self._workers: list[Worker | None] = [None] * n_envs
        self._pids: list[int] = [0] * n_envs
        self._asked: dict[int, Asked] = {}  # by row
        self._wanted: dict[int, int] = {}  # by row: the seed of the episode to begin when the engine has answered
        self._breakdowns = Breakdowns(n_envs, self._limits.breakdowns)
        self._steps, self._seeds = [0] * n_envs, [0] * n_envs  # of each row's current episode
        self._specs: list[EnvSpec] = []  # of the first engine that was started, and of the newest
        try:
            for row in range(n_envs):
                self._go_on(row)
            self._wait_for(range(n_envs))
        except BaseException:
            self.close()
            raise
        self.spec = self._specs[0]
        spec, e = self.spec, n_envs
        self._block = self._place.block(spec)
        # Copies of the shared arrays: numbers that a dying engine has written in part are never seen.
        self.obs = np.zeros((e, spec.n_agents, spec.obs_size), np.float32)
        self.state = np.zeros((e, spec.state_size), np.float32)
        self.available = np.ones((e, spec.n_agents, spec.n_actions), np.bool_)
        self.reward = np.zeros(e, np.float32)
        self.terminated = np.ones(e, np.bool_)  # no episode runs before the first reset
        self.truncated = np.zeros(e, np.bool_)
        self.won = np.zeros(e, np.bool_)
        self.lost = np.zeros(e, np.bool_)

    @property
    def restarts(self) -> int:
        """Engines that broke and were replaced; see `BatchedEnv`."""
        return self._breakdowns.broken

    @property
    def outgrown(self) -> int:
        """Engines that were replaced between two episodes because they held too much memory."""
        return self._breakdowns.outgrown

    def take_mishaps(self) -> list[str]:
        """What has happened to engines since the last call, a sentence each."""
        reports, self._breakdowns.unreported = self._breakdowns.unreported, []
        return reports

    @property
    def pids(self) -> list[int]:
        """Process ids of the engines, by row; of a broken one, the last it had."""
        return list(self._pids)

    def begin(self, row: int, seed: int) -> None:
        """Start an episode in a row; see `FreeRows`. A broken engine is replaced first."""
        self._wanted[row] = seed
        if row not in self._asked:
            self._go_on(row)

    def ask(self, rows: Sequence[int], actions: NDArray[np.integer[Any]]) -> None:
        """Start a step in some rows; see `FreeRows`.

        Raises:
            ValueError: an action that is not available, or a wrong shape; nothing has moved then.
        """
        self._check(rows, actions)
        deadline = time.monotonic() + self._limits.step_seconds
        for row, chosen in zip(rows, actions, strict=True):
            self._block.actions[row] = chosen
            self._worker(row).ask_step()
            self._asked[row] = Asked("step", deadline)

    def answered(self) -> list[int]:
        """Wait for rows; see `FreeRows`. With more engines at work than cores, it waits a little for further answers.

        Raises:
            PtdeError: an engine broke too often in a row.
        """
        found: list[int] = []
        while self._asked and (not found or len(self._asked) > self._cores):
            found += [row for row, mishap in self._answers(self._asked).items() if self._settle(row, mishap)]
        return found

    def reset(self, seeds: NDArray[np.uint64], rows: NDArray[np.intp] | None = None) -> None:
        """Start new episodes; see `BatchedEnv.reset`.

        Raises:
            ValueError: the numbers of seeds and rows differ.
            PtdeError: an engine broke too often in a row.
        """
        chosen = range(self.n_envs) if rows is None else [int(row) for row in rows]
        for row, seed in list(zip(chosen, (int(seed) for seed in seeds), strict=True)):
            self.begin(row, seed)
        self._wait_for(chosen)

    def step(self, actions: NDArray[np.integer[Any]]) -> None:
        """Advance every running engine; see `BatchedEnv.step`.

        Raises:
            ValueError: an action that is not available, or a wrong shape; nothing has moved then.
            PtdeError: an engine broke too often in a row.
        """
        if len(actions) != self.n_envs:
            raise ValueError(f"{self._name}: {len(actions)} rows of actions, not {self.n_envs}")
        rows = np.flatnonzero(~(self.terminated | self.truncated | self.lost)).tolist()
        self.ask(rows, actions[rows])
        self.reward[:] = 0.0
        self._wait_for(rows)

    def save_recording(self, row: int, path: Path) -> None:
        """Have an engine that is one of `Records` write what it has played, in the game's own format.

        Raises:
            PtdeError: it broke.
        """
        self._worker(row).ask_recording(path)
        self._asked[row] = Asked("recording", time.monotonic() + self._limits.start_seconds)
        found: dict[int, Mishap | None] = {}
        while not found:
            found = self._answers([row])
        self._settle(row, found[row])
        if mishap := found[row]:
            raise PtdeError(f"{self.spec.backend} could not write {path} ({mishap.why})", "see `ptde doctor`")

    def snapshot(self) -> NoReturn:
        """Engines cannot be copied.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(f"{self.spec.backend} runs in processes of its own, whose state cannot be copied")

    def restore(self, snapshot: Any) -> NoReturn:
        """Engines cannot be copied.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(f"{self.spec.backend} runs in processes of its own, whose state cannot be copied")

    def close(self) -> None:
        """Give the engines a short time to end by themselves, then kill those that are left."""
        workers = [worker for worker in self._workers if worker is not None]
        self._workers = [None] * self.n_envs
        for worker in workers:
            worker.ask_close()
        deadline = time.monotonic() + CLOSING_SECONDS
        for worker in workers:
            worker.wait(max(0.0, deadline - time.monotonic()))
            worker.end()
        self._place.close()

    @property
    def _name(self) -> str:
        return f"{self.spec.backend} {self.spec.map}"

    def _check(self, rows: Sequence[int], actions: NDArray[np.integer[Any]]) -> None:
        shape = (len(rows), self.spec.n_agents)
        if actions.shape != shape:
            raise ValueError(f"{self._name}: actions have shape {actions.shape}, not {shape}")
        for row, chosen in zip(rows, actions.tolist(), strict=True):  # a loop is faster than numpy for few agents
            available = self.available[row]
            for agent, action in enumerate(chosen):
                if not (0 <= action < self.spec.n_actions and available[agent, action]):
                    raise ValueError(
                        f"{self._name}: action {action} of agent {agent} in environment {row} is not available"
                    )

    def _worker(self, row: int) -> Worker:
        worker = self._workers[row]
        assert worker is not None, f"row {row} has no engine: reset it first"
        return worker

    def _wait_for(self, rows: Iterable[int]) -> None:
        left = set(rows)
        while left:
            left.difference_update(self.answered())

    def _go_on(self, row: int) -> None:
        """Start the next episode of a row that has no open request; start its engine if it has none."""
        deadline, worker = time.monotonic() + self._limits.start_seconds, self._workers[row]
        if worker is None:
            self._workers[row] = self._place.start(row)
            self._asked[row] = Asked("start", deadline)
        else:
            seed = self._wanted.pop(row)
            worker.ask_reset(seed)
            self._asked[row] = Asked("episode", deadline, seed)

    def _answers(self, rows: Iterable[int]) -> dict[int, Mishap | None]:
        """Wait until at least one engine of the rows has answered or broken; for each such row its mishap, or None."""
        waiting = {self._worker(row): row for row in rows}
        deadline = min(self._asked[row].deadline for row in waiting.values())
        # Answers count even where ptde itself was stopped (SIGSTOP) for longer than the limit.
        answered = self._place.answered(list(waiting), max(0.0, deadline - time.monotonic()))
        found = {row: self._take(row, worker) for worker in answered for row in [waiting.pop(worker)]}
        if time.monotonic() >= deadline:
            found |= {row: self._late(row) for row in waiting.values() if self._asked[row].deadline <= deadline}
        return found

    def _late(self, row: int) -> Mishap:
        limits, step = self._limits, self._asked[row].what == "step"
        return Mishap(f"it did not answer within {limits.step_seconds if step else limits.start_seconds:g} s")

    def _settle(self, row: int, mishap: Mishap | None) -> bool:
        """Take an engine's answer over into its row; returns whether the request is fulfilled.

        Raises:
            PtdeError: the engine broke too often without an episode of its row coming to an end.
            EngineError: its own code raised the same error at the same place as before.
        """
        asked = self._asked.pop(row)
        if mishap:
            if mishap.outgrown:  # it works, so it can end by itself
                self._worker(row).ask_close()
                self._worker(row).wait(CLOSING_SECONDS)
            self._worker(row).end()
            self._workers[row] = None
            in_step = asked.what == "step"
            where = (self._seeds[row], self._steps[row] + 1) if in_step else (asked.seed, 0)
            self._breakdowns.add(row, mishap, *where)
            if asked.what == "episode":
                self._wanted.setdefault(row, asked.seed)
            elif asked.what == "step":
                self.lost[row], self.reward[row] = True, 0.0
        if row in self._wanted or (mishap and asked.what == "start"):
            self._go_on(row)
            return False
        if not mishap and asked.what in {"episode", "step"}:
            self._show(row, asked)
        return True

    def _show(self, row: int, asked: Asked) -> None:
        block = self._block
        self.obs[row], self.state[row], self.available[row] = block.obs[row], block.state[row], block.available[row]
        if asked.what == "episode":
            for flag in (self.reward, self.terminated, self.truncated, self.won, self.lost):
                flag[row] = 0
            self._steps[row], self._seeds[row] = 0, asked.seed
            return
        self._steps[row] += 1
        self.reward[row], self.won[row] = block.reward[row], block.won[row]
        self.terminated[row], self.truncated[row] = block.terminated[row], block.truncated[row]
        if self.terminated[row] or self.truncated[row]:
            self._breakdowns.episode_ended(row)

    def _take(self, row: int, worker: Worker) -> Mishap | None:
        """Read an engine's answer; returns its mishap, or None.

        Raises:
            PtdeError: the engine cannot be used on this machine.
        """
        try:
            reply = worker.receive()
        except (EOFError, OSError):
            words = worker.last_words()
            return Mishap(f"it died{f', its last words: {words}' if words else ''}")
        match reply:
            case Refused(problem, fix):
                raise PtdeError(problem, fix)
            case Failed(trace, passing):
                return Mishap(trace.strip().splitlines()[-1], trace, passing)
            case Outgrown():
                return Mishap(f"it holds more than {self._limits.gigabytes:g} GB ({GIGABYTES})", outgrown=True)
            case Ready(spec, pid):
                self._specs = [*self._specs[:1], spec]
                assert spec == self._specs[0], "engines of one pool differ in what they show"
                self._pids[row] = pid
            case Done():
                pass
        return None
