"""Sweeps and runs that want one cell at once: one works on it, the others wait and write nothing into its folder."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from ptde_core.base.errors import AtWorkError, PtdeError
from ptde_core.base.events import Event, SweepSeen
from ptde_core.experiments.sweeps import cell_work
from ptde_core.experiments.sweeps.cell_work import process_of, work_on
from ptde_core.experiments.sweeps.cells import state_of
from ptde_core.experiments.sweeps.elsewhere import Host
from ptde_core.experiments.sweeps.sweep import Engine, sweep
from ptde_core.machine import side_by_side
from ptde_core.storage.cell_file import write_cell
from tests.unit.test_run_lock import hold
from tests.unit.test_sweep import Ended, Pretended, cells_in, told


@pytest.fixture(autouse=True)
def _poll_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(side_by_side, "POLL_SECONDS", 0.01)
    monkeypatch.setattr("ptde_core.experiments.sweeps.cells.stale", lambda _: "")  # nothing is really trained here


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    assert process.stdout
    process.stdout.close()


def test_a_process_that_comes_second_says_so_and_writes_nothing(tmp_path: Path) -> None:
    (cell,) = cells_in(tmp_path, seeds=1)
    other = hold(cell.run.path)
    try:
        with pytest.raises(AtWorkError, match=f"another process is at work in .*process {other.pid} on "):
            work_on(cell, 1, keep_state=False)
        process = process_of(cell, 1, keep_state=False)
        while not process.has_ended:
            time.sleep(0.05)
        assert isinstance(process.failure(), AtWorkError)
        assert [path.name for path in cell.run.path.iterdir()] == [".lock"]
    finally:
        end(other)


class Quicker(Ended):
    """A cell's process that found another one at work."""

    def failure(self) -> Exception:
        return AtWorkError(self.why)


def test_who_comes_second_waits_and_that_is_neither_a_failure_nor_an_attempt(tmp_path: Path) -> None:
    (cell,), work, heard = cells_in(tmp_path, seeds=1), Pretended(), list[Event]()
    seconds = [Quicker("another process is at work in x")] * 3

    engine = Engine(1, lambda *given: seconds.pop() if seconds else work.start(*given), "pretended")
    assert [state.state for _, state in sweep([cell], engine, listen=heard.append)] == ["done"]
    assert work.begun == [(1, 1)]
    assert told(heard) == [
        f"{cell.name} is waited for: another process is at work in x",
        f"{cell.name} is done",
    ]


def test_a_cell_that_a_run_is_at_work_on_is_not_begun_and_told_once(tmp_path: Path) -> None:
    cells, work, heard = cells_in(tmp_path, seeds=2), Pretended(), list[Event]()
    other = hold(cells[0].run.path)
    polls = 0

    def hear(event: Event) -> None:
        nonlocal polls
        heard.append(event)
        polls += isinstance(event, SweepSeen)
        if polls == 10:
            end(other)

    try:
        assert [state.state for _, state in sweep(cells, work.engine, listen=hear)] == ["done"] * 2
    finally:
        end(other)
    assert work.begun == [(2, 1), (1, 1)]
    waits = [line for line in told(heard) if "waited for" in line]
    assert len(waits) == 1
    assert waits[0].startswith(f"{cells[0].name} is waited for: another process (process {other.pid} on ")


def test_a_cell_that_failed_is_not_recorded_where_another_process_is_at_work_by_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cell,) = cells_in(tmp_path, seeds=1)
    monkeypatch.setattr("ptde_core.experiments.sweeps.sweep.at_work_on", lambda _: "")  # it comes just after that
    other = hold(cell.run.path)
    try:
        ((_, state),) = sweep([cell], Engine(1, lambda *_: Ended("boom"), "pretended"))
    finally:
        end(other)
    assert (state.state, state.reason) == ("failed", "boom")
    assert not cell.run.cell.exists()


class Refused(Ended):
    """A cell's process that was refused its folder, and could not record that."""

    def failure(self) -> Exception:
        return PtdeError(self.why)


def test_the_reason_is_that_of_this_time_not_of_an_earlier_record(tmp_path: Path) -> None:
    (cell,) = cells_in(tmp_path, seeds=1)
    write_cell(cell.run.cell, "failed", cell.digest, 2, "of last week")
    ((_, state),) = sweep([cell], Engine(1, lambda *_: Refused("students is a link"), "pretended"))
    assert (state.state, state.reason) == ("failed", "students is a link")


def test_on_another_machine_the_second_waits_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (cell,) = cells_in(tmp_path, seeds=1)
    monkeypatch.chdir(tmp_path)
    seconds: list[Ended] = [Ended("boom"), Quicker("at work")]
    monkeypatch.setattr("ptde_core.experiments.sweeps.elsewhere.process_of", lambda *_, **__: seconds.pop())
    assert Host(cell, 1, keep_state=False)() == (False, "boom")


def test_a_record_from_the_future_is_not_one_that_is_kept_young(tmp_path: Path) -> None:
    """A clock that is a little ahead is usual; a time of next year would be waited for for ever."""
    (cell,) = cells_in(tmp_path, seeds=1)
    write_cell(cell.run.cell, "running", cell.digest, 1)
    cell.run.cell.write_text(cell.run.cell.read_text().replace('"host": "', '"host": "another-'))
    for ahead, state in ((0.0, "running"), (30.0, "running"), (90.0, "pending"), (4e7, "pending")):
        os.utime(cell.run.cell, (time.time() + ahead,) * 2)
        assert state_of(cell).state == state
        assert bool(cell_work.at_work_on(cell)) == (state == "running")
