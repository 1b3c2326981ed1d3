"""`ptde report`."""

import sys
from typing import Annotated

import typer

from ptde_cli.options import BootstrapSeed, OutFile, Runs, one_of
from ptde_cli.output import output
from ptde_core.runs.stage_settings import EvaluateSettings
from ptde_core.storage.page import check_page

SOMETHING_IS_STALE = 1
MARL_EVAL = "marl-eval"
TABLE = "table"  # the one format that is drawn here; the others are texts of the core


def formats() -> list[str]:
    """All formats."""
    from ptde_core.results.formats import FORMATS  # scipy loads here

    return [TABLE, *FORMATS]


def layouts() -> list[str]:
    """All layouts."""
    from ptde_core.results.formats import DATA_LAYOUTS
    from ptde_core.results.sections import LAYOUTS

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
    evaluation_seed: Annotated[
        int | None,
        typer.Option(
            "--evaluation-seed",
            min=0,
            metavar="SEED",
            help=f"count evaluations with this seed  [default: {EvaluateSettings().seed} where there are such]",
        ),
    ] = None,
    episodes: Annotated[
        int | None,
        typer.Option("--episodes", min=1, help="count evaluations of so many episodes  [default: the largest]"),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict", help="exit code 1 if anything is stale: made from what has been edited or made anew since"
        ),
    ] = False,
    out: OutFile = None,
) -> None:
    """Collect all runs into tables."""
    from ptde_cli.display import print_tables
    from ptde_core import api
    from ptde_core.results.formats import DATA_LAYOUTS
    from ptde_core.results.found_runs import STALE
    from ptde_core.results.marl_eval import marl_eval_warnings

    one_of(report_format, formats(), "report format")
    one_of(layout, layouts(), "layout")
    if out is not None:
        check_page(out)
    found = api.report(*runs or (), seed=seed, evaluation_seed=evaluation_seed, episodes=episodes)
    as_tables = report_format == TABLE and layout not in DATA_LAYOUTS
    tables = api.tables(found, layout) if as_tables else []
    text = "" if as_tables else api.render(found, report_format, layout)
    if report_format == MARL_EVAL:
        for warning in marl_eval_warnings(found):
            print(f"warning: {warning}", file=sys.stderr)
    with output(out) as file:
        if report_format == TABLE:
            print_tables(tables, file)
        else:
            file.write(text)
    stale = [one for one in found.left_out if one.state == STALE]
    if strict and stale:
        print(f"ptde: {len(stale)} stale and not counted, the first: {stale[0].run}: {stale[0].why}", file=sys.stderr)
        raise typer.Exit(SOMETHING_IS_STALE)
