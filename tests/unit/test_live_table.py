"""The live table of a sweep on a terminal: at 80 columns it still says which cell is which."""

import io

import pytest
from rich.console import Console

from ptde_cli.live_table import LiveTable, shortened
from ptde_core.base.events import CellSeen, SweepSeen

STATES = ("training", "failed", "pending", "done")
NAMES = (
    *(f"3s5z_vs_3s6z QMIX_SGI seed {seed}" for seed in (1, 2, 3)),
    "3s5z_vs_3s6z QMIX_SGI distill.steps=20000,learning_rate=0.0005,td_lambda=0.6 seed 12",
)


def drawn(width: int) -> list[str]:
    """The lines of the table's cells."""
    cells = [
        CellSeen(name, state, "training", 0.333, {"test_win_rate": 1.0}, 36_000.0)
        for name, state in zip(NAMES, ("running", "pending", "done", "failed"), strict=True)
    ]
    table = LiveTable(io.StringIO())
    table.console = Console(file=io.StringIO(), width=width, height=40)
    with table.console.capture() as shown:
        table.console.print(table._drawn(SweepSeen(tuple(cells), 72_000.0)))
    lines = [line.rstrip() for line in shown.get().splitlines()]
    assert all(len(line) <= width for line in lines)
    return [line for line in lines if " seed " in line]


@pytest.mark.parametrize("width", [80, 100])
def test_every_cell_is_there_with_all_that_is_known_of_it(width: int) -> None:
    rows = drawn(width)
    assert [int(line.partition(" seed ")[2].split()[0]) for line in rows] == [1, 12, 2, 3], "in order of states"
    assert [next(word for word in STATES if word in line) for line in rows] == ["training", "failed", "pending", "done"]
    assert all("3s5z_vs_3s6z QMIX_SGI" in line for line in rows)
    assert all(line.endswith("33%   100%   10 h 0 min") for line in rows)


@pytest.mark.parametrize("width", [40, 50, 60])
def test_a_narrow_terminal_keeps_seed_and_state(width: int) -> None:
    rows = drawn(width)
    assert [int(line.partition(" seed ")[2].split()[0]) for line in rows] == [1, 12, 2, 3]
    assert [next(word for word in STATES if word in line) for line in rows] == ["training", "failed", "pending", "done"]


def test_no_cells_are_no_error() -> None:
    table = LiveTable(io.StringIO())
    table.console = Console(file=io.StringIO(), width=80)
    table.console.print(table._drawn(SweepSeen((), None)))


def test_a_name_is_cut_before_its_seed() -> None:
    assert shortened("3m QMIX seed 1", 14) == "3m QMIX seed 1"
    assert shortened("3m QMIX a=1 seed 1", 14) == "3m QMI… seed 1"
    assert shortened("3m QMIX seed 1", 3) == "… seed 1"
