"""curve.csv.gz: the metrics of a training in a small file, for runs that are packed; and reading metrics of any run."""

import csv
import gzip
import io
from collections.abc import Mapping, Sequence
from math import isnan
from pathlib import Path

from ptde_core.base.errors import PtdeError
from ptde_core.base.metrics import check_logged
from ptde_core.base.untrusted import read_bytes
from ptde_core.storage.metrics_file import LINE, LINES, read_metrics
from ptde_core.storage.run_folder import RunFolder
from ptde_core.storage.whole_file import replacing

LARGEST = 64 * 2**20  # most bytes of the text: a hundred times what the longest training logs


def metrics_of(run: RunFolder) -> list[dict[str, float]]:
    """The metrics of a run's training, from the file that exists; empty where there is none.

    Raises:
        PtdeError: the file is broken.
    """
    if run.metrics.exists():
        return read_metrics(run.metrics)
    return read_curve(run.curve) if run.curve.exists() else []


def points_of(rows: Sequence[Mapping[str, float]], metric: str) -> list[tuple[float, float]]:
    """Env steps and value of each line that has this metric; where it was undefined (NaN) there is no point."""
    return [(row["env_steps"], row[metric]) for row in rows if metric in row and not isnan(row[metric])]


def write_curve(path: Path, rows: Sequence[dict[str, float]]) -> None:
    """Write lines of metrics, a column each; the same lines give the same file, byte for byte.

    Raises:
        PtdeError: it would be larger than one that is read, or have more lines.
        StorageError: it cannot be written.
    """
    if len(rows) > LINES:
        raise PtdeError(f"{path} would have {len(rows):,} lines, and at most {LINES:,} are read", "log fewer lines")
    columns = ["env_steps", *sorted({name for row in rows for name in row} - {"env_steps"})]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: repr(value) for name, value in row.items()} for row in rows)
    if (size := len(text.getvalue().encode())) > LARGEST:
        raise PtdeError(f"{path} would have {size:,} bytes, and at most {LARGEST:,} are read", "log fewer lines")
    with replacing(path) as file:
        file.write(gzip.compress(text.getvalue().encode(), mtime=0))


def read_curve(path: Path) -> list[dict[str, float]]:
    """Read what `write_curve` wrote.

    Raises:
        PtdeError: it is not such a file, or it has more than `LINES` lines.
    """
    data = read_bytes(path, "curve", LARGEST)
    try:
        with gzip.open(io.BytesIO(data)) as file:
            text = file.read(LARGEST + 1)
        if len(text) > LARGEST:
            raise ValueError("too large")
        if text.count(b"\n") > LINES + 1 or max(map(len, text.split(b"\n"))) > LINE:
            raise ValueError("too many lines, or too long ones")
        reader = csv.DictReader(io.StringIO(text.decode()), strict=True)
        if "env_steps" not in (reader.fieldnames or ()):
            raise ValueError("no env steps")
        rows = list[dict[str, float]]()
        for cells in reader:
            row = {name: float(value) for name, value in cells.items() if value != ""}
            metrics = {name: value for name, value in row.items() if name != "env_steps"}
            check_logged(row["env_steps"], metrics, after=rows[-1]["env_steps"] if rows else 0.0)
            rows.append(row)
    except (OSError, EOFError, ValueError, TypeError, KeyError, csv.Error):
        raise PtdeError(f"{path} is not a curve of ptde", "was it cut or edited?") from None
    return rows
