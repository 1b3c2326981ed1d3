"""How a command ends: the message and the exit code for everything that is not plain success."""

import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import typer

from ptde_cli.streams import drop_unwritten, prepare_streams, write_out
from ptde_core.base.errors import FILE_SYSTEM, PtdeError, StorageError, quoted, storage_error
from ptde_core.base.printable import printable
from ptde_core.storage.zoo import is_of_zoo, unpacked

UNREAD = FAILED = 1  # the reader of the result is gone; or some of several jobs failed
USER_ERROR = 2
INTERRUPTED = 130
DATE = "SOURCE_DATE_EPOCH"  # read by NumPy and Matplotlib when they are imported


class InterruptionError(Exception):
    """The user pressed Ctrl-C; the same command with `words` added resumes."""

    def __init__(self, words: Sequence[str] = ()) -> None:
        super().__init__("interrupted")
        self.words = tuple(words)


class StoppedError(PtdeError):
    """The file system refused during the work; the same command with `words` added resumes."""

    def __init__(self, error: StorageError, words: Sequence[str]) -> None:
        super().__init__(error.problem, error.fix)
        self.words = tuple(words)


@contextmanager
def resumable(words: Callable[[], Sequence[str]] = tuple) -> Iterator[None]:
    """Turn Ctrl-C into `InterruptionError`, a full disk into `StoppedError`; `words()` gives what to add to resume."""
    try:
        with _of_the_file_system("standard output or the current folder"):
            yield
    except KeyboardInterrupt:
        raise InterruptionError(words()) from None
    except StorageError as error:
        raise StoppedError(error, words()) from None


def run_app(app_for: Callable[[Sequence[str]], typer.Typer], arguments: Sequence[str]) -> int:
    """Run one command line. An error that the user can correct is one sentence; a bug of ours keeps its traceback.

    Args:
        app_for: makes the command line for these arguments; to import what they need takes a while.
        arguments: the words after `ptde`.

    Returns:
        The exit code: 0 done; 1 `ptde doctor` found a lack, cells failed, `report --strict` found stale results, or the
        reader of the result is gone; 2 an error of the user or of the file system; 130 interrupted.
    """
    prepare_streams()
    wrong = _wrong_place()
    if "" in arguments:
        wrong = "one of the words typed is empty; was it to be the value of a variable that is not set?"
    if wrong:
        _say(wrong)
        return USER_ERROR
    app = typer.Typer()
    try:
        with _ending_in_order(), _of_the_file_system("standard output"):
            app = app_for(arguments)
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
    except BrokenPipeError:  # `ptde report | head`: the reader is gone
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
    """Turn an error that the user can correct into a `StorageError`, which names `otherwise` if Python names no file.

    Broken connections, and any other OSError, which is a bug of ours, pass through.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FILE_SYSTEM:
            raise
        raise storage_error(error, otherwise) from None


@contextmanager
def _ending_in_order() -> Iterator[None]:
    """Treat SIGTERM and a closed terminal like Ctrl-C: files are left whole, engines ended, the status written."""
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


def _wrong_place() -> str:
    """What keeps every command from working where it was typed, as a sentence; "" if nothing does."""
    try:
        os.getcwd()  # noqa: PTH109  called for its error alone
    except OSError:
        return "the current folder no longer exists; cd to another one"
    date = os.environ.get(DATE, "0")
    if date.isascii() and date.isdigit():
        return ""
    return f"{DATE} = {quoted(repr(date))} is no whole number of seconds, on which NumPy fails; unset it"


def _say(sentence: str) -> None:
    with suppress(OSError, ValueError):  # the stream is gone
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
