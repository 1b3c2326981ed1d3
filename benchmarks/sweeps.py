"""What a second core is worth to a sweep: two cells on two cores against one after the other on one core."""

import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.figures import Figure
from ptde_core.base.provenance import cores
from ptde_core.experiments.sweeps.sweep import here, sweep
from ptde_core.experiments.sweeps.sweep_file import cells_of, sweep_file

SECTION = "sweeps"


def measure(quick: bool) -> Iterator[Figure]:
    """Two trainings of QMIX on 3s_vs_5z, each a cell with an evaluation."""
    steps = 20_000 if quick else 200_000
    settings = {"map": "3s_vs_5z", "steps": steps, "evaluate": {"episodes": 32}}
    seconds = {processes: _took(settings, processes) for processes in (1, 2)}
    for processes, took in seconds.items():
        yield Figure(
            SECTION, f"two cells, {processes} at once", 2 * steps / took, "env steps/s", f"{took:.0f} s in all"
        )
    note = f"of {cores()} cores"
    yield Figure(SECTION, "two at once against one after the other", seconds[1] / seconds[2], "times", note)


def _took(settings: Mapping[str, object], processes: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        grid = {"algorithm": ["QMIX"], "seed": [1, 2]}
        cells = cells_of(sweep_file({"out": Path(folder), "settings": settings, "grid": grid}))
        began = time.perf_counter()
        ended = sweep(cells, here(processes))
        took = time.perf_counter() - began
    assert all(state.state == "done" for _, state in ended)
    return took
