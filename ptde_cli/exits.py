"""How a command ends: what the user reads and the exit code, for every way that is not plain success."""

import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import typer

from ptde_cli.streams import drop_unwritten, prepare_streams, write_out
from ptde_core.base.errors import FILE_SYSTEM, PtdeError, StorageError, storage_error
from ptde_core.base.printable import printable
from ptde_core.storage.zoo import is_of_zoo, unpacked

UNREAD = FAILED = 1  # nobody read the result; or all was done that could be, and there were failures
USER_ERROR = 2
INTERRUPTED = 130


class InterruptionError(Exception):
    """The user pressed Ctrl-C; `words` added to the same command make it go on where it stopped."""

    def __init__(self, words: Sequence[str] = ()) -> None:
        super().__init__("interrupted")
        self.words = tuple(words)


class StoppedError(PtdeError):
    """The file system refused in the middle of the work; `words` added to the same command make it go on."""

    def __init__(self, error: StorageError, words: Sequence[str]) -> None:
        super().__init__(error.problem, error.fix)
        self.words = tuple(words)


@contextmanager
def resumable(words: Callable[[], Sequence[str]] = tuple) -> Iterator[None]:
    """Turn Ctrl-C into `InterruptionError`, a full disk into `StoppedError`. `words` is asked then: what is saved?"""
    try:
        with _of_the_file_system("the current folder"):
            yield
    except KeyboardInterrupt:
        raise InterruptionError(words()) from None
    except StorageError as error:
        raise StoppedError(error, words()) from None


def run_app(app: typer.Typer, arguments: Sequence[str]) -> int:
    """Run one command line; say in one sentence what a user can mend. Our own bugs keep their traceback.

    Returns:
        The exit code: 0 done, 1 what `ptde doctor` found, cells that failed or a result that nobody read, 2 a
        mistake of the user or of the file system, 130 interrupted.
    """
    prepare_streams()
    try:
        os.getcwd()  # noqa: PTH109  Path.cwd() does the same, and this is asked for its error alone
    except OSError:
        _say("the current folder no longer exists; cd to another one")
        return USER_ERROR
    try:
        with _ending_in_order(), _of_the_file_system("standard output"):
            result = app(_with_files_of_the_zoo(arguments), prog_name="ptde", standalone_mode=False)
            write_out()
    except PtdeError as error:
        drop_unwritten()
        more = [word for word in getattr(error, "words", ()) if word not in arguments]
        _say(f"{error}{f'; it goes on with {shlex.join(more)} added' if more else ''}")
        return USER_ERROR
    except typer.TyperException as error:
        _say(f"{_sentence(error.format_message())}; see `{_help_of(app, arguments)}`")
        return USER_ERROR
    except BrokenPipeError:  # `ptde report | head`: whoever reads has had enough
        drop_unwritten()
        return UNREAD
    except (InterruptionError, KeyboardInterrupt, typer.Abort) as stop:
        again = ["ptde", *arguments, *(word for word in getattr(stop, "words", ()) if word not in arguments)]
        _say(f"interrupted; to go on, type: {shlex.join(again)}")
        return INTERRUPTED
    return result if isinstance(result, int) else 0  # an int is the code of a typer.Exit, as after --version


def _with_files_of_the_zoo(arguments: Sequence[str]) -> list[str]:
    """The words of a command line, `zoo:NAME` as the path of its copy here: so every command takes such names.

    Raises:
        PtdeError: there is no such name, or its files are not what they were.
    """
    asked = not {"--help", "-h"}.isdisjoint(arguments)  # then nothing is read, nor copied
    return [word if asked else str(unpacked(word)) if is_of_zoo(word) else word for word in arguments]


@contextmanager
def _of_the_file_system(otherwise: str) -> Iterator[None]:
    """Turn an error that a user can mend into a `StorageError`; it names `otherwise` where Python names no file.

    A connection that broke is none of these; other OSErrors are our own mistakes.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FILE_SYSTEM:
            raise
        raise storage_error(error, otherwise) from None


@contextmanager
def _ending_in_order() -> Iterator[None]:
    """A request to end, or a closed terminal, is like Ctrl-C: files are left whole, engines ended, the state told."""
    before = {}
    with suppress(ValueError):  # not in the main thread, where no handler can be set
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) != signal.SIG_IGN:  # ignored: by nohup
                before[number] = signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(sentence: str) -> None:
    with suppress(OSError, ValueError):  # nobody can be told
        print(f"ptde: {printable(sentence)}", file=sys.stderr, flush=True)


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
