"""README's first command, many times: `python -m benchmarks.first_command --runs DIR --out FILE.csv`.

`ptde run --map 3m` with each seed, on one thread and on two, as a process each, one after the other. One line for each
run: what teacher and recommended student won of the same episodes, the PRR, and the wall seconds. Finished ones stay.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.rows import read_rows, write_rows
from ptde_core.scores.tally import Tally
from ptde_core.storage.evaluation_file import EvaluationEntry, read_evaluation
from ptde_core.storage.run_folder import RunFolder

RECOMMENDED = "recurrent"
COLUMNS = ["threads", "seed", "teacher_won", "student_won", "paper_student_won", "episodes", "seconds"]


def main() -> None:
    """Run what is missing, write the file after each, and show the table."""
    parser = argparse.ArgumentParser("python -m benchmarks.first_command", description=__doc__)
    parser.add_argument("--runs", type=Path, required=True, help="where the runs lie")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.csv")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--threads", type=int, action="append", help="repeatable; 1 and 2 by default")
    options = parser.parse_args()
    rows = read_rows(options.out)
    for threads in options.threads or (1, 2):
        for seed in range(1, options.seeds + 1):
            if not any((row["threads"], row["seed"]) == (str(threads), str(seed)) for row in rows):
                rows.append(_measured(options.runs / f"threads{threads}" / f"seed{seed}", threads, seed))
                write_rows(options.out, COLUMNS, rows)
    Console(width=None if sys.stdout.isatty() else 100).print(_table(rows))


def _measured(folder: Path, threads: int, seed: int) -> dict[str, str]:
    command = [sys.executable, "-m", "ptde_cli", "run", "--map", "3m", "--seed", str(seed), "--out", str(folder), "-q"]
    began = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": str(threads)})
    took = time.monotonic() - began
    entries = read_evaluation(RunFolder(folder).evaluation).entries
    teacher = next(one for one in entries if one.policy == "teacher" and one.z == "sampled")
    won = [_won(teacher), *(_won(_student(entries, recipe)) for recipe in (RECOMMENDED, "paper"))]
    values = (threads, seed, *won, len(teacher.episodes.won), round(took))
    return dict(zip(COLUMNS, map(str, values), strict=True))


def _student(entries: Sequence[EvaluationEntry], recipe: str) -> EvaluationEntry:
    return next(one for one in entries if one.distilled and one.distilled.settings["recipe"] == recipe)


def _won(entry: EvaluationEntry) -> int:
    return Tally.of(entry.episodes.won).wins


def _table(rows: Sequence[dict[str, str]]) -> Table:
    table = Table(title="ptde run --map 3m")
    for column in ("threads", "seed", "teacher", "student", "PRR", "paper's student", "seconds"):
        table.add_column(column, justify="right")
    good = kept = 0
    for row in rows:
        teacher, student, paper, episodes = (int(row[name]) for name in COLUMNS[2:6])
        ratio = student / teacher if teacher else float("nan")
        good += teacher >= 0.95 * episodes
        kept += 0.97 <= ratio <= 1.03
        won = (f"{number}/{episodes}" for number in (teacher, student))
        table.add_row(row["threads"], row["seed"], *won, f"{100 * ratio:.1f} %", f"{paper}/{episodes}", row["seconds"])
    table.caption = (
        f"teacher won 0.95 or more in {good} of {len(rows)}; PRR of the {RECOMMENDED} student in [0.97, 1.03] in {kept}"
    )
    return table


if __name__ == "__main__":
    main()
