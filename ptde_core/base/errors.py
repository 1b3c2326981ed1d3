"""The one error users see: what is wrong, and what to type next."""

import difflib
import errno
import os
from collections.abc import Iterable

NEAR = 0.55  # similarity from which a name is offered instead
NEAR_SHORT = 0.5  # of at most two characters: 3n is 0.5 similar to 3m

SHOWN = 100  # characters of a value that an error quotes


class PtdeError(Exception):
    """A mistake that the user can correct, shown as one sentence without a traceback (exit code 2).

    Args:
        problem: what is wrong, with the offending value ("no map named 3n").
        fix: what to do or type next ("see `ptde maps`"); may be empty when the problem says it all.
    """

    def __init__(self, problem: str, fix: str = "") -> None:
        super().__init__(f"{problem}; {fix}" if fix else problem)
        self.problem = problem
        self.fix = fix


def unknown(kind: str, word: object, known: Iterable[str], otherwise: str = "") -> PtdeError:
    """The error for a name that does not exist: it offers the nearest one that does.

    Args:
        kind: what was named ("setting", "map").
        word: what was typed.
        known: the names that exist.
        otherwise: what to do if none of them is near; by default they are all listed.
    """
    return PtdeError(f"no {kind} named {quoted(repr(word))}", nearest(word, known, otherwise))


def nearest(word: object, known: Iterable[str], otherwise: str = "") -> str:
    """What to do about a name that does not exist: the nearest one that does, else `otherwise`, else all of them."""
    names = list(known)
    text = str(word)[:SHOWN]
    near = difflib.get_close_matches(text, names, n=1, cutoff=NEAR_SHORT if len(text) <= 2 else NEAR)
    return f"did you mean {near[0]!r}?" if near else otherwise or f"choose from {', '.join(sorted(names))}"


def quoted(value: object) -> str:
    """A value, or a library's error message, cut to a length that fits into a sentence."""
    text = str(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


class AtWorkError(PtdeError):
    """Another process is at work there: no failure, it helps to wait."""


class UserCodeError(PtdeError):
    """Code of the user's own raised something; `trace` is its whole traceback, for a file.

    Args:
        problem: what happened, with the error's last line.
        fix: what to do.
        trace: the traceback as text.
    """

    def __init__(self, problem: str, fix: str, trace: str) -> None:
        super().__init__(problem, fix)
        self.trace = trace


class EngineError(UserCodeError):
    """The code of an environment raised something."""


class StorageError(PtdeError):
    """The file system refused: full, read-only, gone, too long a name. Earlier files are as they were."""


_MENDS = {
    errno.ENOSPC: "make room there, and the same command goes on",
    errno.EDQUOT: "make room there, and the same command goes on",
    errno.EROFS: "give another path, or mount it so that it can be written",
    errno.ENAMETOOLONG: "give a shorter name",
    errno.EIO: "the device or its connection has failed; see to it, and the same command goes on",
    errno.ESTALE: "the network's file system has gone; connect it again, and the same command goes on",
    errno.ENODEV: "the file system has gone; mount it again, and the same command goes on",
    errno.ENOENT: "its folder has gone; bring it back, or give another path",
    errno.EXDEV: "bring the whole folder onto one file system, and the same command goes on",
    errno.EMFILE: "allow more open files: `ulimit -n 4096`",
    errno.ENFILE: "close other programs: this machine has too many open files",
    errno.EEXIST: "use it, move it away, or give another path",
}
_ELSEWHERE = (
    *(errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EFBIG, errno.ENXIO, errno.EBUSY),
    *(errno.ETXTBSY, errno.EINVAL, errno.ENOTCONN, errno.EOPNOTSUPP),
)
FILE_SYSTEM = frozenset({*_MENDS, *_ELSEWHERE})
"""Numbers of errors that a user can correct outside ptde; any other OSError is a bug of ours."""


def storage_error(error: OSError, path: os.PathLike[str] | str) -> StorageError:
    """The sentence for an error of the file system.

    Args:
        error: as Python raised it; its file name is taken if it has one.
        path: the file that was written or read, named where the error has no file name.
    """
    place = path if error.filename is None else os.fsdecode(error.filename)
    why = (error.strerror or str(error)).lower()
    return StorageError(f"cannot use {place}: {why}", _MENDS.get(error.errno or 0, "give another path"))
