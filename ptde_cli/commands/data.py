"""`ptde data`: collected episodes. `data show`: what a file holds. `data export`: the same for other programs."""

from pathlib import Path
from typing import Annotated

import typer

from ptde_cli.options import Quiet, one_of

FORMATS = ("npz", "parquet")
File = Annotated[Path, typer.Argument(metavar="FILE.h5", help="episodes of `ptde collect`")]


def data(context: typer.Context) -> None:
    """Look into collected episodes."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def data_show(
    file: File,
    features: Annotated[
        bool, typer.Option("--features", help="also which number of observation and state is what, and the actions")
    ] = False,
) -> None:
    """Show what a file holds."""
    from ptde_cli.display import print_tables
    from ptde_core.viewing.episode_data import data_tables  # h5py loads here

    print_tables(data_tables(file, features=features))


def data_export(
    file: File,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            help="npz: one file of NumPy arrays; parquet: a folder with steps and episodes (extra parquet)",
            metavar="npz|parquet",
            autocompletion=lambda: list(FORMATS),
        ),
    ] = "npz",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="PATH", help="where to  [default: beside the file]")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Write a file's data in another format."""
    one_of(to, FORMATS, "data format")
    from ptde_cli.display import watching
    from ptde_core.viewing.episode_data import export_data

    with watching(quiet=quiet) as listen:
        path = export_data(file, to, out, listen=listen)  # type: ignore[arg-type]  # just checked
    if quiet:
        print(path)
