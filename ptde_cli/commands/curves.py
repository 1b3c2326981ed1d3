"""`ptde curves`."""

from pathlib import Path
from typing import Annotated

import typer

from ptde_cli.options import Quiet, Runs

OUT = Path("win_rates.png")


def curves(
    runs: Runs = None,
    out: Annotated[
        list[Path] | None,
        typer.Option("--out", metavar="FILE", help=f"ends in .png, .svg or .pdf; repeatable  [default: {OUT}]"),
    ] = None,
    unfinished: Annotated[
        bool, typer.Option("--unfinished", help="also runs that are still training or stopped early")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Draw the win rates of many runs."""
    from ptde_cli.display import print_tables, watching
    from ptde_core import api
    from ptde_core.results.sections import left_out_table

    pictures = out or [OUT]
    with watching(quiet=quiet) as listen:
        found = api.curves(*runs or (), out=pictures, unfinished=unfinished, listen=listen)
    if quiet:
        print(*pictures, sep="\n")
    elif found.left_out:
        print_tables([left_out_table("Not drawn", found.left_out)])
