"""Texts for readers, such as a report: where they may be written, which is nowhere that a run needs."""

from fnmatch import fnmatchcase
from pathlib import Path

from ptde_core.base.errors import PtdeError
from ptde_core.storage.run_folder import FOLDERS, MARKS
from ptde_core.storage.whole_file import check_output

NEVER_REPLACED = frozenset({".pt", ".h5", ".npz", ".onnx", ".jsonl", ".gz", ".toml", ".log"})
OF_RUNS = MARKS | {"config.json", "cell.json", "left_out.json", "error.txt", "SHA256SUMS", "events.out.tfevents.ptde"}


def check_page(path: Path) -> None:
    """As `check_output`, of a text for readers: it replaces an older one, never a file of a run or one with settings.

    Raises:
        PtdeError: there is such a file, or a run needs the path for a folder; or as `check_output`.
    """
    check_output(path)
    if path.exists() and (path.suffix in NEVER_REPLACED or path.name in OF_RUNS or path.name.endswith(".sweep.json")):
        raise PtdeError(f"{path} is there, and is none of the texts that this command writes", "give another name")
    in_run = any((path.parent / mark).exists() for mark in MARKS)
    if in_run and any(fnmatchcase(path.name, pattern) for pattern in FOLDERS):
        raise PtdeError(f"{path} is where a run has, or will have, a folder of its own", "give another name")
