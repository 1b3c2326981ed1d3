"""`ptde export`."""

from pathlib import Path
from typing import Annotated

import typer

from ptde_cli.options import Quiet, Trust, one_of, trust_files

FORMATS = ("onnx", "npz")
Z = ("mean", "sampled")


def export(
    checkpoint: Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="teacher.pt or a student's file")],
    export_format: Annotated[
        str,
        typer.Option(
            "--format",
            help="onnx: a graph (extra onnx); npz: the weights as arrays",
            metavar="onnx|npz",
            autocompletion=lambda: list(FORMATS),
        ),
    ] = "onnx",
    z: Annotated[
        str,
        typer.Option(
            "--z",
            help="of a teacher that draws its z: its mean, or sampled from noise that is an input",
            metavar="mean|sampled",
            autocompletion=lambda: list(Z),
        ),
    ] = "mean",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="where to  [default: beside the checkpoint]")
    ] = None,
    trust: Trust = False,
    quiet: Quiet = False,
) -> None:
    """Write a policy for other runtimes."""
    one_of(export_format, FORMATS, "export format")
    one_of(z, Z, "kind of z")
    trust_files(trust)
    from ptde_cli.display import watching
    from ptde_core import api

    with watching(quiet=quiet) as listen:
        path = api.export(checkpoint, export_format, z=z, out=out, listen=listen)  # type: ignore[arg-type]  # just checked
    if quiet:
        print(path)
