"""metrics.jsonl: what a training logged, one JSON object a line: env_steps and metrics by catalogue name."""

import json
from pathlib import Path

from ptde_core.base.errors import PtdeError
from ptde_core.base.metrics import check_metrics


def read_metrics(path: Path) -> list[dict[str, float]]:
    """The lines of metrics.jsonl in order. A last line without its line end is still being written, and left out.

    Raises:
        PtdeError: a line that is not one of ptde's.
    """
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    rows: list[dict[str, float]] = []
    for number, line in enumerate(lines, start=1):
        try:
            row = {name: float(value) for name, value in json.loads(line).items()}
            check_metrics({name: row[name] for name in row if name != "env_steps"})
            rows.append({"env_steps": row.pop("env_steps"), **row})
        except (json.JSONDecodeError, AttributeError, KeyError, TypeError, ValueError):
            raise PtdeError(f"{path}, line {number}, is not a line of metrics", "was it edited?") from None
    return rows
