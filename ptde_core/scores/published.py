"""The paper's own win rates and PRRs (published.toml), looked up by backend, map and table name."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ptde_core.scores.intervals import MeanStd

FILE = Path(__file__).with_name("published.toml")
RETENTION_OF = "QMIX_ASGKD"  # the student whose PRR the paper prints; its teacher is QMIX_SGI


@dataclass(frozen=True)
class Benchmark:
    """One of the paper's two tables.

    Args:
        table: its number in the paper.
        label: what a table row with these figures is called; names the benchmark they were measured on.
        source: the full citation for a footnote.
        backends: ptde's environments that may show them (skirmish shows SMAC's, under SMAC's name).
        win_rates: map -> table name -> mean and standard deviation over 3 seeds, fractions.
        retention: map -> PRR of QMIX_ASGKD as printed, a fraction.
    """

    table: int
    label: str
    source: str
    backends: tuple[str, ...]
    win_rates: Mapping[str, Mapping[str, MeanStd]]
    retention: Mapping[str, float]


@cache
def benchmarks() -> tuple[Benchmark, ...]:
    """Both tables of the paper, maps in its order."""
    tables = tomllib.loads(FILE.read_text(encoding="utf-8")).values()
    return tuple(
        Benchmark(
            table=table["table"],
            label=table["label"],
            source=table["source"],
            backends=tuple(table["backends"]),
            win_rates={
                name: {alg: MeanStd(*pair) for alg, pair in row.items() if alg != "prr"}
                for name, row in table["maps"].items()
            },
            retention={name: row["prr"] for name, row in table["maps"].items()},
        )
        for table in tables
    )


def benchmark_for(backend: str) -> Benchmark | None:
    """The paper's table that may stand beside this backend's numbers; None where the paper has none."""
    return next((found for found in benchmarks() if backend in found.backends), None)


def published_win_rate(backend: str, map_name: str, name: str) -> MeanStd | None:
    """The paper's win rate of a table name ("QMIX_SGI") on a map; None where it has none."""
    found = benchmark_for(backend)
    return None if found is None else found.win_rates.get(map_name, {}).get(name)


def published_retention(backend: str, map_name: str, name: str) -> float | None:
    """The paper's PRR of a student's table name on a map, a fraction; None where it has none."""
    found = benchmark_for(backend)
    return None if found is None or name != RETENTION_OF else found.retention.get(map_name)
