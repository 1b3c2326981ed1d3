"""The progress of a sweep: on a terminal a live table of its cells, elsewhere lines."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TextIO

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table as Grid
from rich.text import Text

from ptde_cli.display import Lines, duration
from ptde_core.base import events
from ptde_core.base.events import CellSeen, Event, Listener, silent

STATES = (
    "running",
    "failed",
    "stale",
    "pending",
    "done",
)  # in the table's order; cells that do not fit are counted
STYLES = {"running": "bold", "failed": "bold red", "stale": "yellow", "pending": "dim", "done": "green"}
HEADS = ("State", "Trained", "Won", "Left")  # beside a cell's name
LEAST = 20  # columns for a cell's name
BESIDE = 8  # lines of the terminal that are not cells


class LiveTable:
    """The cells of a sweep on a terminal, redrawn as they change; sentences scroll above."""

    def __init__(self, stream: TextIO) -> None:
        self.console = Console(file=stream, highlight=False)
        self.live = Live(console=self.console, refresh_per_second=2)

    def __enter__(self) -> "LiveTable":
        self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.live.stop()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        match event:
            case events.StageStarted():
                self._say(f"{event.stage}: {event.title}")
            case events.SweepSeen():
                self.live.update(self._drawn(event))
            case events.Note():
                self._say(event.text)
            case events.StageFinished():
                self._say(f"{event.stage}: done in {duration(event.seconds)}")

    def _say(self, line: str) -> None:
        self.live.console.print(Text(line), soft_wrap=True)

    def _drawn(self, seen: events.SweepSeen) -> Group:
        order = sorted(seen.cells, key=lambda cell: STATES.index(cell.state))
        shown = order[: max(1, self.console.height - BESIDE)]
        rows = [_row(cell) for cell in shown]
        widths = [max(map(len, column)) for column in zip(HEADS, *(row[1:] for row in rows), strict=True)]
        while (room := self.console.width - sum(widths) - 3 * len(widths) - 2) < LEAST and len(widths) > 1:
            widths.pop()  # a column less, so that the cells can be told apart
        grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False)
        grid.add_column("Cell", no_wrap=True)
        for head, width in zip(HEADS, widths, strict=False):
            grid.add_column(head, justify="left" if head == HEADS[0] else "right", no_wrap=True, min_width=width)
        for cell, (name, *texts) in zip(shown, rows, strict=True):
            grid.add_row(*map(Text, (shortened(name, room), *texts[: len(widths)])), style=STYLES[cell.state])
        return Group(grid, Text(summary(seen, hidden=len(order) - len(shown))))


def shortened(name: str, room: int) -> str:
    """A cell's name in so many columns: its end, which says the seed, is kept, and what is before it is cut."""
    start, _, end = name.rpartition(" seed ")
    end = f" seed {end}"
    return name if len(name) <= room else f"{start[: max(0, room - len(end) - 1)]}…{end}"


def summary(seen: events.SweepSeen, hidden: int = 0) -> str:
    """How many cells are in each state, and the time left."""
    counts = Counter(cell.state for cell in seen.cells)
    parts = [f"{counts[state]} {state}" for state in STATES if counts[state]]
    if hidden:
        parts.append(f"{hidden} not shown")
    if seen.seconds_left:
        parts.append(f"about {duration(seen.seconds_left)} left")
    return ", ".join(parts)


def _row(cell: CellSeen) -> tuple[str, ...]:
    won = f"{cell.metrics['test_win_rate']:.0%}" if "test_win_rate" in cell.metrics else ""
    left = duration(cell.seconds_left) if cell.seconds_left else ""
    state = cell.doing if cell.state == "running" else cell.state
    return cell.name, state, f"{cell.share:.0%}", won, left


@contextmanager
def watching_cells(*, quiet: bool) -> Iterator[Listener]:
    """A listener for a sweep: a live table on a terminal, lines elsewhere, nothing if quiet."""
    if quiet:
        yield silent
    elif sys.stderr.isatty():
        with LiveTable(sys.stderr) as table:
            yield table
    else:
        yield Lines(sys.stderr)
