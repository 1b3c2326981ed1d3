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
        grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False)
        for head in ("Cell", "State", "Stage"):
            grid.add_column(head, no_wrap=True)
        for head in ("Trained", "Won in tests", "Left"):
            grid.add_column(head, justify="right", no_wrap=True)
        order = sorted(seen.cells, key=lambda cell: STATES.index(cell.state))
        room = max(1, self.console.height - BESIDE)
        for cell in order[:room]:
            grid.add_row(*map(Text, _row(cell)), style=STYLES[cell.state])
        return Group(grid, Text(summary(seen, hidden=max(0, len(order) - room))))


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
    return cell.name, cell.state, cell.doing, f"{cell.share:.0%}", won, left


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
