"""`python -m benchmarks [SECTION ...]`: measure, print one table, keep it in a file, compare with an older one.

`python -m benchmarks soak` disturbs whole pipelines: benchmarks/soak/.
"""

import argparse
import datetime
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import (
    acting,
    distillation,
    end_to_end,
    kernels,
    learner,
    memory,
    peers,
    reports,
    scaling,
    simulator,
    sweeps,
    workers,
)
from benchmarks.figures import Figure
from ptde_core.base.errors import PtdeError
from ptde_core.base.provenance import code, machine, packages

# Those that measure a process's memory come first: on Linux, a process is born with the largest that its parent held.
SECTIONS: Mapping[str, Callable[[bool], Iterator[Figure]]] = {
    module.SECTION.replace(" ", "-"): module.measure
    for module in (
        memory,
        end_to_end,
        simulator,
        acting,
        learner,
        kernels,
        distillation,
        reports,
        workers,
        scaling,
        sweeps,
        peers,
    )
}


def main() -> None:
    """Measure the chosen sections; `soak` is another command, which disturbs instead of measuring."""
    if sys.argv[1:2] == ["soak"]:
        from benchmarks.soak.command import main as soak

        sys.exit(soak(sys.argv[2:]))
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("section", nargs="*", choices=[[], *SECTIONS], help="what to measure; everything by default")
    parser.add_argument("--quick", action="store_true", help="few repetitions: to see that it runs")
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="keep the figures there")
    parser.add_argument("--compare", type=Path, metavar="OLD.json", help="show the ratio to an older file's figures")
    options = parser.parse_args()
    old = json.loads(options.compare.read_text()) if options.compare else None
    console = Console(width=None if sys.stdout.isatty() else 180)
    figures = []
    missing = peers.left_out() if not options.section or peers.SECTION in options.section else []
    for line in missing:
        console.print(f"left out: {line}", highlight=False, markup=False, soft_wrap=True)
    some = len(missing) < len(peers.PEERS)
    chosen = options.section or [name for name in SECTIONS if name != peers.SECTION or some]
    for name in sorted(chosen, key=list(SECTIONS).index):
        try:
            for figure in SECTIONS[name](options.quick):
                figures.append(figure)
                console.print(f"{figure.key}: {figure.value:,.4g} {figure.unit}", style="dim", highlight=False)
        except PtdeError as error:
            parser.error(str(error))
    about = {
        "machine": machine(),
        "packages": packages(),
        "code": code(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "quick": options.quick,
    }
    console.print(_table(figures, about, old))
    if options.out:
        options.out.write_text(json.dumps(about | {"figures": [asdict(figure) for figure in figures]}, indent=1))


def _table(figures: list[Figure], about: Mapping[str, object], old: Mapping[str, object] | None) -> Table:
    table = Table(title=f"ptde {about['code']} on {about['machine']}, {about['date']}", caption=f"{about['packages']}")
    for column in ("section", "what", "value", "unit", *(["new / old"] if old else []), "note"):
        table.add_column(column, justify="right" if column in {"value", "new / old"} else "left")
    before = {Figure(**figure).key: figure["value"] for figure in old["figures"]} if old else {}  # type: ignore[attr-defined]  # `main` wrote it
    for figure in figures:
        ratio = [f"{figure.value / before[figure.key]:.2f}" if figure.key in before else "new"] if old else []
        table.add_row(figure.section, figure.name, f"{figure.value:,.4g}", figure.unit, *ratio, figure.note)
    return table


if __name__ == "__main__":
    main()
