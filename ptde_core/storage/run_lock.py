"""One process at a time writes into a run folder: `locked(run, stage)`. Others are refused, and told which one does.

The lock is the operating system's, on a file in the folder, so it is released however its owner ends. The file's text
(process id, machine, stage) is for people only.
"""

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from ptde_core.base.errors import AtWorkError, StorageError, storage_error
from ptde_core.storage.run_folder import MARKS, RunFolder
from ptde_core.storage.whole_file import clear_partials, refuse_linked

try:
    import fcntl
except ImportError:  # only where the system has no such locks
    fcntl = None  # type: ignore[assignment]

PATIENCE = 1.0  # seconds to wait for a lock: longer than `is_held` takes, shorter than any stage
WRITING = 600.0  # seconds to wait for others that add to a file


@contextmanager
def locked(run: RunFolder, stage: str) -> Iterator[None]:
    """Inside the block, be the only process that writes into a run folder. Blocks of one process may nest.

    A missing folder is made, and deleted again if the block leaves it empty, as are the folders above it that were made
    for it. Unfinished files of processes that were killed are deleted.

    Args:
        run: the folder.
        stage: the name that others are told.

    Raises:
        AtWorkError: another process is at work there.
        StorageError: the folder cannot be written, or a folder in it is a link.
    """
    made = _make(run.path)
    try:
        with _held(run.lock, stage, PATIENCE, f"in {run.path}") as outermost:
            if outermost:
                refuse_linked_folders(run)
                for folder in run.folders:
                    clear_partials(folder)
            yield
    finally:
        if made and not any(name != run.lock.name for name in _names(run.path)):
            with suppress(OSError):
                run.lock.unlink(missing_ok=True)
                for folder in made:
                    folder.rmdir()


def refuse_linked_folders(run: RunFolder) -> None:
    """Refuse a run in which a folder is a link: stages write into it and delete what they do not need any more.

    Raises:
        StorageError: naming it.
    """
    for folder in run.folders[1:]:
        refuse_linked(folder)


@contextmanager
def locked_output(path: Path, stage: str) -> Iterator[None]:
    """Be the only process that writes a file: locks its run, or outside a run a lock file beside it.

    Raises:
        AtWorkError: another process is at work there.
        StorageError: its folder cannot be written.
    """
    run = RunFolder.of(path)
    if any((run.path / mark).exists() for mark in MARKS):
        with locked(run, stage):
            yield
        return
    made, beside = _make(path.parent), path.with_name(f".{path.name}.lock"[-200:])
    try:
        with _held(beside, stage, PATIENCE, f"on {path}"):
            yield
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
            for folder in made if not _names(path.parent) else ():
                folder.rmdir()


@contextmanager
def adding_to(path: Path) -> Iterator[None]:
    """Be the only process that reads, changes and replaces a file; waits for another one that does.

    Raises:
        AtWorkError: another process has held it for ten minutes.
        StorageError: its folder cannot be written.
    """
    with _held(path.with_name(f".{path.name}.lock"), "writing", WRITING, f"on {path}"):
        yield


def is_held(run: RunFolder) -> bool | None:
    """Whether a process is at work in the folder now; None where that cannot be known."""
    if fcntl is None:
        return None
    try:
        descriptor = os.open(run.lock, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without such locks
        return None
    finally:
        os.close(descriptor)
    return False


@contextmanager
def _held(file: Path, stage: str, patience: float, where: str) -> Iterator[bool]:
    """Hold a lock; yields whether this is the outermost block of this process that does."""
    lock = FileLock(file.parent.resolve() / file.name, thread_local=False, is_singleton=True)
    outermost = not lock.is_locked
    _refuse_links(file)
    try:
        lock.acquire(timeout=patience, poll_interval=0.02)
    except Timeout:
        raise AtWorkError(
            f"another process is at work {where}{owner(file)}", "wait until it is done, or give another folder"
        ) from None
    except OSError as error:
        raise storage_error(error, file) from error
    try:
        if outermost:
            with suppress(OSError):  # on a full disk; the lock holds anyway
                file.write_text(f"{os.getpid()} {socket.gethostname()} {stage}\n", encoding="utf-8")
        yield outermost
    finally:
        lock.release()


def _refuse_links(file: Path) -> None:
    """Refuse a lock that is a user's file under another name, or no file: its text is written into it.

    Raises:
        StorageError: naming it.
    """
    try:
        facts = file.lstat()
    except OSError:
        return
    if not stat.S_ISREG(facts.st_mode) or facts.st_nlink > 1:
        raise StorageError(f"cannot use {file} as a lock: it is a link, or no file", "move it away")


def owner(file: Path) -> str:
    """The owner of a lock, by the file's text: " (process 17 on box, train-teacher)"."""
    try:
        with file.open(encoding="utf-8") as note:
            pid, host, stage = note.read(200).split(maxsplit=2)
    except (OSError, ValueError):
        return ""
    words = f"process {pid} on {host}, {stage.strip()}"
    return f" ({words})" if pid.isdecimal() and words.isprintable() else ""


def _make(folder: Path) -> list[Path]:
    """Make a folder; returns those that were missing, the innermost first.

    Raises:
        StorageError: it cannot be made.
    """
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise storage_error(NotADirectoryError(*error.args, error.filename), folder) from error
    except OSError as error:
        raise storage_error(error, folder) from error
    return missing


def _names(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except OSError:
        return []
