"""`ptde train-teacher`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ptde_cli.exits import resumable
from ptde_cli.options import (
    Assignments,
    ConfigFile,
    Quiet,
    Trust,
    Wandb,
    Workers,
    complete_map,
    layers,
    merged,
    option,
    run_engines_at,
    seeds_of,
    trust_typed_algorithm,
    trust_typed_environment,
)
from ptde_core.algorithms.training_settings import TrainTeacherSettings
from ptde_core.base.errors import PtdeError
from ptde_core.nets.network_settings import INFORMATION
from ptde_core.runs.trainings_meant import trainings_meant

Alg = Annotated[str | None, option(TrainTeacherSettings, "alg")]
Map = Annotated[str | None, option(TrainTeacherSettings, "map", complete=complete_map)]
GlobalInfo = Annotated[str | None, option(TrainTeacherSettings, "global_info")]
Env = Annotated[str | None, option(TrainTeacherSettings, "env")]
Steps = Annotated[int | None, option(TrainTeacherSettings, "steps", default="the map's budget")]
Seed = Annotated[int | None, option(TrainTeacherSettings, "seed")]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="DIR",
        help="run folder, or with --seeds the folder of theirs  [default: runs/<env>/<map>/<algorithm>/seed<seed>]",
    ),
]
RESUME = "go on with an interrupted training, or a finished one: --steps MORE"
Seeds = Annotated[
    str | None,
    typer.Option(
        "--seeds",
        metavar="N|A,B,...",
        help="several seeds at once, each into its own run folder; 3 means 1,2,3. Made for a GPU: slower on a CPU",
    ),
]
Keep = Annotated[
    list[str] | None,
    typer.Option(
        "--keep",
        metavar="last|best|every=N",
        help="checkpoints beside the last: that of the best test, one every N env steps; repeatable",
    ),
]
NoKeepState = Annotated[
    bool,
    typer.Option("--no-keep-state", help="keep no state to go on from once it has finished; of a finished one: delete"),
]
Device = Annotated[str | None, option(TrainTeacherSettings, "device")]


def train_teacher(
    alg: Alg = None,
    map_name: Map = None,
    global_info: GlobalInfo = None,
    env: Env = None,
    steps: Steps = None,
    seed: Seed = None,
    seeds: Seeds = None,
    device: Device = None,
    out: Out = None,
    resume: Annotated[bool, typer.Option("--resume", help=RESUME)] = False,
    keep: Keep = None,
    no_keep_state: NoKeepState = False,
    config: ConfigFile = None,
    assignments: Assignments = None,
    workers: Workers = None,
    wandb: Wandb = False,
    trust: Trust = False,
    quiet: Quiet = False,
) -> None:
    """Train a teacher into a run folder, or several at once."""
    run_engines_at(workers)
    given = layers(
        config,
        assignments,
        alg=alg,
        map=map_name,
        global_info=global_info,
        env=env,
        steps=steps,
        seed=seed,
        device=device,
        keep=",".join(keep) if keep else None,
    )
    trust_typed_algorithm(trust, *given[1:])
    values, numbers = of_seeds(merged(*given), seed, seeds, wandb=wandb)
    trainings = trainings_meant(values, numbers, out, resume=resume)  # a mistake is told before torch loads
    for settings, _ in trainings:
        trust_typed_environment(settings, *given[1:])
    with resumable(lambda: ["--resume"] if any(run.config.exists() for _, run in trainings) else []):
        from ptde_cli.display import shown, watching
        from ptde_core import api

        with watching(quiet=quiet) as listen:
            how: dict[str, Any] = {"out": out, "resume": resume, "keep_state": not no_keep_state, "listen": listen}
            if numbers is None:
                api.train_teacher(wandb=wandb, **how, **values)
            else:
                api.train_teachers(numbers, **how, **values)
        for settings, run in trainings:
            if run.student.exists():  # trained with its teacher (CTDS); evaluating it brings the teacher along
                following = f"evaluate both with: ptde evaluate {shown(run.student)}"
            elif INFORMATION[settings.global_info].distillable:
                following = f"distill it with: ptde distill {shown(run.teacher)}"
            else:
                following = f"evaluate it with: ptde evaluate {shown(run.teacher)}"
            print(run.teacher if quiet else following)


def of_seeds(
    values: dict[str, Any], seed: int | None, seeds: str | None, *, wandb: bool
) -> tuple[dict[str, Any], list[int] | None]:
    """The values without their seed and the seeds that `--seeds` means; without it the values as they are, and None.

    Raises:
        PtdeError: `--seeds` beside `--seed` or `--wandb`, or not readable.
    """
    if seeds is None:
        return values, None
    if seed is not None:
        raise PtdeError(f"--seed {seed} and --seeds {seeds} are both there", "give one of them")
    if wandb:
        raise PtdeError("--wandb logs one run, and --seeds makes several", "leave out one of them")
    return {key: value for key, value in values.items() if key != "seed"}, seeds_of(seeds)
