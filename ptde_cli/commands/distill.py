"""`ptde distill`."""

from pathlib import Path
from typing import Annotated

import typer

from ptde_cli.exits import resumable
from ptde_cli.options import Assignments, ConfigFile, Quiet, Workers, layers, option, run_engines_at
from ptde_core.base.errors import PtdeError
from ptde_core.base.settings import build_settings
from ptde_core.stages.settings import DistillSettings, EvaluateSettings, preset


def distill(
    teacher: Annotated[Path, typer.Argument(metavar="TEACHER", help="teacher.pt of a run")],
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="FILE.h5", help="from `ptde collect`  [default: collected first]"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE.pt", help="where to  [default: beside the teacher]")
    ] = None,
    compare: Annotated[
        bool,
        typer.Option("--compare", help="all ways to distill on the same episodes, in one table; see students/"),
    ] = False,
    episodes: Annotated[int | None, option(EvaluateSettings, "episodes")] = None,
    steps: Annotated[int | None, option(DistillSettings, "steps", default="the map's preset")] = None,
    seed: Annotated[int | None, option(DistillSettings, "seed")] = None,
    device: Annotated[str | None, option(DistillSettings, "device")] = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    workers: Workers = None,
    quiet: Quiet = False,
) -> None:
    """Distill a student from a teacher's episodes."""
    run_engines_at(workers)
    given = layers(config, assignments, steps=steps, seed=seed, device=device)
    build_settings(DistillSettings, *given)  # a mistake is told before torch loads
    evaluating = build_settings(EvaluateSettings, {} if episodes is None else {"episodes": episodes})
    if compare and out is not None:
        raise PtdeError("--out names one student, --compare makes several", "leave out --out: they go to students/")
    if episodes is not None and not compare:
        raise PtdeError("--episodes are those that --compare plays", "add --compare, or give it to `ptde evaluate`")
    with resumable():
        from ptde_cli.display import print_tables, shown, watching
        from ptde_core.stages.distill import distill as stage
        from ptde_core.stages.ways_to_distill import compare as compare_stage
        from ptde_core.stages.ways_to_distill import comparison_table
        from ptde_core.storage.checkpoint import load_checkpoint

        map_name = load_checkpoint(teacher, "teacher")["settings"]["map"]
        settings = build_settings(DistillSettings, preset(map_name, "distill"), *given)
        if compare:
            with watching(quiet=quiet) as listen:
                entries = compare_stage(teacher, settings, evaluating, data, listen=listen)
            print_tables([comparison_table(entries)])
            return
        with watching(quiet=quiet) as listen:
            student = stage(teacher, settings, data, out, listen=listen)
        print(student if quiet else f"evaluate it with: ptde evaluate {shown(student)}")
