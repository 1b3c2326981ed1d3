"""The three standard streams as a command finds them: open, able to say any character, and read by somebody or not."""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import ParamSpec

P = ParamSpec("P")

STREAMS = ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w"))


def prepare_streams() -> None:
    """Open those that are closed on nothing, and have both that are written to say what they have no characters for.

    A closed one would otherwise lend its number to the next file that is opened, and whoever prints would write there.
    """
    for number, name, mode in STREAMS:
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115  open as long as the process
    for stream in (sys.stdout, sys.stderr):
        # The terminal's own encoding stays; a test's stand-in has no errors to set.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def write_out() -> None:
    """Write out what was printed, while an error can still be told.

    Raises:
        OSError: nobody reads standard output any more, or it cannot be written.
    """
    sys.stdout.flush()


def drop_unwritten() -> None:
    """Drop what was printed and cannot be written, so that Python's own end says nothing of it."""
    try:
        write_out()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, sys.stdout.fileno())
            os.close(nothing)


def deaf(show: Callable[P, None]) -> Callable[P, None]:
    """A way to show progress that falls silent, instead of ending the work, once nobody can be told any more."""
    heard = True

    def shown(*given: P.args, **named: P.kwargs) -> None:
        nonlocal heard
        if heard:
            try:
                show(*given, **named)
            except (OSError, ValueError):  # the terminal was closed; a stream that is closed raises the second
                heard = False

    return shown
