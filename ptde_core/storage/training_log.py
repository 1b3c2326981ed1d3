"""What a training logs, in both files that take it: metrics.jsonl, and the same numbers for TensorBoard."""

import json
from collections.abc import Mapping

from ptde_core.base.metrics import check_metrics
from ptde_core.storage.run_folder import RunFolder
from ptde_core.storage.tensorboard_file import TensorBoardFile


class TrainingLog:
    """Both files of a run. Lines are appended; a resumed training first cuts off those behind its saved state.

    Args:
        run: where the files are.
        lengths: `lengths` of the state that the training goes on from; a training from the start has none.
    """

    def __init__(self, run: RunFolder, lengths: Mapping[str, int]) -> None:
        self._metrics, self._events = run.metrics, run.tensorboard
        for path in (self._metrics, self._events):
            if path.exists():
                with path.open("r+b") as file:
                    file.truncate(lengths.get(path.name, 0))
        self._tensorboard = TensorBoardFile(self._events)

    @property
    def lengths(self) -> dict[str, int]:
        """Bytes of each file so far, by file name."""
        return {path.name: path.stat().st_size for path in (self._metrics, self._events) if path.exists()}

    def add(self, env_steps: int, metrics: Mapping[str, float]) -> None:
        """Log metrics by catalogue name.

        Raises:
            PtdeError: a name that is not in the catalogue.
        """
        check_metrics(metrics)
        with self._metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"env_steps": env_steps, **metrics}) + "\n")
        self._tensorboard.add(env_steps, metrics)
