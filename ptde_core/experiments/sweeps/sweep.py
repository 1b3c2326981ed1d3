"""Work on the cells of a sweep, side by side: what is done is skipped, what was interrupted goes on.

All that a sweep knows lies in the cells' folders, so that a sweep that was killed loses nothing: the same call goes on.
"""

import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from ptde_core.base.errors import AtWorkError, PtdeError, StorageError
from ptde_core.base.events import CellSeen, Listener, Note, Progress, StageFinished, StageStarted, SweepSeen, silent
from ptde_core.envs.trust import check_trusted
from ptde_core.experiments.sweeps.cell_work import at_work_on, process_of
from ptde_core.experiments.sweeps.cells import Cell, CellState, state_of
from ptde_core.experiments.sweeps.estimates import Estimates
from ptde_core.experiments.sweeps.sweep_file import SweepFile, cells_of, read_sweep
from ptde_core.machine.side_by_side import Running, SideBySide
from ptde_core.pipeline.beginning import is_due
from ptde_core.runs.identity import why_other_world
from ptde_core.runs.stage_settings import read_run_config
from ptde_core.storage.cell_file import read_cell, write_cell
from ptde_core.storage.run_folder import first_free, write_json
from ptde_core.storage.run_lock import locked
from ptde_core.storage.status import is_full

STAGE = "sweep"
ATTEMPTS = 2  # of a cell that fails, in one sweep
ENDING = ".sweep.json"  # of the file that a sweep leaves beside its runs


@dataclass(frozen=True)
class Engine:
    """Where cells are worked on.

    Args:
        at_once: how many cells together.
        start: begins one, given the cell, the number of the attempt, and whether the state to go on from is kept.
        where: for people: "2 processes on this machine".
    """

    at_once: int
    start: Callable[[Cell, int, bool], Running]
    where: str


def here(processes: int) -> Engine:
    """This machine: so many processes, each with one thread."""
    word = "process" if processes == 1 else "processes"
    return Engine(
        processes,
        lambda cell, attempt, keep: process_of(cell, attempt, keep_state=keep),
        f"{processes} {word} on this machine",
    )


Following = Callable[[Cell], Iterable[Cell]]


def sweep(
    cells: Sequence[Cell],
    engine: Engine,
    *,
    keep_state: bool = False,
    following: Following = lambda _: (),
    total: int = 0,
    listen: Listener = silent,
) -> list[tuple[Cell, CellState]]:
    """Work on all cells that are not done; all of them with how they ended.

    Args:
        cells: in their order. Those that failed in an earlier sweep are tried again.
        engine: where they are worked on.
        keep_state: keep what it takes to train on with more steps.
        following: cells that come after one has ended, for a search; none by default.
        total: env steps of all cells, with those that follow; 0: of `cells`.
        listen: told of every cell that ends, and of all of them as they are.

    Raises:
        PtdeError: an environment or map does not exist, or is the name of code that nobody has trusted.
        KeyboardInterrupt: interrupted; the same call goes on.
    """
    return _Sweep(cells, engine, keep_state, following, listen).work(total)


class _Sweep:
    """One sitting of a sweep."""

    def __init__(
        self, cells: Sequence[Cell], engine: Engine, keep_state: bool, following: Following, listen: Listener
    ) -> None:
        self._cells: list[Cell] = []
        self._following, self._listen, self._engine = following, listen, engine
        self._estimates = Estimates(cells)
        self._states: dict[Path, CellState] = {}
        self._attempts: dict[Path, int] = {}
        self._waited_for: set[Path] = set()  # told so once
        self._queue = SideBySide(deque[Cell](), engine.at_once, lambda cell: self._begin(cell, keep_state))
        self._take(cells)

    def work(self, total: int) -> list[tuple[Cell, CellState]]:
        began = time.monotonic()
        states = self._states.values()
        there = sum(one.state == "done" for one in states)
        title = f"{len(self._cells)} cells, {there} done before, {self._engine.where}"
        total = total or sum(cell.pipeline.training.steps for cell in self._cells)
        self._listen(StageStarted(STAGE, title, total, "env steps", self._steps()))
        for cell in self._cells:
            state = self._states[cell.run.path]
            if state.state == "stale":
                self._listen(Note(f"{cell.name} is stale: {state.reason}; it is worked on again"))
        self._queue.work(ended=self._ended, polled=self._polled, ready=self._ready)
        self._polled()
        self._listen(StageFinished(STAGE, time.monotonic() - began))
        return [(cell, self._states[cell.run.path]) for cell in self._cells]

    def _take(self, cells: Iterable[Cell]) -> None:
        """Put cells into the queue; what follows those that are done is taken at once."""
        coming = deque(cells)
        while coming:
            cell = coming.popleft()
            self._cells.append(cell)
            state = state_of(cell)
            other = "" if state.state in {"done", "running"} else _other_training(cell)
            self._states[cell.run.path] = replace(state, state="failed", reason=other) if other else state
            if other:
                self._listen(Note(f"{cell.name} is left as it is: {other}"))
            if state.state == "done" or other:
                coming.extend(self._following(cell))
            else:
                self._queue.waiting.append(cell)

    def _begin(self, cell: Cell, keep_state: bool) -> Running:
        check_names([cell])
        attempt = self._attempts[cell.run.path] = self._attempts.get(cell.run.path, 0) + 1
        return self._engine.start(cell, attempt, keep_state)

    def _ready(self, cell: Cell) -> bool:
        """Whether nobody else works on it: another sweep, or a process of one that was killed and is saving."""
        if who := at_work_on(cell):
            self._tell_once(cell, f"{who} is at work in {cell.run.path}")
        return not who

    def _tell_once(self, cell: Cell, why: str) -> None:
        if cell.run.path not in self._waited_for:
            self._waited_for.add(cell.run.path)
            self._listen(Note(f"{cell.name} is waited for: {why}"))

    def _ended(self, cell: Cell, failure: Exception | None) -> None:
        attempt = self._attempts[cell.run.path]
        if isinstance(failure, AtWorkError):  # was quicker: no failure, and no attempt
            self._attempts[cell.run.path] -= 1
            self._queue.waiting.append(cell)
            self._states[cell.run.path] = state_of(cell)
            if self._ready(cell):  # else that has told who it is
                self._tell_once(cell, failure.problem)
            return
        if failure is not None and attempt < ATTEMPTS:
            self._listen(Note(f"{cell.name} failed and is tried once more: {_reason(cell, failure)}"))
            self._queue.waiting.append(cell)
        elif failure is not None:
            self._fail(cell, attempt, _reason(cell, failure))
        if failure is None or attempt < ATTEMPTS:
            self._states[cell.run.path] = state_of(cell)
        state = self._states[cell.run.path]
        self._estimates.measure(cell)
        if failure is None and state.state != "done":
            self._listen(Note(f"{cell.name} has ended, and is {state.state}: {state.reason}"))
        elif failure is None:
            won = f", won {state.metrics['test_win_rate']:.0%} in its last test" if _tested(state) else ""
            self._listen(Note(f"{cell.name} is done{won}"))
        if failure is None or attempt == ATTEMPTS:
            self._take(self._following(cell))

    def _fail(self, cell: Cell, attempt: int, reason: str) -> None:
        """Name a cell that failed for good, also one whose folder cannot take the record of it: the others go on.

        Nothing is recorded where another process has begun to work since.

        Raises:
            StorageError: the disk is full, for all of them.
        """
        try:
            with locked(cell.run, STAGE):
                write_cell(cell.run.cell, "failed", cell.digest, attempt, reason)
        except (AtWorkError, StorageError) as error:
            if isinstance(error, StorageError) and is_full(error):
                raise
        self._states[cell.run.path] = replace(state_of(cell), state="failed", reason=reason)
        self._listen(Note(f"{cell.name} failed {attempt} times: {reason}"))

    def _polled(self) -> None:
        for cell in self._queue.running:
            self._states[cell.run.path] = state_of(cell)
            self._estimates.measure(cell)
        seen = tuple(self._seen(cell) for cell in self._cells)
        self._listen(Progress(STAGE, self._steps()))
        self._listen(SweepSeen(seen, wall_seconds([one.seconds_left for one in seen], self._engine.at_once)))

    def _seen(self, cell: Cell) -> CellSeen:
        state = self._states[cell.run.path]
        share = state.env_steps / cell.pipeline.training.steps
        left = self._estimates.left(cell, state)
        return CellSeen(cell.name, state.state, state.doing, share, state.metrics, left)

    def _steps(self) -> int:
        return sum(state.env_steps for state in self._states.values())


def _other_training(cell: Cell) -> str:
    """Why the training in a cell's folder cannot become the cell's: it has other settings; "" if it can.

    What lies there is the result of an earlier state of the file, and stays.
    """
    try:
        config = read_run_config(cell.run)
        if why_other_world(config.made_from.world, cell.pipeline.training.map):
            return ""  # put aside, and made anew
    except PtdeError:  # missing or broken: tried, and told by who needs it
        return ""
    try:
        is_due(cell.pipeline.training, cell.run, resume=True)
    except PtdeError as error:
        return f"{error.problem}; give the sweep another folder (out = ...), or move that away"
    return ""


def check_names(cells: Iterable[Cell]) -> None:
    """Refuse cells whose file names Python code to be run, unless the user has said that files may.

    Raises:
        PtdeError: with the name; `--trust` is the way.
    """
    for cell in cells:
        check_trusted(cell.pipeline.training.env, cell.pipeline.training.map)


def wall_seconds(left: Sequence[float | None], at_once: int) -> float | None:
    """Wall time until so many cores have done what is left of each cell; None where one is not known."""
    known = [one for one in left if one is not None]
    if len(known) < len(left):
        return None
    return max([sum(known) / at_once, *known], default=0.0)


def leave_record(file: SweepFile, name: str) -> Path:
    """Write what the sweep is beside its runs, where `ptde sweep status` finds it.

    It replaces that of an earlier state of the same file, never that of another sweep: one of the same name that has no
    cell in common.
    """
    free = first_free(file.out / name, lambda one: _is_another(one.with_name(f"{one.name}{ENDING}"), file))
    path = free.with_name(f"{free.name}{ENDING}")
    write_json(path, json.loads(file.model_dump_json()))
    return path


def _is_another(record: Path, file: SweepFile) -> bool:
    if not record.exists():
        return False
    runs = {cell.run.path for cell in cells_of(file)}
    try:
        return runs.isdisjoint(cell.run.path for cell in cells_of(read_sweep(record)))
    except PtdeError:  # broken
        return False


def records_below(out: Path) -> list[Path]:
    """The files that sweeps have left beside their runs."""
    return sorted(out.glob(f"*{ENDING}"))


def _reason(cell: Cell, failure: Exception) -> str:
    """What a failed cell says of itself, else of what its process died."""
    record = None
    with suppress(PtdeError):  # broken: the failure says so
        record = read_cell(cell.run.cell)
    of_now = not isinstance(failure, PtdeError) or (record is not None and record.reason in str(failure))
    if record is not None and record.state == "failed" and of_now:
        traced = f" (its traceback: {cell.run.error})" if cell.run.error.exists() else ""
        return record.reason + traced
    return str(failure).partition("\n")[0]


def _tested(state: CellState) -> bool:
    return "test_win_rate" in state.metrics
