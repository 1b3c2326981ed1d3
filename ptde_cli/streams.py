"""The three standard streams: made sure to be open and to take any character; and what if nobody reads them."""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import ParamSpec

P = ParamSpec("P")

STREAMS = ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w"))


def prepare_streams() -> None:
    """Open closed streams on the null device, and write characters that a stream cannot encode as escapes.

    The number of a closed stream would be given to the next file that is opened, and printed text would end up there.
    """
    for number, name, mode in STREAMS:
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is the closed stream's
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115  open as long as the process
    for stream in (sys.stdout, sys.stderr):
        # The terminal's own encoding stays; a test's stand-in has no errors to set.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def write_out() -> None:
    """Flush standard output, while an error can still be reported.

    Raises:
        OSError: the reader of standard output is gone, or it cannot be written.
    """
    sys.stdout.flush()


def drop_unwritten() -> None:
    """Discard output that cannot be written, so that Python reports no error about it at exit."""
    try:
        write_out()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, sys.stdout.fileno())
            os.close(nothing)


def deaf(show: Callable[P, None]) -> Callable[P, None]:
    """Progress that falls silent, instead of ending the work, once its stream cannot be written any more."""
    heard = True

    def shown(*given: P.args, **named: P.kwargs) -> None:
        nonlocal heard
        if heard:
            try:
                show(*given, **named)
            except (OSError, ValueError):  # the terminal was closed; a stream that is closed raises the second
                heard = False

    return shown
