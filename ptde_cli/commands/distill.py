"""`ptde distill`."""

from pathlib import Path
from typing import Annotated

import typer

from ptde_cli.exits import resumable
from ptde_cli.options import (
    Assignments,
    ConfigFile,
    Quiet,
    RecipeNames,
    Trust,
    Workers,
    layers,
    option,
    run_engines_at,
    trust_files,
)
from ptde_core.base.errors import PtdeError
from ptde_core.base.setting_fields import build_settings
from ptde_core.runs.recipes import distill_settings, recipes, recipes_meant
from ptde_core.runs.stage_settings import DistillSettings, EvaluateSettings


def distill(
    teacher: Annotated[Path, typer.Argument(metavar="TEACHER", help="teacher.pt of a run")],
    recipe: RecipeNames = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="FILE.h5", help="from `ptde collect`  [default: collected first]"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE.pt",
            help="where to  [default: student.pt or students/RECIPE.pt beside TEACHER]",
        ),
    ] = None,
    compare: Annotated[
        bool,
        typer.Option("--compare", help="all recipes (or those named) in one table: play, error, steps, time"),
    ] = False,
    no_evaluate: Annotated[
        bool, typer.Option("--no-evaluate", help="do not play and compare teacher and student afterwards")
    ] = False,
    episodes: Annotated[int | None, option(EvaluateSettings, "episodes")] = None,
    steps: Annotated[int | None, option(DistillSettings, "steps", default="the recipe's, or the map's preset")] = None,
    seed: Annotated[int | None, option(DistillSettings, "seed")] = None,
    device: Annotated[str | None, option(DistillSettings, "device")] = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    workers: Workers = None,
    trust: Trust = False,
    quiet: Quiet = False,
) -> None:
    """Distill students from a teacher's episodes, and evaluate them beside it."""
    run_engines_at(workers)
    trust_files(trust)
    given = layers(config, assignments, steps=steps, seed=seed, device=device)
    names = recipes_meant(recipe or [], given, list(recipes()) if compare else [DistillSettings().recipe])
    for name in names:
        distill_settings(name, "", *given)  # a mistake is told before torch loads
    if out is not None and len(names) > 1:
        raise PtdeError(
            f"--out names one student, and there are {len(names)} recipes", "leave out --out: each has its own file"
        )
    if no_evaluate and (compare or episodes is not None):
        asked = "--compare" if compare else f"--episodes {episodes}"
        raise PtdeError(f"{asked} is about the evaluation that --no-evaluate leaves out", "leave out one of them")
    with resumable():
        from ptde_cli.display import print_tables, shown, watching
        from ptde_core.pipeline.distill_recipes import comparison_table, distill_recipes, tell_of_evaluation
        from ptde_core.pipeline.evaluate import evaluate_what_is_due
        from ptde_core.results.evaluation_table import evaluation_tables
        from ptde_core.storage.checkpoint import load_checkpoint

        map_name = load_checkpoint(teacher, "teacher")["settings"]["map"]
        settings = [distill_settings(name, map_name, *given) for name in names]
        on_device = {"device": settings[0].device}
        evaluating = build_settings(EvaluateSettings, on_device, {} if episodes is None else {"episodes": episodes})
        with watching(quiet=quiet) as listen:
            if not no_evaluate:
                tell_of_evaluation(teacher, evaluating, listen)
            students = distill_recipes(teacher, settings, data, out, listen=listen)
            entries = [] if no_evaluate else evaluate_what_is_due([teacher, *students], evaluating, listen=listen)
        if no_evaluate:
            following = f"evaluate with: ptde evaluate {' '.join(map(shown, students))}"
            print("\n".join(map(str, students)) if quiet else following)
        else:
            print_tables([comparison_table(entries)] if compare else evaluation_tables(entries))
