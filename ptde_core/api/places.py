"""What a verb is pointed at: a run folder, or a file in one."""

from collections.abc import Sequence
from pathlib import Path

from ptde_core.storage import run_folder
from ptde_core.storage.run_folder import RunFolder
from ptde_core.storage.zoo import in_place, unpacked

Place = RunFolder | Path | str  # a run folder, or a file in one; "zoo:..." is one that comes with ptde (`ptde zoo`)


def path_of(place: Place) -> Path:
    """Its path; of what comes with ptde, that of a copy in the current folder."""
    return place.path if isinstance(place, RunFolder) else unpacked(place)


def file_at(path: Path | str | None) -> Path | None:
    """The path of an output; None stands for the default."""
    return None if path is None else Path(path)


def roots_of(runs: Sequence[Place]) -> list[Path] | None:
    """Folders that hold runs; None, what lies in the current folder, where there are none."""
    return [path_of(run) for run in runs] or None


def checkpoint_of(place: Place) -> Path:
    """A checkpoint; a run folder stands for its teacher."""
    return checkpoints_of(place)[0]


def checkpoint_to_read(place: Place) -> Path:
    """As `checkpoint_of`, for a verb that writes nothing beside it: what comes with ptde is read where it lies."""
    path = place.path if isinstance(place, RunFolder) else in_place(place)
    return run_folder.checkpoints_of(path)[0]


def checkpoints_of(place: Place) -> list[Path]:
    """Checkpoints; a run folder stands for its teacher and all its students."""
    return run_folder.checkpoints_of(path_of(place))
