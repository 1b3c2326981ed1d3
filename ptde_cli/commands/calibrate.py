"""`ptde calibrate`."""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from ptde_cli.exits import resumable
from ptde_cli.options import Quiet, complete_map, one_of, option
from ptde_core.base.settings import build_settings
from ptde_core.stages.settings import CalibrateSettings

FORMATS = ("table", "markdown")


def complete_format(incomplete: str) -> list[str]:
    """The formats that begin with what is typed."""
    return [name for name in FORMATS if name.startswith(incomplete)]


def calibrate(
    map_name: Annotated[
        str | None,
        typer.Option(
            "--map",
            metavar="MAP",
            help="only this map  [default: all maps with figures of the real game, and duels]",
            autocompletion=complete_map,
        ),
    ] = None,
    episodes: Annotated[int | None, option(CalibrateSettings, "episodes")] = None,
    seed: Annotated[int | None, option(CalibrateSettings, "seed")] = None,
    table_format: Annotated[
        str,
        typer.Option("--format", help=" or ".join(FORMATS), metavar="FORMAT", autocompletion=complete_format),
    ] = FORMATS[0],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="write there instead of standard output")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Play what was logged in the real game, and compare."""
    one_of(table_format, FORMATS, "table format")
    typed = {key: value for key, value in (("episodes", episodes), ("seed", seed)) if value is not None}
    settings = build_settings(CalibrateSettings, typed)
    with resumable():
        from ptde_cli.display import print_tables, watching
        from ptde_core.stages.calibrate import calibrate as stage
        from ptde_core.stages.calibrate import calibration_table
        from ptde_core.stages.tables import markdown

        with watching(quiet=quiet) as listen:
            table = calibration_table(stage(settings, map_name, listen=listen), settings)
        with out.open("w", encoding="utf-8") if out else nullcontext() as file:
            if table_format == FORMATS[0]:
                print_tables([table], file)
            else:
                print(markdown(table), end="", file=file)
