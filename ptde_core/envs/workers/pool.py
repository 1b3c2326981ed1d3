"""`EnginePool`: engines that play one episode at a time, brought up to the contract of a batch (`BatchedEnv`).

One process per row, on this machine or another (`place`). An engine that dies, raises, or does not answer in time is
killed; its row is `lost` and shows what it last showed, and its next reset starts a new process. Since an episode's
seed decides it, whoever plays simply plays that seed again. An engine that has grown beyond its memory is replaced too,
between two episodes, so that nothing is lost.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ptde_core.base.errors import PtdeError
from ptde_core.envs.interface import EnvSpec
from ptde_core.envs.workers.child import Done, Failed, Outgrown, Ready, Refused
from ptde_core.envs.workers.engine import MakeEngine
from ptde_core.envs.workers.limits import Limits, limits_of_machine
from ptde_core.envs.workers.place import Worker, build_place

CLOSING_SECONDS = 5.0  # what does not end by itself within these is killed
OUTGROWN = "it holds more memory than it may"


class EnginePool:
    """E engines of one kind in lock-step.

    Args:
        make: builds one of them, in its process.
        n_envs: how many.
        limits: patience with them; by default this machine's.

    Raises:
        PtdeError: the engine cannot be had here, or breaks each time it is started.
    """

    def __init__(self, make: MakeEngine, n_envs: int, limits: Limits | None = None) -> None:
        self.n_envs = n_envs
        self._limits = limits or limits_of_machine()
        self._place = build_place(make, n_envs, self._limits)
        self._workers: list[Worker | None] = [None] * n_envs
        self._pids: list[int] = [0] * n_envs
        self._breakdowns = [0] * n_envs  # of each row, since one of its episodes came to an end
        self.restarts = 0
        self._specs: list[EnvSpec] = []  # of the first engine that was started, and of the newest
        try:
            self._until_done(range(n_envs), self._start)
        except BaseException:
            self.close()
            raise
        self.spec = self._specs[0]
        spec, e = self.spec, n_envs
        self._block = self._place.block(spec)
        # Copies, not the shared arrays: what an engine has half written when it dies is never seen.
        self.obs = np.zeros((e, spec.n_agents, spec.obs_size), np.float32)
        self.state = np.zeros((e, spec.state_size), np.float32)
        self.available = np.ones((e, spec.n_agents, spec.n_actions), np.bool_)
        self.reward = np.zeros(e, np.float32)
        self.terminated = np.ones(e, np.bool_)  # nothing runs before the first reset
        self.truncated = np.zeros(e, np.bool_)
        self.won = np.zeros(e, np.bool_)
        self.lost = np.zeros(e, np.bool_)

    @property
    def pids(self) -> list[int]:
        """Process ids of the engines, by row; of a broken one, the last it had."""
        return list(self._pids)

    def reset(self, seeds: NDArray[np.uint64], rows: NDArray[np.intp] | None = None) -> None:
        """Start new episodes; see `BatchedEnv.reset`. Broken engines are started anew, and tried again if need be.

        Raises:
            ValueError: the numbers of seeds and rows differ.
            PtdeError: an engine broke too often in a row.
        """
        chosen = list(range(self.n_envs)) if rows is None else [int(row) for row in rows]
        seed_of = dict(zip(chosen, (int(seed) for seed in seeds), strict=True))

        def begin(rows: Sequence[int]) -> dict[int, str]:
            broken = self._start([row for row in rows if self._workers[row] is None])
            started = [row for row in rows if row not in broken]
            for row in started:
                self._worker(row).ask_reset(seed_of[row])
            return broken | self._answers(started, self._limits.start_seconds)

        self._until_done(chosen, begin)
        self._copy_views(chosen)
        for flag in (self.reward, self.terminated, self.truncated, self.won, self.lost):
            flag[chosen] = 0

    def step(self, actions: NDArray[np.integer[Any]]) -> None:
        """Advance every running engine; see `BatchedEnv.step`.

        Raises:
            ValueError: an action that is not available, or a wrong shape; nothing has moved then.
            PtdeError: an engine broke too often in a row.
        """
        running = ~(self.terminated | self.truncated | self.lost)  # (E,)
        self._check(actions, running)
        rows = np.flatnonzero(running).tolist()
        self._block.actions[rows] = actions[rows]
        for row in rows:
            self._worker(row).ask_step()
        broken = self._answers(rows, self._limits.step_seconds)
        done = [row for row in rows if row not in broken]
        self.reward[:] = 0.0
        self._copy_views(done)
        block = self._block
        self.reward[done], self.terminated[done] = block.reward[done], block.terminated[done]
        self.truncated[done], self.won[done] = block.truncated[done], block.won[done]
        for row in done:
            if self.terminated[row] or self.truncated[row]:
                self._breakdowns[row] = 0
        self.lost[list(broken)] = True
        self._count(broken)

    def save_recording(self, row: int, path: Path) -> None:
        """Have an engine that is one of `Records` write what it has played, in the game's own format.

        Raises:
            PtdeError: it broke.
        """
        self._worker(row).ask_recording(path)
        if why := self._answers([row], self._limits.start_seconds).get(row):
            raise PtdeError(f"{self.spec.backend} could not write {path} ({why})", "see `ptde doctor`")

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
        """Let the engines end by themselves, shortly, then kill what is left."""
        workers = [worker for worker in self._workers if worker is not None]
        self._workers = [None] * self.n_envs
        for worker in workers:
            worker.ask_close()
        deadline = time.monotonic() + CLOSING_SECONDS
        for worker in workers:
            worker.wait(max(0.0, deadline - time.monotonic()))
            worker.end()
        self._place.close()

    def _check(self, actions: NDArray[np.integer[Any]], running: NDArray[np.bool_]) -> None:
        what = f"{self.spec.backend} {self.spec.map}"
        shape = (self.n_envs, self.spec.n_agents)
        if actions.shape != shape:
            raise ValueError(f"{what}: actions have shape {actions.shape}, not {shape}")
        known = (actions >= 0) & (actions < self.spec.n_actions)  # (E, N)
        chosen = np.take_along_axis(self.available, np.where(known, actions, 0)[..., None].astype(np.intp), axis=2)
        wrong = ~(known & chosen[..., 0]) & running[:, None]  # (E, N)
        if wrong.any():
            e, i = np.argwhere(wrong)[0]
            raise ValueError(f"{what}: action {actions[e, i]} of agent {i} in environment {e} is not available")

    def _copy_views(self, rows: list[int]) -> None:
        block = self._block
        self.obs[rows], self.state[rows] = block.obs[rows], block.state[rows]
        self.available[rows] = block.available[rows]

    def _worker(self, row: int) -> Worker:
        worker = self._workers[row]
        assert worker is not None, f"row {row} has no engine: reset it first"
        return worker

    def _until_done(self, rows: Sequence[int], work: Callable[[Sequence[int]], dict[int, str]]) -> None:
        """Do `work` on the rows, and again on those whose engines broke in it, until all are through."""
        left = list(rows)
        while left:
            broken = work(left)
            self._count(broken)
            left = list(broken)

    def _start(self, rows: Sequence[int]) -> dict[int, str]:
        """Start engines, side by side; why those broke that did."""
        for row in rows:
            self._workers[row] = self._place.start(row)
        return self._answers(rows, self._limits.start_seconds)

    def _answers(self, rows: Sequence[int], seconds: float) -> dict[int, str]:
        """Wait for one answer of each row's engine; end those that broke, and say why they did."""
        deadline = time.monotonic() + seconds
        waiting = {self._worker(row): row for row in rows}
        broken: dict[int, str] = {}
        while waiting:
            # What has been answered meanwhile is taken in even if ptde itself was stopped for longer than the limit.
            answered = self._place.answered(list(waiting), max(0.0, deadline - time.monotonic()))
            if not answered:
                broken |= dict.fromkeys(waiting.values(), f"it did not answer within {seconds:g} s")
                break
            for worker in answered:
                row = waiting.pop(worker)
                if why := self._take(row, worker):
                    broken[row] = why
        for row in broken:
            self._worker(row).end()
            self._workers[row] = None
        return broken

    def _take(self, row: int, worker: Worker) -> str:
        """Take in an engine's answer; why it broke, or "".

        Raises:
            PtdeError: the engine cannot be had on this machine.
        """
        try:
            reply = worker.receive()
        except (EOFError, OSError):
            words = worker.last_words()
            return f"it died{f', its last words: {words}' if words else ''}"
        match reply:
            case Refused(problem, fix):
                raise PtdeError(problem, fix)
            case Failed(trace):
                return trace.strip().splitlines()[-1]
            case Outgrown():
                return OUTGROWN
            case Ready(spec, pid):
                self._specs = [*self._specs[:1], spec]
                assert spec == self._specs[0], "engines of one pool differ in what they show"
                self._pids[row] = pid
            case Done():
                pass
        return ""

    def _count(self, broken: dict[int, str]) -> None:
        """Count breakdowns.

        Raises:
            PtdeError: an engine broke too often without an episode of its row coming to an end.
        """
        for row, why in broken.items():
            self.restarts += 1
            self._breakdowns[row] += why != OUTGROWN
            if self._breakdowns[row] >= self._limits.breakdowns:
                raise PtdeError(
                    f"engine {row} of {self.n_envs} broke {self._breakdowns[row]} times in a row ({why})",
                    "see `ptde doctor` and docs/engines.md",
                )
