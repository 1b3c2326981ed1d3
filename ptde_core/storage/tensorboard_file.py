"""The event file that TensorBoard reads: every logged number by its catalogue name and unit, over env steps.

TensorBoard's own encoder writes it, without TensorFlow and without a thread: one file per run, appended to.
"""

import time
from collections.abc import Mapping
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import DATA_CLASS_SCALAR, Summary, SummaryMetadata
from tensorboard.summary.writer.record_writer import RecordWriter

from ptde_core.base.metrics import METRICS

FORMAT = "brain.Event:2"  # what every event file says first


def tag_of(metric: str) -> str:
    """Name of a metric in TensorBoard: its group, its catalogue name, its unit ("play/test_win_rate (fraction)")."""
    facts = METRICS[metric]
    return f"{facts.group}/{metric} ({facts.unit})" if facts.unit else f"{facts.group}/{metric}"


class TensorBoardFile:
    """An event file that is appended to; it is open only while a point is written.

    Args:
        path: the file; begun at the first point if it is missing or empty.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._described: set[str] = set()

    def add(self, env_steps: int, metrics: Mapping[str, float]) -> None:
        """Write one point of each metric."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        point = Summary(value=[self._value(name, value) for name, value in metrics.items()])
        with self._path.open("ab") as file:
            records = RecordWriter(file)
            if file.tell() == 0:
                records.write(Event(wall_time=time.time(), file_version=FORMAT).SerializeToString())
            records.write(Event(wall_time=time.time(), step=env_steps, summary=point).SerializeToString())

    def _value(self, name: str, value: float) -> Summary.Value:
        """TensorBoard wants a metric's description once."""
        tag = tag_of(name)
        if tag in self._described:
            return Summary.Value(tag=tag, simple_value=value)
        self._described.add(tag)
        scalars = SummaryMetadata.PluginData(plugin_name="scalars")
        metadata = SummaryMetadata(
            plugin_data=scalars, data_class=DATA_CLASS_SCALAR, summary_description=METRICS[name].meaning
        )
        return Summary.Value(tag=tag, simple_value=value, metadata=metadata)
