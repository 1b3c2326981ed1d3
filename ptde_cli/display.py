"""Showing progress, from the core's events, and tables. With `live_table.py` and `player.py` the only user of Rich.

Results go to standard output, progress to standard error, so that a result can be piped while progress is watched.
"""

import shlex
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from ptde_cli.layout import column_widths, in_columns, stacked, wrapped
from ptde_cli.streams import deaf
from ptde_core.base import events
from ptde_core.base.events import Event, Listener, silent
from ptde_core.base.printable import printable
from ptde_core.results.table import Table

if TYPE_CHECKING:
    from ptde_core.viewing.map_drawing import CellKind, MapSheet  # at run time it would load numba for every command

PACE_SECONDS = 30.0  # speed is measured over the last half minute: training slows down once it learns
LINE_SECONDS = 10.0  # between two lines of progress where there is no terminal to redraw
PIPED_WIDTH = 100_000  # a piped table is never wrapped or cut

HEADLINES = (
    ("test_win_rate", "won {:.0%} in tests"),
    ("train_win_rate", "won {:.0%}"),
    ("test_return", "return {:.3g} in tests"),  # only of games that cannot be won: others report one of the above
    ("train_return", "return {:.3g}"),
    ("student_explained", "explains {:.0%}"),
    ("student_loss", "loss {:.3g}"),
)
"""The result beside a bar: the first of these metrics that the stage has reported."""

MAP_RULER = 4  # cells between the numbers below a map
CELL_STYLES: Mapping["CellKind", str] = {
    "wall": "bright_black",
    "floor": "dim",
    "cliff": "yellow",
    "edge": "dim",
    "ally": "bold cyan",
    "enemy": "bold red",
    "mark": "bold magenta",
}


class Pace:
    """The words beside a bar: progress, speed, time left, and the newest result.

    Speed is measured between two reports: before the first one, a stage loads and compiles.

    Args:
        started: the stage's beginning.
        clock: a monotonic clock, in seconds.
    """

    def __init__(self, started: events.StageStarted, clock: Callable[[], float] = time.monotonic) -> None:
        self.started = started
        self.done = started.done
        self.clock = clock
        self.seen: deque[tuple[float, int]] = deque()
        self.metrics: dict[str, float] = {}

    def advance(self, progress: events.Progress) -> None:
        """Add a report of progress."""
        now = self.clock()
        self.done = progress.done
        self.metrics.update(progress.metrics)
        self.seen.append((now, progress.done))
        while len(self.seen) > 2 and now - self.seen[1][0] > PACE_SECONDS:
            self.seen.popleft()

    def pause(self, seconds: float) -> None:
        """Leave out some of the seconds since the last report, which were spent on something else."""
        now = self.clock()
        self.seen = deque((min(now, at + seconds), done) for at, done in self.seen)

    @property
    def per_second(self) -> float | None:
        """Speed over the last half minute; None before two reports with progress between them."""
        if not self.seen:
            return None
        (first, start), (last, end) = self.seen[0], self.seen[-1]
        return (end - start) / (last - first) if last > first and end > start else None

    @property
    def seconds_left(self) -> float | None:
        """Time left at that speed."""
        return max(0, self.started.total - self.done) / self.per_second if self.per_second else None

    @property
    def speed(self) -> str:
        """Such as "3,120 env steps/s"."""
        if self.per_second is None:
            return ""
        number = f"{self.per_second:,.0f}" if self.per_second >= 10 else f"{self.per_second:.2g}"
        return f"{number} {self.started.unit}/s"

    @property
    def headline(self) -> str:
        """Such as "won 41%"."""
        return next((text.format(self.metrics[name]) for name, text in HEADLINES if name in self.metrics), "")

    @property
    def left(self) -> str:
        """Such as "1 min 20 s left"."""
        return f"{duration(self.seconds_left)} left" if self.seconds_left is not None else ""


def duration(seconds: float) -> str:
    """A duration in words: 8 s, 1 min 20 s, 3 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


class Lines:
    """Progress where there is no terminal: whole lines, at most one every ten seconds, no control characters."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self.stream = stream
        self.clock = clock
        self.pace: Pace | None = None
        self.last_line = clock()
        self.reports = 0  # lines of progress so far

    def __call__(self, event: Event) -> None:
        """Show one event."""
        match event:
            case events.StageStarted():
                self.pace = Pace(event, self.clock)
                self.last_line, self.reports = self.clock(), 0
                self._write(_opening(event))
            case events.Progress() if self.pace:
                self.pace.advance(event)
                if self.clock() - self.last_line >= LINE_SECONDS:
                    self.last_line = self.clock()
                    self.reports += 1
                    self._write(self._progress(self.pace))
            case events.Compiled() if self.pace:
                self.pace.pause(event.seconds)
                self._write(_sentence(event))
            case _:
                self._write(_sentence(event))

    def _progress(self, pace: Pace) -> str:
        started = pace.started
        share = f"{pace.done:,}/{started.total:,} {started.unit} ({pace.done / max(1, started.total):.0%})"
        speed, left = (pace.speed, pace.left) if self.reports > 1 else ("", "")  # the first speed is not settled yet
        return f"{started.stage}: " + ", ".join(filter(None, (share, speed, pace.headline, left)))

    def _write(self, line: str) -> None:
        if line:
            print(printable(line), file=self.stream, flush=True)


class Bars:
    """Progress on a terminal: one bar per stage, with speed, newest result and time left."""

    def __init__(self, stream: TextIO) -> None:
        self.console = Console(file=stream, highlight=False)
        self.bars = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=None, table_column=Column(ratio=1)),  # what the words leave
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[facts]}", table_column=Column()),  # wraps where the terminal is narrow
            console=self.console,
            refresh_per_second=4,  # drawing costs time that the training could use
            expand=True,
        )
        self.task: TaskID | None = None
        self.pace: Pace | None = None

    def __enter__(self) -> "Bars":
        self.bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError, ValueError):  # the terminal was closed
            self.bars.stop()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        match event:
            case events.StageStarted():
                self._say(_opening(event))
                self.pace = Pace(event)
                self.task = self.bars.add_task(event.stage, total=event.total, completed=event.done, facts="")
            case events.Progress() if self.pace and self.task is not None:
                self.pace.advance(event)
                facts = "  ".join(filter(None, (self.pace.speed, self.pace.headline, self.pace.left)))
                self.bars.update(self.task, completed=event.done, facts=facts)
            case events.Compiled() if self.pace:
                self.pace.pause(event.seconds)
                self._say(_sentence(event))
            case events.StageFinished() if self.pace and self.task is not None:
                facts = "  ".join(filter(None, (self.pace.headline, f"took {duration(event.seconds)}")))
                self.bars.update(self.task, completed=self.pace.started.total, facts=facts)
            case _:
                self._say(_sentence(event))

    def _say(self, line: str) -> None:
        if line:
            self.console.print(Text(printable(line)), soft_wrap=True)


@contextmanager
def watching(*, quiet: bool) -> Iterator[Listener]:
    """A listener for a stage: bars on a terminal, lines elsewhere, nothing if quiet."""
    if quiet:
        yield silent
    elif sys.stderr.isatty():
        with Bars(sys.stderr) as bars:
            yield deaf(bars)
    else:
        yield deaf(Lines(sys.stderr))


def print_tables(tables: Iterable[Table], file: TextIO | None = None) -> None:
    """Tables on standard output, or in a file; where it is no terminal they are as wide as they need to be.

    On a terminal that is too narrow words wrap, and where that is not enough each row becomes a block (`layout`).
    """
    stream = file or sys.stdout
    console = Console(file=stream, highlight=False, width=None if stream.isatty() else PIPED_WIDTH)
    for table in tables:
        _print_lines(console, table.title, "bold")
        widths = column_widths(table, console.width, cell_len)
        lines = stacked(table, console.width, cell_len) if widths is None else in_columns(table, widths, cell_len)
        for line, emphasized in [("", False), *lines, ("", False)]:
            console.print(Text(line, "bold" if emphasized else ""), soft_wrap=True)
        for note in table.notes:
            _print_lines(console, note, "dim")
        console.print()


def print_untrained(teachers: Iterable[Path]) -> None:
    """Say below their results which of these teachers, of those that are there, have learned nothing."""
    from ptde_core.storage.checkpoint import why_untrained  # loads torch

    for why in filter(None, map(why_untrained, filter(Path.is_file, teachers))):
        print(printable(why))


def _print_lines(console: Console, text: str, style: str) -> None:
    for line in wrapped(text, console.width):
        console.print(Text(line, style), soft_wrap=True)


def print_map(sheet: "MapSheet") -> None:
    """A map on standard output: its cells, then its units; in colours on a terminal."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)
    height, width = len(sheet.rows), len(sheet.rows[0])
    margin = 4
    wide = 2 if margin + 2 * width <= console.width else 1  # characters per cell; two look square
    console.print(Text(printable(sheet.title), "bold"))
    for y, row in zip(reversed(range(height)), sheet.rows, strict=True):
        line = Text().append(f"{y:>{margin - 1}} ", "dim")
        for kind, cells in groupby(row, key=attrgetter("kind")):
            line.append("".join(cell.text[:wide] for cell in cells), CELL_STYLES[kind])
        line.rstrip()
        console.print(line, soft_wrap=True)
    ruler = "".join(f"{x:<{MAP_RULER * wide}}" for x in range(0, width, MAP_RULER))
    console.print(Text(" " * margin + ruler.rstrip(), "dim"), soft_wrap=True)
    console.print(Text(printable(sheet.legend) + "\n", "dim"))
    print_tables([sheet.units])


def shown(path: Path) -> str:
    """A path as it would be typed here: relative if it is below the current folder, quoted if necessary."""
    here = Path.cwd()
    near = path.relative_to(here) if path.is_absolute() and path.is_relative_to(here) else path
    return printable(shlex.quote(str(near)))


def _opening(event: events.StageStarted) -> str:
    already = f", {event.done:,} done before" if event.done else ""
    unit = event.unit.removesuffix("s") if event.total == 1 else event.unit
    return f"{event.stage}: {event.title} ({event.total:,} {unit}{already})"


def _sentence(event: Event) -> str:
    match event:
        case events.FileSaved():
            return f"saved {shown(event.path)} ({event.meaning})"
        case events.Note():
            return event.text
        case events.Compiled():
            return f"compiled kernels for {duration(event.seconds)}; this is done once"
        case events.StageFinished():
            return f"{event.stage}: done in {duration(event.seconds)}"
    return ""
