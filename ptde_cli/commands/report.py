"""`ptde report`."""

from typing import Annotated

import typer

from ptde_cli.options import BootstrapSeed, OutFile, Runs, one_of
from ptde_cli.output import output
from ptde_core.storage.whole_file import check_output

TABLE = "table"  # the one format that is drawn here; the others are texts of the core


def formats() -> list[str]:
    """All formats."""
    from ptde_core.stages.reports.formats import FORMATS  # scipy loads here

    return [TABLE, *FORMATS]


def layouts() -> list[str]:
    """All layouts."""
    from ptde_core.stages.reports.sections import LAYOUTS

    return list(LAYOUTS)


def complete_format(incomplete: str) -> list[str]:
    """The formats that begin with what is typed."""
    return [name for name in formats() if name.startswith(incomplete)]


def complete_layout(incomplete: str) -> list[str]:
    """The layouts that begin with what is typed."""
    return [name for name in layouts() if name.startswith(incomplete)]


def report(
    runs: Runs = None,
    report_format: Annotated[
        str,
        typer.Option(
            "--format",
            help="table, markdown, latex (booktabs), html (one file), csv, json, or marl-eval (its raw data)",
            metavar="FORMAT",
            autocompletion=complete_format,
        ),
    ] = TABLE,
    layout: Annotated[
        str,
        typer.Option(
            "--layout",
            help="full, paper-table2 (SMAC), paper-table3 (football), or per-run (nothing averaged)",
            metavar="LAYOUT",
            autocompletion=complete_layout,
        ),
    ] = "full",
    seed: BootstrapSeed = 0,
    out: OutFile = None,
) -> None:
    """Collect all runs into tables."""
    from ptde_cli.display import print_tables
    from ptde_core.stages.reports.collect import report as stage
    from ptde_core.stages.reports.formats import render
    from ptde_core.stages.reports.sections import report_tables

    one_of(report_format, formats(), "report format")
    one_of(layout, layouts(), "layout")
    if out is not None:
        check_output(out)
    found = stage(runs, seed)
    tables = report_tables(found, layout) if report_format == TABLE else []
    text = "" if report_format == TABLE else render(found, report_format, layout)
    with output(out) as file:
        if report_format == TABLE:
            print_tables(tables, file)
        else:
            file.write(text)
