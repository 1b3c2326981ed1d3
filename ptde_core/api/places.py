"""What a verb is pointed at: a run folder, or a file in one."""

import errno
import os
from collections.abc import Sequence
from pathlib import Path

from ptde_core.base.errors import PtdeError, quoted, storage_error
from ptde_core.storage import run_folder
from ptde_core.storage.run_folder import RunFolder
from ptde_core.storage.zoo import in_place, unpacked

Place = RunFolder | Path | str  # a run folder, or a file in one; "zoo:..." is one that comes with ptde (`ptde zoo`)


def path_of(place: Place) -> Path:
    """Its path; of what comes with ptde, that of a copy in the current folder.

    Raises:
        PtdeError: neither a `RunFolder` nor a path, or a name that the zoo does not have.
    """
    return place.path if isinstance(place, RunFolder) else unpacked(_checked(place))


def paths_of(places: Sequence[Place], what: str) -> list[Path]:
    """The paths of at least one place.

    Raises:
        PtdeError: there is none; the sentence names `what` is asked for.
    """
    if not places:
        raise PtdeError(f"no {what} is given", "name one or more, as arguments of their own")
    return [path_of(one) for one in places]


def file_at(path: RunFolder | Path | str | None) -> Path | None:
    """The path of an output; None stands for the default.

    Raises:
        PtdeError: neither a `RunFolder` nor a path.
    """
    return None if path is None else output_at(path)


def output_at(path: RunFolder | Path | str) -> Path:
    """The path of an output without a default.

    Raises:
        PtdeError: neither a `RunFolder` nor a path.
    """
    return path.path if isinstance(path, RunFolder) else Path(_checked(path))


def _checked(path: Path | str) -> Path | str:
    if not isinstance(path, str | os.PathLike):
        raise PtdeError(
            f"{quoted(repr(path))} is no path", "give a path or a RunFolder; several as arguments of their own"
        )
    if not str(path):
        raise PtdeError("'' is no path", "give one; the current folder is '.'")
    try:
        os.lstat(path)
    except ValueError:
        raise PtdeError(f"{quoted(repr(path))} is no path", "leave out what no name of a file can hold") from None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise storage_error(error, path) from None
    return path


def roots_of(runs: Sequence[Place]) -> list[Path] | None:
    """Folders that hold runs; None, what lies in the current folder, where there are none."""
    return [path_of(run) for run in runs] or None


def checkpoint_of(place: Place) -> Path:
    """A checkpoint; a run folder stands for its teacher."""
    return checkpoints_of(place)[0]


def checkpoint_to_read(place: Place) -> Path:
    """As `checkpoint_of`, for a verb that writes nothing beside it: what comes with ptde is read where it lies."""
    path = place.path if isinstance(place, RunFolder) else in_place(_checked(place))
    return run_folder.checkpoints_of(path)[0]


def checkpoints_of(place: Place) -> list[Path]:
    """Checkpoints; a run folder stands for its teacher and all its students."""
    return run_folder.checkpoints_of(path_of(place))
