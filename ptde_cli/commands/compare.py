"""`ptde compare`."""

from pathlib import Path
from typing import Annotated

import typer

from ptde_cli.options import BootstrapSeed, OutFile, one_of
from ptde_cli.output import output
from ptde_core.storage.page import check_page

FORMATS = ("table", "markdown", "json")


def complete_format(incomplete: str) -> list[str]:
    """The formats that begin with what is typed."""
    return [name for name in FORMATS if name.startswith(incomplete)]


def compare(
    one: Annotated[Path, typer.Argument(metavar="RUN", help="a run folder")],
    other: Annotated[Path, typer.Argument(metavar="RUN", help="another one: differences are its minus the first's")],
    text_format: Annotated[
        str,
        typer.Option("--format", help="table, markdown, or json", metavar="FORMAT", autocompletion=complete_format),
    ] = FORMATS[0],
    seed: BootstrapSeed = 0,
    out: OutFile = None,
) -> None:
    """Set two runs side by side."""
    one_of(text_format, FORMATS, "format")
    from ptde_cli.display import print_tables
    from ptde_core import api

    if out is not None:
        check_page(out)
    found = api.compare(one, other, seed=seed)
    with output(out) as file:
        if text_format == "table":
            print_tables(api.tables(found), file)
        else:
            file.write(api.render(found, text_format))
