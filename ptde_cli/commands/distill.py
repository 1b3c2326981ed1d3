"""`ptde distill`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ptde_cli.exits import resumable
from ptde_cli.options import (
    Assignments,
    ConfigFile,
    Quiet,
    RecipeNames,
    Trust,
    Workers,
    checked,
    layers,
    merged,
    option,
    run_engines_at,
    trust_files,
)
from ptde_core.base.errors import PtdeError
from ptde_core.runs.recipes import check_recipes, recipes, recipes_meant
from ptde_core.runs.stage_settings import DistillSettings, EvaluateSettings

if TYPE_CHECKING:
    from ptde_core.base.events import Listener


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
    check_recipes(names, out, *given)  # a mistake is told before torch loads
    settings = {key: value for key, value in merged(*given).items() if key != "recipe"}
    if no_evaluate and (compare or episodes is not None):
        asked = "--compare" if compare else f"--episodes {episodes}"
        raise PtdeError(f"{asked} is about the evaluation that --no-evaluate leaves out", "leave out one of them")
    of_play = {"episodes": episodes, "device": settings.get("device")}
    evaluating = checked(EvaluateSettings, {key: value for key, value in of_play.items() if value is not None})
    with resumable():
        from ptde_cli.display import print_tables, print_untrained, shown, watching
        from ptde_core import api
        from ptde_core.api.places import checkpoint_of

        teacher = checkpoint_of(teacher)
        with watching(quiet=quiet) as listen:
            if not no_evaluate:
                tell_of_evaluation(teacher, EvaluateSettings(**evaluating).episodes, listen)
            students = api.distill(teacher, names, data=data, out=out, listen=listen, **settings)
            entries = []
            if not no_evaluate:
                entries = api.evaluate(teacher, *students, only_missing=True, listen=listen, **evaluating)
        if no_evaluate:
            following = f"evaluate with: ptde evaluate {' '.join(map(shown, students))}"
            print("\n".join(map(str, students)) if quiet else following)
        else:
            print_tables(api.tables(entries, "recipes" if compare else "full"))
            print_untrained([teacher])


def tell_of_evaluation(teacher: Path, episodes: int, listen: "Listener") -> None:
    """Say before a distillation that the evaluation after it takes long, where it does: on engines."""
    from ptde_core.base.events import Note
    from ptde_core.envs.backends import ENVIRONMENTS
    from ptde_core.storage.checkpoint import load_checkpoint

    backend = str(load_checkpoint(teacher, "teacher")["env"]["backend"])
    if ENVIRONMENTS[backend].engines:
        listen(
            Note(
                f"afterwards teacher and students play {episodes} episodes each on {backend}, which can take "
                "long: --no-evaluate leaves that out, --episodes shortens it"
            )
        )
