"""How a command ends: what the user reads and the exit code, for every way that is not plain success."""

import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import typer

from ptde_core.base.errors import PtdeError

FAILED = 1  # the command itself did what it was to do, and found or met failures
USER_ERROR = 2
INTERRUPTED = 130

UNUSABLE_PATH = (PermissionError, NotADirectoryError, IsADirectoryError, FileExistsError)
"""Errors of the file system that a user mends by giving another path. All other OSErrors keep their traceback."""


class InterruptionError(Exception):
    """The user pressed Ctrl-C; `words` added to the same command make it go on where it stopped."""

    def __init__(self, words: Sequence[str] = ()) -> None:
        super().__init__("interrupted")
        self.words = tuple(words)


@contextmanager
def resumable(words: Callable[[], Sequence[str]] = tuple) -> Iterator[None]:
    """Turn Ctrl-C into `InterruptionError`. `words` is asked then, when it is known what has been saved."""
    try:
        yield
    except KeyboardInterrupt:
        raise InterruptionError(words()) from None


def run_app(app: typer.Typer, arguments: Sequence[str]) -> int:
    """Run one command line; say in one sentence what a user can mend. Our own bugs keep their traceback.

    Returns:
        The exit code: 0 done, 1 what `ptde doctor` found or cells of a sweep that failed, 2 a mistake of the user,
        130 interrupted.
    """
    try:
        result = app(list(arguments), prog_name="ptde", standalone_mode=False)
    except PtdeError as error:
        _say(str(error))
        return USER_ERROR
    except typer.TyperException as error:
        _say(f"{_sentence(error.format_message())}; see `{_help_of(app, arguments)}`")
        return USER_ERROR
    except UNUSABLE_PATH as error:
        if error.filename is None:
            raise
        _say(f"cannot use {error.filename}: {error.strerror}; give another path")
        return USER_ERROR
    except InterruptionError as stop:
        again = ["ptde", *arguments, *(word for word in stop.words if word not in arguments)]
        _say(f"interrupted; to go on, type: {shlex.join(again)}")
        return INTERRUPTED
    return result if isinstance(result, int) else 0  # an int is the code of a typer.Exit, as after --version


def _say(sentence: str) -> None:
    print(f"ptde: {sentence}", file=sys.stderr)


def _sentence(message: str) -> str:
    """Typer's message on one line, as the first half of a sentence."""
    flat = " ".join(message.replace("Value error, ", "").split()).rstrip(".")
    return flat[:1].lower() + flat[1:]


def _help_of(app: typer.Typer, arguments: Sequence[str]) -> str:
    groups = {group.name: group.typer_instance for group in app.registered_groups}
    typed = list(arguments[:1])
    if typed and typed[0] in groups:
        parts = {command.name for command in (groups[typed[0]] or app).registered_commands}
        typed += [word for word in arguments[1:2] if word in parts]
    elif not {command.name for command in app.registered_commands}.intersection(typed):
        typed = []
    return " ".join(["ptde", *typed, "--help"])
