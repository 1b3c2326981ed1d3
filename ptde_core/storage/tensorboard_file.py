"""The event file that TensorBoard reads: every logged number by its catalogue name and unit, over env steps.

TensorBoard's own encoder writes it, without TensorFlow and without a thread: one file per run, appended to.
"""

import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ptde_core.base.errors import PtdeError
from ptde_core.base.metrics import METRICS

FORMAT = "brain.Event:2"  # what every event file says first


def tag_of(metric: str) -> str:
    """Name of a metric in TensorBoard: its group, its catalogue name, its unit ("play/test_win_rate (fraction)")."""
    facts = METRICS[metric]
    return f"{facts.group}/{metric} ({facts.unit})" if facts.unit else f"{facts.group}/{metric}"


@cache
def tensorboard() -> Any:
    """What of TensorBoard writes an event file; imported where it is used, for its package may not get on with others.

    Raises:
        PtdeError: it is missing, or another package keeps it from being imported.
    """
    try:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import DATA_CLASS_SCALAR, Summary, SummaryMetadata
        from tensorboard.summary.writer.record_writer import RecordWriter
    except Exception as error:  # protocol buffers refuse what does not suit them with errors of several kinds
        why = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise PtdeError(
            f"TensorBoard, into whose files a training logs, cannot be imported ({why})",
            "type: python -m pip install 'tensorboard>=2.16,<2.21'",
        ) from None
    return SimpleNamespace(
        Event=Event,
        DATA_CLASS_SCALAR=DATA_CLASS_SCALAR,
        Summary=Summary,
        SummaryMetadata=SummaryMetadata,
        RecordWriter=RecordWriter,
    )


class TensorBoardFile:
    """An event file that is appended to; it is open only while a point is written.

    Args:
        path: the file; begun at the first point if it is missing or empty.

    Raises:
        PtdeError: TensorBoard cannot be imported.
    """

    def __init__(self, path: Path) -> None:
        tensorboard()  # what keeps it from being imported is told now, not at the first point
        self._path = path
        self._described: set[str] = set()

    def add(self, env_steps: int, metrics: Mapping[str, float]) -> None:
        """Write one point of each metric.

        Raises:
            OSError: the file cannot be written.
        """
        of = tensorboard()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        point = of.Summary(value=[self._value(name, value) for name, value in metrics.items()])
        with self._path.open("ab") as file:
            records = of.RecordWriter(file)
            if file.tell() == 0:
                records.write(of.Event(wall_time=time.time(), file_version=FORMAT).SerializeToString())
            records.write(of.Event(wall_time=time.time(), step=env_steps, summary=point).SerializeToString())

    def _value(self, name: str, value: float) -> Any:
        """TensorBoard wants a metric's description once."""
        of = tensorboard()
        tag = tag_of(name)
        if tag in self._described:
            return of.Summary.Value(tag=tag, simple_value=value)
        self._described.add(tag)
        scalars = of.SummaryMetadata.PluginData(plugin_name="scalars")
        metadata = of.SummaryMetadata(
            plugin_data=scalars, data_class=of.DATA_CLASS_SCALAR, summary_description=METRICS[name].meaning
        )
        return of.Summary.Value(tag=tag, simple_value=value, metadata=metadata)
