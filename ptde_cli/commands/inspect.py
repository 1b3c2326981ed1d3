"""`ptde inspect`."""

from pathlib import Path
from typing import Annotated

import typer

from ptde_cli.exits import resumable
from ptde_cli.options import Quiet, Trust, checked, one_of, option, trust_files
from ptde_core.runs.stage_settings import InspectSettings

TABLE = "table"  # the one format that is drawn here
FORMATS = (TABLE, "markdown", "latex", "html")


def inspect(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN|TEACHER", help="run folders, or teacher.pt files")],
    episodes: Annotated[int | None, option(InspectSettings, "episodes")] = None,
    seed: Annotated[int | None, option(InspectSettings, "seed")] = None,
    directions: Annotated[int | None, option(InspectSettings, "directions")] = None,
    table_format: Annotated[
        str, typer.Option("--format", help=", ".join(FORMATS), metavar="FORMAT", autocompletion=lambda: list(FORMATS))
    ] = TABLE,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="for the figure  [default: figures/ in the run folder]")
    ] = None,
    trust: Trust = False,
    quiet: Quiet = False,
) -> None:
    """Show what each agent's z depends on."""
    trust_files(trust)
    one_of(table_format, FORMATS, "format")
    typed = {"episodes": episodes, "seed": seed, "directions": directions}
    settings = checked(InspectSettings, {key: value for key, value in typed.items() if value is not None})
    with resumable():
        from ptde_cli.display import print_tables, watching
        from ptde_core import api

        with watching(quiet=quiet) as listen:
            found = api.inspect(*runs, out=out, listen=listen, **settings)
        if table_format == TABLE:
            print_tables(api.tables(found))
        else:
            print(api.render(found, table_format), end="")
