"""`ptde inspect`."""

from pathlib import Path
from typing import Annotated

import typer

from ptde_cli.exits import resumable
from ptde_cli.options import Quiet, Trust, one_of, option, trust_files
from ptde_core.base.setting_fields import build_settings
from ptde_core.runs.stage_settings import InspectSettings
from ptde_core.storage.whole_file import check_output

FORMATS = ("table", "markdown", "latex", "html")


def inspect(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN|TEACHER", help="run folders, or teacher.pt files")],
    episodes: Annotated[int | None, option(InspectSettings, "episodes")] = None,
    seed: Annotated[int | None, option(InspectSettings, "seed")] = None,
    directions: Annotated[int | None, option(InspectSettings, "directions")] = None,
    table_format: Annotated[
        str, typer.Option("--format", help=", ".join(FORMATS), metavar="FORMAT", autocompletion=lambda: list(FORMATS))
    ] = "table",
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
    settings = build_settings(InspectSettings, {key: value for key, value in typed.items() if value is not None})
    with resumable():
        from ptde_cli.display import print_tables, watching
        from ptde_core.results.table import html_page, latex, markdown
        from ptde_core.viewing.information.information_tables import information_tables
        from ptde_core.viewing.information.inspect_information import inspect as stage
        from ptde_core.viewing.information.save_information import figures_of, save_information

        for run in runs:
            check_output(figures_of(run, out) / "information.png")
        with watching(quiet=quiet) as listen:
            found = stage(runs, settings, listen=listen)
            save_information(found, runs, out, listen=listen)
        tables = information_tables(found)
        match table_format:
            case "table":
                print_tables(tables)
            case "html":
                print(html_page("What information matters", tables), end="")
            case _:
                write = markdown if table_format == "markdown" else latex
                print("\n".join(write(table) for table in tables), end="")
