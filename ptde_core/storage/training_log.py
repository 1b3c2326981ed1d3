"""The log of a training: metrics.jsonl, and the same numbers for TensorBoard."""

import json
from collections.abc import Mapping
from pathlib import Path

from ptde_core.base.errors import storage_error
from ptde_core.base.metrics import check_metrics
from ptde_core.storage.metrics_file import read_metrics
from ptde_core.storage.run_folder import RunFolder
from ptde_core.storage.tensorboard_file import TensorBoardFile
from ptde_core.storage.whole_file import refuse_linked, refuse_linked_file


class TrainingLog:
    """Appends to both files of a run. A resumed training first removes the lines that are newer than its saved state.

    If metrics.jsonl has lost lines that belong to the state, the remaining whole lines are kept. TensorBoard's file is
    written again from metrics.jsonl if either of them is too short.

    Args:
        run: where the files are.
        lengths: the property `lengths`, as saved with the state that is resumed; empty for a new training.

    Raises:
        StorageError: a file cannot be written.
    """

    def __init__(self, run: RunFolder, lengths: Mapping[str, int]) -> None:
        self._metrics, self._events = run.metrics, run.tensorboard
        self.missing = ""  # a sentence for the user if lines were lost
        short = [path for path in (self._metrics, self._events) if _cut(path, lengths.get(path.name, 0))]
        if self._metrics in short:
            kept = _keep_whole_lines(self._metrics)
            self.missing = f"{self._metrics} has lost lines of tests: {kept} are left of what was logged so far"
        self._tensorboard = TensorBoardFile(self._events)
        if short and self._metrics.exists():
            self._events.unlink(missing_ok=True)
            for row in read_metrics(self._metrics):
                self._tensorboard.add(int(row["env_steps"]), {key: row[key] for key in row if key != "env_steps"})

    @property
    def lengths(self) -> dict[str, int]:
        """Bytes of each file so far, by file name."""
        return {path.name: path.stat().st_size for path in (self._metrics, self._events) if path.exists()}

    def add(self, env_steps: int, metrics: Mapping[str, float]) -> None:
        """Log metrics by catalogue name.

        Raises:
            PtdeError: a name that is not in the catalogue.
            StorageError: a file cannot be written.
        """
        check_metrics(metrics)
        try:
            with self._metrics.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"env_steps": env_steps, **metrics}) + "\n")
            self._tensorboard.add(env_steps, metrics)
        except OSError as error:
            raise storage_error(error, self._metrics) from error


def _cut(path: Path, length: int) -> bool:
    """Cut a file to the length it had with the saved state; returns whether it is shorter than that."""
    if path.parent.name == "tensorboard":
        refuse_linked(path.parent)
    refuse_linked_file(path)
    try:
        size = path.stat().st_size if path.exists() else 0
        if size > length:
            with path.open("r+b") as file:
                file.truncate(length)
    except OSError as error:
        raise storage_error(error, path) from error
    return size < length


def _keep_whole_lines(path: Path) -> int:
    """Remove what follows the last line end; returns the number of lines left."""
    if not path.exists():
        return 0
    text = path.read_bytes()
    with path.open("r+b") as file:
        file.truncate(text.rfind(b"\n") + 1)
    return text.count(b"\n")
