"""What is in the zoo: each policy's name, what it won in its kept evaluation, and what to type."""

from ptde_core.base.errors import PtdeError
from ptde_core.results.table import Row, Table
from ptde_core.results.wording import Z_TEXT, backend_name, interval_text, steps_text
from ptde_core.scores.intervals import win_rate_interval
from ptde_core.scores.tally import Tally
from ptde_core.storage.evaluation_file import EvaluationEntry, read_evaluation
from ptde_core.storage.run_folder import RunFolder
from ptde_core.storage.zoo import COPIES, PREFIX, in_place, zoo_runs

COLUMNS = ("command", "policy", "map", "z", "env steps", "won", "win rate, 95 % interval")


def zoo_table() -> Table:
    """All policies that are there, of each run its teacher first.

    Raises:
        PtdeError: the zoo is empty, or a file in it is another than was kept.
    """
    runs = zoo_runs()
    if not runs:
        raise PtdeError("this ptde has no zoo", "install it from a clone with its results/")
    first = next(iter(runs))
    groups = tuple(tuple(_rows(name, run)) for name, run in runs.items())
    entries = [entry for run in runs.values() for entry in read_evaluation(run.evaluation).entries]
    backends = sorted({f"{backend_name(entry.backend)}, version {entry.backend_version}" for entry in entries})
    notes = (
        f"Measured on {'; '.join(backends)}.",
        f"Every command that takes a run or a checkpoint takes these names, such as `ptde visualize {PREFIX}{first}`.",
        f"Each works on a copy in {COPIES}/ of the current folder.",
    )
    return Table("Trained policies that come with ptde", COLUMNS, groups, text_columns=4, notes=notes)


def _rows(name: str, run: RunFolder) -> list[Row]:
    in_place(f"{PREFIX}{name}")  # checks its files
    entries = read_evaluation(run.evaluation).entries
    return [_row(name, one) for one in entries if one.z != "mean" and (run.path / one.checkpoint).is_file()]


def _row(name: str, entry: EvaluationEntry) -> Row:
    tally = Tally(sum(entry.episodes.won), len(entry.episodes.won))
    return (
        f"ptde evaluate {PREFIX}{name}/{entry.checkpoint}",
        entry.name,
        entry.map,
        Z_TEXT[entry.z],
        steps_text([entry.env_steps]),
        str(tally),
        f"{tally.rate:.3f} {interval_text(win_rate_interval(tally))}",
    )
