"""`ptde collect`."""

from pathlib import Path
from typing import Annotated

import typer

from ptde_cli.exits import resumable
from ptde_cli.options import (
    Assignments,
    ConfigFile,
    Quiet,
    Trust,
    Workers,
    checked,
    layers,
    option,
    run_engines_at,
    trust_files,
)
from ptde_core.runs.stage_settings import CollectSettings


def collect(
    teacher: Annotated[Path, typer.Argument(metavar="TEACHER", help="teacher.pt of a run")],
    episodes: Annotated[int | None, option(CollectSettings, "episodes")] = None,
    seed: Annotated[int | None, option(CollectSettings, "seed")] = None,
    device: Annotated[str | None, option(CollectSettings, "device")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE.h5", help="where to  [default: beside the teacher]")
    ] = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    workers: Workers = None,
    trust: Trust = False,
    quiet: Quiet = False,
) -> None:
    """Collect a teacher's episodes for distillation."""
    run_engines_at(workers)
    trust_files(trust)
    typed = {"episodes": episodes, "seed": seed, "device": device}
    settings = checked(CollectSettings, *layers(config, assignments, **typed))
    with resumable():
        from ptde_cli.display import shown, watching
        from ptde_core import api

        with watching(quiet=quiet) as listen:
            data = api.collect(teacher, out=out, listen=listen, **settings)
        print(data if quiet else f"distill a student with: ptde distill {shown(teacher)} --data {shown(data)}")
