"""`ptde report`."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from ptde_cli.options import one_of
from ptde_core.stages.settings import RUNS

TABLE = "table"  # the one format that is drawn here; the others are texts of the core


def formats() -> list[str]:
    """All formats."""
    from ptde_core.stages.reports.formats import FORMATS  # scipy loads here

    return [TABLE, *FORMATS]


def complete_format(incomplete: str) -> list[str]:
    """The formats that begin with what is typed."""
    return [name for name in formats() if name.startswith(incomplete)]


def report(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="RUNS", help=f"folders that hold runs, at any depth  [default: {RUNS}/]"),
    ] = None,
    report_format: Annotated[
        str,
        typer.Option(
            "--format", help="table, markdown, csv, json or latex", metavar="FORMAT", autocompletion=complete_format
        ),
    ] = TABLE,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="write there instead of standard output")
    ] = None,
) -> None:
    """Collect all runs into tables."""
    from ptde_cli.display import print_tables
    from ptde_core.stages.reports.collect import report as stage
    from ptde_core.stages.reports.formats import render
    from ptde_core.stages.reports.sections import report_tables

    one_of(report_format, formats(), "report format")
    found = stage(runs or [RUNS])
    with out.open("w", encoding="utf-8") if out else nullcontext(sys.stdout) as file:
        if report_format == TABLE:
            print_tables(report_tables(found), file)
        else:
            file.write(render(found, report_format))
