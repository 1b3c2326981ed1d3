"""`ptde report`."""

import sys
from contextlib import nullcontext
from typing import Annotated

import typer

from ptde_cli.options import BootstrapSeed, OutFile, Runs, one_of

MARL_EVAL = "marl-eval"
TABLE = "table"  # the one format that is drawn here; the others are texts of the core


def formats() -> list[str]:
    """All formats."""
    from ptde_core.stages.reports.formats import FORMATS  # scipy loads here

    return [TABLE, *FORMATS]


def layouts() -> list[str]:
    """All layouts."""
    from ptde_core.stages.reports.formats import DATA_LAYOUTS
    from ptde_core.stages.reports.sections import LAYOUTS

    return [*LAYOUTS, *DATA_LAYOUTS]


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
            help="full, paper-table2 (SMAC), paper-table3 (football), or per-run (nothing averaged); of csv: per-seed"
            " (one row per seed); of marl-eval: curves (tests in training)",
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
    from ptde_core.stages.reports.formats import DATA_LAYOUTS, render
    from ptde_core.stages.reports.marl_eval import marl_eval_warnings
    from ptde_core.stages.reports.sections import report_tables

    one_of(report_format, formats(), "report format")
    one_of(layout, layouts(), "layout")
    found = stage(runs, seed)
    # All that can go wrong goes wrong before the file is opened.
    as_tables = report_format == TABLE and layout not in DATA_LAYOUTS
    tables = report_tables(found, layout) if as_tables else []
    text = "" if as_tables else render(found, report_format, layout)
    if report_format == MARL_EVAL:
        for warning in marl_eval_warnings(found):
            print(f"warning: {warning}", file=sys.stderr)
    with out.open("w", encoding="utf-8") if out else nullcontext(sys.stdout) as file:
        if report_format == TABLE:
            print_tables(tables, file)
        else:
            file.write(text)
