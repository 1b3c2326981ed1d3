"""metrics.jsonl: what a training logged, one JSON object a line: env_steps and metrics by catalogue name."""

from pathlib import Path

from ptde_core.base.errors import PtdeError, quoted
from ptde_core.base.metrics import check_logged
from ptde_core.base.untrusted import JSON_BYTES, parse_json, read_bytes

LINES = 1_000_000  # most lines: one is written at each test of a training
LINE = 20_000  # most characters of a line; all metrics together take a tenth


def read_metrics(path: Path) -> list[dict[str, float]]:
    """The lines of metrics.jsonl in order. A last line without its line end is still being written; it is left out.

    Raises:
        PtdeError: there is no such file, a line in it is not one of ptde's, or it has more than `LINES`.
    """
    data = read_bytes(path, "log of metrics", JSON_BYTES)
    if (count := data.count(b"\n")) > LINES:
        raise PtdeError(f"{path} has {count:,} lines, and at most {LINES:,} are read", "was it edited?")
    lines = data.split(b"\n")[:-1]
    rows: list[dict[str, float]] = []
    for number, line in enumerate(lines, start=1):
        try:
            rows.append(_row(line, after=rows[-1]["env_steps"] if rows else 0.0))
        except (ValueError, PtdeError) as error:
            problem = f"{path}, line {number}, is not a line of metrics ({quoted(error)})"
            raise PtdeError(problem, "was it edited?") from None
    return rows


def _row(line: bytes, after: float) -> dict[str, float]:
    """One line; a metric that was undefined is NaN.

    Raises:
        ValueError, PtdeError: it is not a line of metrics.
    """
    found = parse_json(line[: LINE + 1], finite=False)
    if not isinstance(found, dict) or not all(type(value) in (int, float) for value in found.values()):
        raise ValueError("not names and numbers")
    row = {str(name): float(value) for name, value in found.items()}
    steps = row.pop("env_steps", -1.0)
    check_logged(steps, row, after)
    return {"env_steps": steps, **row}
