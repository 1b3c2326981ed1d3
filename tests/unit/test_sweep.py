"""How cells are worked on, with work that is only pretended: states, retries, other sweeps, interruption."""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from ptde_core.base.errors import StorageError, storage_error
from ptde_core.base.events import Event, Note, Progress, SweepSeen
from ptde_core.experiments.sweeps import sweep as sweeping
from ptde_core.experiments.sweeps.cells import Cell, state_of
from ptde_core.experiments.sweeps.estimates import Estimates
from ptde_core.experiments.sweeps.sweep import Engine, leave_record, records_below, sweep, wall_seconds
from ptde_core.experiments.sweeps.sweep_file import cells_of, sweep_file
from ptde_core.experiments.sweeps.sweep_tables import plan_table, states_table
from ptde_core.machine import side_by_side
from ptde_core.machine.side_by_side import Running
from ptde_core.storage import cell_file
from ptde_core.storage.cell_file import read_cell, touching, write_cell


@pytest.fixture(autouse=True)
def _poll_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(side_by_side, "POLL_SECONDS", 0.01)
    monkeypatch.setattr("ptde_core.experiments.sweeps.cells.stale", lambda _: "")  # nothing is really trained here


def cells_in(folder: Path, seeds: int = 3) -> list[Cell]:
    values = {"env": "game", "map": "two-step", "steps": 100}
    return cells_of(sweep_file({"out": folder, "settings": values, "grid": {"seed": list(range(1, seeds + 1))}}))


@dataclass
class Pretended:
    """Work that ends at once as it is told, and remembers what it was asked."""

    failures: dict[int, int] = field(default_factory=dict)  # seed -> how often it fails first
    begun: list[tuple[int, int]] = field(default_factory=list)  # seed, attempt
    most: int = 0
    at_once: int = 2
    endless: bool = False

    @property
    def engine(self) -> Engine:
        return Engine(self.at_once, self.start, "pretended")

    def start(self, cell: Cell, attempt: int, keep_state: bool) -> Running:
        seed = cell.pipeline.training.seed
        self.begun.append((seed, attempt))
        fails = attempt <= self.failures.get(seed, 0)
        write_cell(cell.run.cell, "running", cell.digest, attempt)
        owner = self

        class Work:
            stopped = False
            polls = 0

            @property
            def has_ended(self) -> bool:
                self.polls += 1
                return self.stopped or (self.polls > 2 and not owner.endless)

            def stop(self) -> None:
                self.stopped = True
                write_cell(cell.run.cell, "interrupted", cell.digest, attempt)

            def kill(self) -> None:
                raise AssertionError("nothing had to be killed")

            def failure(self) -> Exception | None:
                if self.stopped:
                    return None
                write_cell(cell.run.cell, "failed" if fails else "done", cell.digest, attempt, "boom" if fails else "")
                return RuntimeError("ended with code 1") if fails else None

        return Work()


def told(heard: list[Event]) -> list[str]:
    return [event.text for event in heard if isinstance(event, Note)]


def test_all_cells_are_done_and_a_second_time_none_is(tmp_path: Path) -> None:
    cells, work = cells_in(tmp_path), Pretended()
    heard: list[Event] = []
    ended = sweep(cells, work.engine, listen=heard.append)
    assert [state.state for _, state in ended] == ["done"] * 3
    assert work.begun == [(1, 1), (2, 1), (3, 1)]
    again = Pretended()
    assert [state.state for _, state in sweep(cells, again.engine)] == ["done"] * 3
    assert again.begun == []
    seen = [event for event in heard if isinstance(event, SweepSeen)]
    assert {cell.state for event in seen for cell in event.cells} == {"pending", "running", "done"}
    assert max(sum(cell.state == "running" for cell in event.cells) for event in seen) == 2
    assert isinstance(heard[-2], SweepSeen)
    assert [event.done for event in heard if isinstance(event, Progress)][-1] == 0, "no training has logged a step"


def test_a_cell_that_fails_once_is_tried_again_and_named(tmp_path: Path) -> None:
    work = Pretended({2: 1})
    heard: list[Event] = []
    ended = sweep(cells_in(tmp_path), work.engine, listen=heard.append)
    assert [state.state for _, state in ended] == ["done"] * 3
    assert work.begun == [(1, 1), (2, 1), (3, 1), (2, 2)]
    assert "two-step QMIX_SGI seed 2 failed and is tried once more: boom" in told(heard)


def test_a_cell_that_fails_twice_is_left_and_the_others_go_on(tmp_path: Path) -> None:
    cells, work = cells_in(tmp_path), Pretended({1: 9}, at_once=1)
    heard: list[Event] = []
    ended = sweep(cells, work.engine, listen=heard.append)
    assert [state.state for _, state in ended] == ["failed", "done", "done"]
    assert ended[0][1].reason == "boom"
    assert "two-step QMIX_SGI seed 1 failed 2 times: boom" in told(heard)
    table = states_table("t", ended, Estimates(cells))
    assert table.notes == ("1 failed, 2 done.", f"two-step QMIX_SGI seed 1 ({cells[0].run.path}): boom")
    again = Pretended()
    assert [state.state for _, state in sweep(cells, again.engine)] == ["done"] * 3, "typed again, it is tried again"
    assert again.begun == [(1, 1)]


def test_a_cell_that_ends_without_failing_and_is_not_done_is_not_called_done(tmp_path: Path) -> None:
    cells, heard = cells_in(tmp_path, seeds=1), list[Event]()
    cells[0].run.path.mkdir(parents=True)
    cells[0].run.metrics.write_text("no metrics\n")
    ((_, state),) = sweep(cells, Pretended().engine, listen=heard.append)
    assert state.state == "failed"
    (note,) = told(heard)
    assert note.startswith("two-step QMIX_SGI seed 1 has ended, and is failed: ")


class Ended:
    """A cell's process that has failed."""

    has_ended = True

    def __init__(self, why: str) -> None:
        self.why = why

    def stop(self) -> None: ...

    def kill(self) -> None: ...

    def failure(self) -> Exception:
        return RuntimeError(self.why)


@pytest.mark.parametrize("broken", ["record", "folder"])
def test_a_cell_whose_record_cannot_be_read_or_written_is_named_and_the_others_go_on(
    tmp_path: Path, broken: str
) -> None:
    cells, work = cells_in(tmp_path), Pretended(at_once=1)
    place = cells[0].run.cell if broken == "record" else cells[0].run.path
    place.parent.mkdir(parents=True)
    place.write_text("hello")

    heard: list[Event] = []
    engine = Engine(
        1, lambda cell, *rest: Ended("it cannot be") if cell is cells[0] else work.start(cell, *rest), "pretended"
    )
    ended = sweep(cells, engine, listen=heard.append)
    assert [(state.state, state.reason) for _, state in ended] == [
        ("failed", "it cannot be"),
        ("done", ""),
        ("done", ""),
    ]
    assert "two-step QMIX_SGI seed 1 failed 2 times: it cannot be" in told(heard)


def test_a_full_disk_stops_all_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise storage_error(OSError(errno.ENOSPC, "No space left on device"), tmp_path) from OSError(errno.ENOSPC, "")

    cells, work = cells_in(tmp_path), Pretended({1: 9}, at_once=1)
    monkeypatch.setattr(sweeping, "write_cell", refuse)
    with pytest.raises(StorageError, match="no space left"):
        sweep(cells, work.engine)


def test_a_cell_whose_process_was_killed_says_so(tmp_path: Path) -> None:
    (cell,) = cells_in(tmp_path, seeds=1)
    ended = sweep([cell], Engine(1, lambda *_: Ended("the cell in x ended with code -9\nno more"), "nowhere"))
    assert (ended[0][1].state, ended[0][1].reason) == ("failed", "the cell in x ended with code -9")


def test_ctrl_c_stops_all_and_leaves_them_pending(tmp_path: Path) -> None:
    cells, work = cells_in(tmp_path), Pretended(endless=True)

    def interrupt(event: Event) -> None:
        if isinstance(event, SweepSeen) and sum(cell.state == "running" for cell in event.cells) == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        sweep(cells, work.engine, listen=interrupt)
    assert [state_of(cell).state for cell in cells] == ["pending"] * 3
    again = Pretended()
    assert [state.state for _, state in sweep(cells, again.engine)] == ["done"] * 3


def test_what_another_process_works_on_is_waited_for(tmp_path: Path) -> None:
    cells = cells_in(tmp_path, seeds=2)
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    write_cell(cells[0].run.cell, "running", cells[0].digest, 1)
    text = cells[0].run.cell.read_text()
    cells[0].run.cell.write_text(text.replace(str(os.getpid()), str(other.pid)))
    work = Pretended()

    def end_the_other(event: Event) -> None:
        if isinstance(event, SweepSeen) and (2, 1) in work.begun:
            other.kill()
            other.wait()

    assert [state.state for _, state in sweep(cells, work.engine, listen=end_the_other)] == ["done"] * 2
    assert work.begun == [(2, 1), (1, 1)], "the other came first, though it stands later"


State = Literal["pending", "running", "done", "failed", "stale"]


@pytest.mark.parametrize(
    ("record", "silent_for", "state"),
    [
        (None, 0, "pending"),
        ("interrupted", 0, "pending"),
        ("running", 0, "running"),
        ("running", 3600, "pending"),  # nobody has touched it
        ("failed", 0, "failed"),
        ("done", 0, "done"),
    ],
)
def test_states_are_read_from_the_folder(
    tmp_path: Path, record: Literal["running", "interrupted", "failed", "done"] | None, silent_for: int, state: State
) -> None:
    (cell,) = cells_in(tmp_path, seeds=1)
    if record is not None:
        write_cell(cell.run.cell, record, cell.digest, 1)
        long_ago = time.time() - silent_for
        os.utime(cell.run.cell, (long_ago, long_ago))
    assert state_of(cell).state == state


def test_other_settings_make_what_is_done_stale_and_what_failed_pending(tmp_path: Path) -> None:
    (cell,) = cells_in(tmp_path, seeds=1)
    for record, state in (("done", "stale"), ("failed", "pending")):
        write_cell(cell.run.cell, record, "another digest", 1)  # type: ignore[arg-type]  a plain word
        assert state_of(cell).state == state
    work, heard = Pretended(), list[Event]()
    write_cell(cell.run.cell, "done", "another digest", 1)
    sweep([cell], work.engine, listen=heard.append)
    assert work.begun == [(1, 1)]
    assert any("is stale: its settings are others by now" in line for line in told(heard))


def test_what_does_not_belong_together_is_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (cell,) = cells_in(tmp_path, seeds=1)
    write_cell(cell.run.cell, "done", cell.digest, 1)
    monkeypatch.undo()
    assert (state_of(cell).state, state_of(cell).reason) == ("stale", "config.json is missing")


def test_a_broken_record_is_a_failed_cell_that_is_worked_on_again(tmp_path: Path) -> None:
    (cell,) = cells_in(tmp_path, seeds=1)
    cell.run.path.mkdir(parents=True)
    for text in ("{", "[]", '{"state": "done"}'):
        cell.run.cell.write_text(text)
        state = state_of(cell)
        assert state.state == "failed"
        assert "cell.json" in state.reason


def test_whoever_works_keeps_the_file_young(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell_file, "TOUCH_SECONDS", 0.01)
    path = tmp_path / "cell.json"
    write_cell(path, "running", "d", 1)
    os.utime(path, (0, 0))
    with touching(path):
        deadline = time.monotonic() + 10
        while path.stat().st_mtime == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
    record = read_cell(path)
    assert record is not None
    assert record.state == "running"


@pytest.mark.parametrize(
    ("left", "at_once", "seconds"),
    [([60.0, 60.0], 2, 60.0), ([60.0, 60.0], 1, 120.0), ([100.0, 1.0], 2, 100.0), ([60.0, None], 2, None), ([], 2, 0)],
)
def test_wall_time_is_shared_among_cores(left: list[float | None], at_once: int, seconds: float | None) -> None:
    assert wall_seconds(left, at_once) == seconds


def test_a_plan_says_time_and_memory_of_skirmish_and_what_is_not_known(tmp_path: Path) -> None:
    grid = [{"algorithm": ["QMIX"], "map": ["3s_vs_5z"]}, {"env": ["game"], "map": ["two-step"]}]
    cells = cells_of(sweep_file({"out": tmp_path, "grid": grid, "settings": {"steps": 1_000_000}}))
    table = plan_table("t", [(cell, state_of(cell)) for cell in cells], Estimates(cells), 2)
    skirmish, game = table.rows
    assert skirmish[0] == "3s_vs_5z QMIX seed 1"
    assert skirmish[4].endswith(" min"), "about two minutes: 7,300 env steps/s"
    assert float(skirmish[-1].removesuffix(" GB")) > 0.5, "with a replay memory of 5,000 episodes"
    assert game[4] == "—"


def test_a_measured_speed_beats_the_table(tmp_path: Path) -> None:
    (cell,) = cells_in(tmp_path, seeds=1)
    estimates = Estimates([cell])
    assert estimates.of(cell).training is None
    cell.run.path.mkdir(parents=True)
    cell.run.metrics.write_text('{"env_steps": 50, "updates": 3, "env_steps_per_s": 20.0}\n')
    estimates.measure(cell)
    assert estimates.of(cell).training == 100 / 20.0
    left = estimates.left(cell, state_of(cell))
    assert left is not None
    assert left == pytest.approx(50 / 20.0 + (estimates.of(cell).later or 0.0))


def test_a_sweep_leaves_its_file_beside_its_runs(tmp_path: Path) -> None:
    file = sweep_file({"out": tmp_path, "grid": {"seed": [1, 2]}})
    path = leave_record(file, "mine")
    assert records_below(tmp_path) == [path]
    assert path.name == "mine.sweep.json"
    assert leave_record(sweep_file({"out": tmp_path, "grid": {"seed": [2, 3]}}), "mine") == path, "an edited one"
    other = sweep_file({"out": tmp_path, "grid": {"seed": [8]}})
    for _ in range(2):
        assert leave_record(other, "mine").name == "mine-2.sweep.json"
    assert len(records_below(tmp_path)) == 2


def test_what_follows_a_cell_is_worked_on_too(tmp_path: Path) -> None:
    cells, work = cells_in(tmp_path), Pretended(at_once=1)
    following: Callable[[Cell], list[Cell]] = lambda cell: cells[1:] if cell is cells[0] else []  # noqa: E731
    ended = sweeping.sweep(cells[:1], work.engine, following=following)
    assert [state.state for _, state in ended] == ["done"] * 3
