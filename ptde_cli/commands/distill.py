"""`ptde distill`."""

from pathlib import Path
from typing import Annotated

import typer

from ptde_cli.exits import resumable
from ptde_cli.options import Assignments, ConfigFile, Quiet, layers, option
from ptde_core.base.settings import build_settings
from ptde_core.stages.settings import DistillSettings, preset


def distill(
    teacher: Annotated[Path, typer.Argument(metavar="TEACHER", help="teacher.pt of a run")],
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="FILE.h5", help="from `ptde collect`  [default: collected first]"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE.pt", help="where to  [default: beside the teacher]")
    ] = None,
    steps: Annotated[int | None, option(DistillSettings, "steps", default="the map's preset")] = None,
    seed: Annotated[int | None, option(DistillSettings, "seed")] = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    quiet: Quiet = False,
) -> None:
    """Distill a student from a teacher's episodes."""
    given = layers(config, assignments, steps=steps, seed=seed)
    build_settings(DistillSettings, *given)  # a mistake is told before torch loads
    with resumable():
        from ptde_cli.display import shown, watching
        from ptde_core.stages.distill import distill as stage
        from ptde_core.storage.checkpoint import load_checkpoint

        map_name = load_checkpoint(teacher, "teacher")["settings"]["map"]
        settings = build_settings(DistillSettings, preset(map_name, "distill"), *given)
        with watching(quiet=quiet) as listen:
            student = stage(teacher, settings, data, out, listen=listen)
        print(student if quiet else f"evaluate it with: ptde evaluate {shown(student)}")
