"""The cells of a sweep as a table: their states, and what they are estimated to take."""

from collections import Counter
from collections.abc import Sequence

from ptde_core.base.provenance import memory_gib
from ptde_core.experiments.sweeps.cells import Cell, CellState
from ptde_core.experiments.sweeps.estimates import Estimate, Estimates
from ptde_core.experiments.sweeps.sweep import wall_seconds
from ptde_core.results.table import NOTHING, Row, Table
from ptde_core.results.wording import duration

NOT_KNOWN = (
    "—: not known before a cell of that kind has trained here; speeds.toml has skirmish with default learning settings."
)


def plan_table(title: str, cells: Sequence[tuple[Cell, CellState]], estimates: Estimates, at_once: int) -> Table:
    """What a sweep would do: each cell with its estimated time on one core and its memory."""
    found = [(cell, state, estimates.of(cell), estimates.left(cell, state)) for cell, state in cells]
    rows: list[Row] = [
        (
            cell.name,
            state.state,
            str(cell.run.path),
            f"{cell.pipeline.training.steps:,}",
            _time(estimate.training),
            _time(estimate.later),
            _time(left),
            NOTHING if estimate.megabytes is None else f"{estimate.megabytes / 1000:.1f} GB",
        )
        for cell, state, estimate, left in found
    ]
    left = [one for *_, one in found]
    known = [one for one in left if one is not None]
    total = wall_seconds(left, at_once)
    together = f"; {_time(total)} with {at_once} at once" if total is not None else ", without those not known"
    source = "Measured here where such cells have run, else on an AMD EPYC (Zen 3); other processors differ."
    notes = [f"Estimates, on one core each: {_time(sum(known))} left in all{together}.", source] if known else []
    if len(known) < len(left):
        notes.append(NOT_KNOWN)
    notes += _memory_note([estimate for _, _, estimate, _ in found], at_once)
    columns = ("Cell", "State", "Folder", "Env steps", "Training", "Later stages", "Left", "Memory")
    return Table(title, columns, (tuple(rows),), text_columns=3, notes=tuple(notes))


def states_table(title: str, cells: Sequence[tuple[Cell, CellState]], estimates: Estimates) -> Table:
    """How far each cell is."""
    rows = [
        (
            cell.name,
            state.state,
            state.doing if state.state not in {"done", "failed"} else state.state,
            f"{state.env_steps:,} / {cell.pipeline.training.steps:,}",
            f"{state.metrics['test_win_rate']:.0%}" if "test_win_rate" in state.metrics else NOTHING,
            _time(estimates.left(cell, state)),
        )
        for cell, state in cells
    ]
    counts = Counter(state.state for _, state in cells)
    counted = ", ".join(f"{count} {state}" for state, count in counts.items())
    failed = [f"{cell.name} ({cell.run.path}): {state.reason}" for cell, state in cells if state.reason]
    columns = ("Cell", "State", "Stage", "Env steps", "Won in tests", "Left")
    return Table(title, columns, (tuple(rows),), text_columns=3, notes=(f"{counted or 'no cell has begun'}.", *failed))


def _time(seconds: float | None) -> str:
    return NOTHING if seconds is None else duration(seconds)


def _memory_note(estimates: Sequence[Estimate], at_once: int) -> list[str]:
    """Whether the largest cells fit side by side into this machine."""
    largest = sorted((one.megabytes for one in estimates if one.megabytes is not None), reverse=True)[:at_once]
    needed = sum(largest) / 1024
    if not largest or needed <= memory_gib():
        return []
    return [
        f"The largest {len(largest)} cells need {needed:.1f} GiB together, and this machine has {memory_gib():.1f}."
    ]
