"""`ptde visualize`."""

from pathlib import Path
from typing import Annotated

import typer

from ptde_cli.exits import resumable
from ptde_cli.options import Quiet


def visualize(
    target: Annotated[
        Path, typer.Argument(metavar="RUN|CHECKPOINT", help="a run folder, or a teacher.pt or student.pt")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="where to  [default: figures/ in the run folder]")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Draw the pictures of a run or a checkpoint."""
    with resumable():
        from ptde_cli.display import watching
        from ptde_core.stages.visualize import visualize as stage

        with watching(quiet=quiet) as listen:
            pictures = stage(target, out, listen=listen)
        if quiet:
            print(*pictures, sep="\n")
