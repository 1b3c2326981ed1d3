"""`ptde run`: the whole pipeline."""

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

from ptde_cli.commands.train_teacher import (
    Alg,
    Device,
    Env,
    GlobalInfo,
    Keep,
    Map,
    NoKeepState,
    Out,
    Seed,
    Seeds,
    Steps,
    each_seed,
)
from ptde_cli.exits import resumable
from ptde_cli.options import (
    Assignments,
    ConfigFile,
    Quiet,
    RecipeNames,
    Trust,
    Wandb,
    Workers,
    layers,
    run_engines_at,
    trust_what_is_typed,
)
from ptde_core.base.errors import PtdeError
from ptde_core.base.settings import Values, build_settings
from ptde_core.stages.recipes import distill_settings, recipes_meant, recipes_of_run
from ptde_core.stages.settings import CollectSettings, EvaluateSettings, train_teacher_settings

LATER_STAGES = ("collect", "distill", "evaluate")


def run(
    map_name: Map = None,
    alg: Alg = None,
    global_info: GlobalInfo = None,
    env: Env = None,
    steps: Steps = None,
    seed: Seed = None,
    seeds: Seeds = None,
    recipe: RecipeNames = None,
    device: Device = None,
    out: Out = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    workers: Workers = None,
    keep: Keep = None,
    no_keep_state: NoKeepState = False,
    wandb: Wandb = False,
    trust: Trust = False,
    quiet: Quiet = False,
) -> None:
    """Run all stages in a row and show the evaluation."""
    run_engines_at(workers)
    file, assigned, typed = layers(
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
    teachers, later = by_stage(file)
    teachers_assigned, later_assigned = by_stage(assigned)
    settings = train_teacher_settings(teachers, teachers_assigned, typed)
    trust_what_is_typed(trust, settings, teachers_assigned, typed)
    on_device = {"device": settings.device}
    trainings = each_seed(settings, seed, seeds, out, wandb=wandb)
    evaluating = build_settings(EvaluateSettings, on_device, later["evaluate"], later_assigned["evaluate"])
    of_students = (later["distill"], later_assigned["distill"])
    recipes = recipes_meant(recipe or [], of_students, recipes_of_run())
    stages = []
    for own, folder in trainings:
        first = on_device | {"seed": own.seed}  # runs of different seeds share no chance in any stage of training
        collecting = build_settings(CollectSettings, first, later["collect"], later_assigned["collect"])
        distilling = [distill_settings(name, settings.map, first, *of_students) for name in recipes]
        stages.append((own, folder, collecting, distilling))
    with resumable():
        from ptde_cli.display import print_tables, watching
        from ptde_core.stages.remaking import put_aside_another_world
        from ptde_core.stages.reports.evaluation import evaluation_tables
        from ptde_core.stages.run import run as stage
        from ptde_core.stages.train_teacher import train_teachers
        from ptde_core.stages.weights_and_biases import weights_and_biases

        entries = []
        with (
            watching(quiet=quiet) as watcher,
            weights_and_biases(*trainings[0], watcher) if wandb else nullcontext(watcher) as listen,
        ):
            if len(trainings) > 1:
                for own, folder in trainings:
                    put_aside_another_world(own, folder, listen)
                train_teachers(trainings, resume=True, keep_state=not no_keep_state, listen=listen)
            for own, folder, collecting, distilling in stages:
                entries += stage(
                    own,
                    folder,
                    collecting=collecting,
                    distilling=distilling,
                    evaluating=evaluating,
                    keep_state=not no_keep_state,
                    listen=listen,
                )
        print_tables(evaluation_tables(entries))


def by_stage(values: Values) -> tuple[dict[str, Any], Mapping[str, dict[str, Any]]]:
    """Split values into the teacher's and those of each later stage: `distill.steps`, or a table named `distill`.

    Raises:
        PtdeError: a later stage's name with a plain value.
    """
    teachers: dict[str, Any] = {}
    later: dict[str, dict[str, Any]] = {stage: {} for stage in LATER_STAGES}
    for key, value in values.items():
        stage, dot, name = key.partition(".")
        if stage not in later:
            teachers[key] = value
        elif dot:
            later[stage][name] = value
        elif isinstance(value, dict):
            later[stage].update(value)
        else:
            raise PtdeError(f"{key} = {value!r} names a stage, not a setting", f"type for example {stage}.seed=1")
    return teachers, later
