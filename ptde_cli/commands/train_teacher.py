"""`ptde train-teacher`."""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from ptde_cli.exits import resumable
from ptde_cli.options import (
    Assignments,
    ConfigFile,
    Quiet,
    Wandb,
    Workers,
    complete_map,
    layers,
    option,
    run_engines_at,
)
from ptde_core.nets.settings import INFORMATION
from ptde_core.stages.settings import TrainTeacherSettings, default_folder, train_teacher_settings
from ptde_core.storage.run_folder import RunFolder, read_json

Alg = Annotated[str | None, option(TrainTeacherSettings, "alg")]
Map = Annotated[str | None, option(TrainTeacherSettings, "map", complete=complete_map)]
GlobalInfo = Annotated[str | None, option(TrainTeacherSettings, "global_info")]
Env = Annotated[str | None, option(TrainTeacherSettings, "env")]
Steps = Annotated[int | None, option(TrainTeacherSettings, "steps", default="the map's budget")]
Seed = Annotated[int | None, option(TrainTeacherSettings, "seed")]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="run folder  [default: runs/<env>/<map>/<algorithm>/seed<seed>]"),
]


def train_teacher(
    alg: Alg = None,
    map_name: Map = None,
    global_info: GlobalInfo = None,
    env: Env = None,
    steps: Steps = None,
    seed: Seed = None,
    out: Out = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on with an interrupted training")] = False,
    config: ConfigFile = None,
    assignments: Assignments = None,
    workers: Workers = None,
    wandb: Wandb = False,
    quiet: Quiet = False,
) -> None:
    """Train a teacher into a run folder."""
    run_engines_at(workers)
    given = layers(config, assignments, alg=alg, map=map_name, global_info=global_info, env=env, steps=steps, seed=seed)
    settings = train_teacher_settings(*given)
    run = RunFolder(out) if out else default_folder(settings)
    if resume and run.config.exists():  # what was decided then need not be typed again
        settings = train_teacher_settings(read_json(run.config, "settings of a run"), *given)
    with resumable(lambda: ["--resume"] if run.config.exists() else []):
        from ptde_cli.display import shown, watching
        from ptde_core.stages.train_teacher import train_teacher as stage
        from ptde_core.stages.weights_and_biases import weights_and_biases

        with (
            watching(quiet=quiet) as watcher,
            weights_and_biases(settings, run, watcher) if wandb else nullcontext(watcher) as listen,
        ):
            stage(settings, run, resume=resume, listen=listen)
        if run.student.exists():  # trained with its teacher (CTDS); evaluating it brings the teacher along
            following = f"evaluate both with: ptde evaluate {shown(run.student)}"
        elif INFORMATION[settings.global_info].distillable:
            following = f"distill it with: ptde distill {shown(run.teacher)}"
        else:
            following = f"evaluate it with: ptde evaluate {shown(run.teacher)}"
        print(run.teacher if quiet else following)
