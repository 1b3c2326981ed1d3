"""`ptde run`: the whole pipeline."""

from contextlib import nullcontext

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
    trust_typed_algorithm,
    trust_typed_environment,
)
from ptde_core.runs.pipeline_settings import by_stage, later_stages
from ptde_core.runs.stage_settings import train_teacher_settings


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
    trust_typed_algorithm(trust, teachers_assigned, typed)
    settings = train_teacher_settings(teachers, teachers_assigned, typed)
    trust_typed_environment(settings, teachers_assigned, typed)
    trainings = each_seed(settings, seed, seeds, out, wandb=wandb)
    stages = [(later_stages(own, (later, later_assigned), recipe or ()), folder) for own, folder in trainings]
    with resumable():
        from ptde_cli.display import print_tables, watching
        from ptde_core.pipeline.remaking import put_aside_another_world
        from ptde_core.pipeline.run import run as stage
        from ptde_core.pipeline.train_teacher import train_teachers
        from ptde_core.pipeline.weights_and_biases import weights_and_biases
        from ptde_core.results.evaluation_table import evaluation_tables

        entries = []
        with (
            watching(quiet=quiet) as watcher,
            weights_and_biases(*trainings[0], watcher) if wandb else nullcontext(watcher) as listen,
        ):
            if len(trainings) > 1:
                for own, folder in trainings:
                    put_aside_another_world(own, folder, listen)
                train_teachers(trainings, resume=True, keep_state=not no_keep_state, listen=listen)
            for pipeline, folder in stages:
                entries += stage(pipeline, folder, keep_state=not no_keep_state, listen=listen)
        print_tables(evaluation_tables(entries))
