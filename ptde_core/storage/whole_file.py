"""Atomic writes: a file is written under another name beside its place, synced, and renamed. It appears whole or not.

Whatever goes wrong (no room, no permission, a file system that is gone) becomes one sentence (`StorageError`), and an
earlier file at that place is unchanged.
"""

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ptde_core.base.errors import StorageError, storage_error

PARTIAL = ".partial"  # ending of the name of an unfinished file
MARK = 8  # random hexadecimal digits in that name
LONGEST_NAME = 255  # bytes, where the file system does not say
LEAST_ROOM = 1_000_000  # bytes that must be free before work on a file begins


@contextmanager
def replacing(path: Path, *, new: bool = False) -> Iterator[BinaryIO]:
    """A file open for writing that becomes `path` when the block ends without an error, and is deleted otherwise.

    A link at `path` is replaced, never followed. `file.name` is the path of the unfinished file, for other programs
    that write it.

    Args:
        path: of the finished file; missing folders above it are made.
        new: refuse to replace an existing file.

    Raises:
        StorageError: it cannot be written, with what to do about it.
    """
    partial: Path | None = None
    try:
        refuse_odd(path)
        _nearest_folder(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = _free_name(path)
        # O_EXCL: fails if something, such as a link, already has this name.
        with partial.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if new:
            _rename_to_free(partial, path)
        else:
            partial.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise storage_error(error, path) from error
    finally:
        if partial is not None:
            with suppress(OSError):
                partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8, by `replacing`.

    Raises:
        StorageError: as there.
    """
    with replacing(path) as file:
        file.write(text.encode("utf-8", errors="backslashreplace"))  # names of files may hold bytes that are no text


def check_output(path: Path, *, new: bool = False, room: int = LEAST_ROOM) -> None:
    """Refuse an output that cannot be written, before the work for it begins; nothing is written or made.

    Args:
        path: a file that will be written.
        new: it must not be there yet.
        room: bytes that must be free.

    Raises:
        StorageError: it is there, is no file, has too long a name, its folder cannot be written or is full.
    """
    try:
        refuse_odd(path)
        if new and os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        folder = _nearest_folder(path)
        longest = _longest_name(folder)
        for part in path.parts:
            if len(os.fsencode(part)) > longest:
                raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), str(path))
        if not os.access(folder, os.W_OK | os.X_OK):
            read_only = os.statvfs(folder).f_flag & os.ST_RDONLY
            number = errno.EROFS if read_only else errno.EACCES
            raise OSError(number, os.strerror(number), str(folder))
        if shutil.disk_usage(folder).free < room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
    except OSError as error:
        raise storage_error(error, path) from error


def refuse_odd(path: Path) -> None:
    """Refuse a place where something else than a file is: a folder, a device, a pipe.

    Raises:
        OSError: with the path.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise StorageError(f"cannot use {path}: it is a device or a pipe, not a file", "give the name of a file")


def _refuse_link(path: Path, why: str) -> None:
    if path.is_symlink():
        raise StorageError(f"cannot use {path}: it is a link, and {why}", "move it away, or put there what it leads to")


def refuse_linked(folder: Path) -> None:
    """Refuse to write into a folder that is a link, as one in a run of somebody else may be.

    Raises:
        StorageError: naming it.
    """
    _refuse_link(folder, "what is written or deleted in a folder stays in it")


def refuse_linked_file(path: Path) -> None:
    """Refuse a file that is written in place, by us or by a library, and is a link, a device or a pipe.

    Raises:
        StorageError: naming it.
    """
    _refuse_link(path, "what is logged is written in place")
    try:
        refuse_odd(path)
    except OSError as error:
        raise storage_error(error, path) from error


def clear_partials(folder: Path) -> None:
    """Delete what writers that were killed have left in a folder; call it where nobody else writes."""
    with suppress(OSError):
        for path in folder.glob(f".*{PARTIAL}"):
            path.unlink(missing_ok=True)


def _nearest_folder(path: Path) -> Path:
    """The innermost of the folders above a file that is there.

    Raises:
        NotADirectoryError: something else is in the way.
    """
    for folder in path.parents:
        if os.path.lexists(folder):
            if not folder.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
            return folder
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))


def _longest_name(folder: Path) -> int:
    with suppress(OSError, ValueError):
        return os.pathconf(folder, "PC_NAME_MAX")
    return LONGEST_NAME


def _free_name(path: Path) -> Path:
    """A name beside a file that nobody can know beforehand, hidden, and no longer than names may be."""
    ending = f".{secrets.token_hex(MARK // 2)}{PARTIAL}"
    longest = _longest_name(path.parent)
    if len(os.fsencode(path.name)) > longest:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), str(path))
    stem = os.fsencode(path.name)[: longest - 1 - len(ending)]
    return path.with_name(f".{stem.decode(errors='ignore')}{ending}")


def _rename_to_free(partial: Path, path: Path) -> None:
    """Rename where nothing is; two who do so at once cannot both succeed."""
    try:
        path.hardlink_to(partial)
    except FileExistsError:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
    except OSError:  # a file system without such links
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        partial.replace(path)


def _sync_folder(folder: Path) -> None:
    """Have the new name survive a loss of power too, where folders can be synced."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
