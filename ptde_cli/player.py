"""An episode in the terminal: the field as letters, every unit's health, and what the agents do, step by step.

With `display.py` the only file that touches Rich.
"""

import sys
import time
from collections.abc import Callable

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table as Grid
from rich.text import Text

from ptde_core.base.errors import PtdeError
from ptde_core.base.printable import printable
from ptde_core.viewing.replays.chosen_episodes import Shown
from ptde_core.viewing.replays.screen import BLANK, Screen, screens_of

STEP_SECONDS = 0.2
BAR = 8  # characters of a full health bar
STYLES = {
    "ally": "bold cyan",
    "enemy": "bold red",
    "other": "bold yellow",
    "wall": "bright_black",
    "floor": "dim",
    BLANK: "",
}


def watch(shown: list[Shown], pause: Callable[[float], None] = time.sleep) -> None:
    """Play one episode after the other on the terminal.

    Args:
        shown: what to play.
        pause: waits for some seconds.

    Raises:
        PtdeError: standard output is no terminal.
    """
    if not sys.stdout.isatty():
        raise PtdeError("there is no terminal to watch an episode on", "take --format gif or html")
    console = Console(highlight=False)
    for one in shown:
        with Live(console=console, auto_refresh=False, transient=False) as live:
            for screen in screens_of(one, console.width, console.height - 1):
                live.update(drawn(screen), refresh=True)
                pause(STEP_SECONDS)


def drawn(screen: Screen) -> Group:
    """One moment as Rich draws it."""
    field = Text()
    for row in screen.field:
        for text, kind in row:
            field.append(text, STYLES[kind])
        field.append("\n")
    units = Text()
    for line in screen.units:
        units.append(f"{line.letter} ", STYLES[line.kind])
        full = round(BAR * line.share)
        units.append("█" * full, "green" if line.share > 0.5 else "yellow" if line.share > 0.25 else "red")
        units.append("░" * (BAR - full), "bright_black")
        units.append(f" {line.words}\n", "" if line.share else "bright_black")
    grid = Grid.grid(padding=(0, 2))
    grid.add_row(field, units)
    return Group(
        Text(printable(screen.title), "bold", no_wrap=True, overflow="ellipsis"),
        Text(printable(screen.counter), "dim"),
        grid,
    )
