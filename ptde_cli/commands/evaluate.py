"""`ptde evaluate`."""

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
from ptde_core.runs.stage_settings import EvaluateSettings


def evaluate(
    checkpoints: Annotated[list[Path], typer.Argument(metavar="CHECKPOINT", help="teacher.pt or student.pt files")],
    episodes: Annotated[int | None, option(EvaluateSettings, "episodes")] = None,
    seed: Annotated[int | None, option(EvaluateSettings, "seed")] = None,
    keep_replays: Annotated[int | None, option(EvaluateSettings, "keep_replays")] = None,
    device: Annotated[str | None, option(EvaluateSettings, "device")] = None,
    json: Annotated[bool, typer.Option("--json", help="JSON on standard output instead of the table")] = False,
    config: ConfigFile = None,
    assignments: Assignments = None,
    workers: Workers = None,
    trust: Trust = False,
    quiet: Quiet = False,
) -> None:
    """Evaluate policies and show them side by side."""
    run_engines_at(workers)
    trust_files(trust)
    typed = {"episodes": episodes, "seed": seed, "keep_replays": keep_replays, "device": device}
    settings = checked(EvaluateSettings, *layers(config, assignments, **typed))
    with resumable():
        from ptde_cli.display import print_tables, watching
        from ptde_core import api

        with watching(quiet=quiet) as listen:
            entries = api.evaluate(*checkpoints, listen=listen, **settings)
        if json:
            print(api.render(entries, "json"), end="")
        else:
            print_tables(api.tables(entries))
