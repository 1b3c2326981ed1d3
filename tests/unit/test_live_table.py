"""The live table of a sweep on a terminal: at 80 columns it still says which cell is which."""

import io

import pytest
from rich.console import Console

from ptde_cli.live_table import LiveTable, shortened
from ptde_core.base.events import CellSeen, SweepSeen

NAMES = (
    *(f"3s5z_vs_3s6z QMIX_SGI seed {seed}" for seed in (1, 2, 3)),
    "3s5z_vs_3s6z QMIX_SGI distill.steps=20000,learning_rate=0.0005,td_lambda=0.6 seed 12",
)


@pytest.mark.parametrize("width", [80, 100])
def test_every_cell_can_be_told_by_its_seed(width: int) -> None:
    cells = [
        CellSeen(name, state, "training", 0.333, {"test_win_rate": 1.0}, 36_000.0)
        for name, state in zip(NAMES, ("running", "pending", "done", "failed"), strict=True)
    ]
    table = LiveTable(io.StringIO())
    table.console = Console(file=io.StringIO(), width=width, height=40)
    with table.console.capture() as shown:
        table.console.print(table._drawn(SweepSeen(tuple(cells), 72_000.0)))
    lines = shown.get().splitlines()
    assert all(len(line.rstrip()) <= width for line in lines)
    text = shown.get()
    for seed in (1, 2, 3, 12):
        assert f" seed {seed} " in text
    assert text.count("3s5z_vs_3s6z QMIX_SGI") == 4
    for word in (
        "State",
        "Trained",
        "Won",
        "Left",
        "training",
        "pending",
        "done",
        "failed",
        "33%",
        "100%",
        "10 h 0 min",
    ):
        assert word in text


def test_a_name_is_cut_before_its_seed() -> None:
    assert shortened("3m QMIX seed 1", 14) == "3m QMIX seed 1"
    assert shortened("3m QMIX a=1 seed 1", 14) == "3m QMI… seed 1"
    assert shortened("3m QMIX seed 1", 3) == "… seed 1"
