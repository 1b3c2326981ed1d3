"""What a verb is pointed at: a run folder, or a file in one."""

from collections.abc import Sequence
from pathlib import Path

from ptde_core.storage.run_folder import RunFolder

Place = RunFolder | Path | str  # a run folder, or a file in one


def path_of(place: Place) -> Path:
    """Its path."""
    return place.path if isinstance(place, RunFolder) else Path(place)


def file_at(path: Path | str | None) -> Path | None:
    """The path of an output; None stands for the default."""
    return None if path is None else Path(path)


def roots_of(runs: Sequence[Place]) -> list[Path] | None:
    """Folders that hold runs; None, what lies in the current folder, where there are none."""
    return [path_of(run) for run in runs] or None


def checkpoint_of(place: Place) -> Path:
    """A checkpoint; a run folder stands for its teacher."""
    path = path_of(place)
    return RunFolder(path).teacher if path.is_dir() else path


def checkpoints_of(place: Place) -> list[Path]:
    """Checkpoints; a run folder stands for its teacher and all its students."""
    path = path_of(place)
    return [RunFolder(path).teacher, *RunFolder(path).all_students] if path.is_dir() else [path]
