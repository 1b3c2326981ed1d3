"""`ptde run`: the whole pipeline."""

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
    of_seeds,
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
    merged,
    run_engines_at,
    trust_typed_algorithm,
    trust_typed_environment,
)
from ptde_core.runs.pipeline_settings import LATER_STAGES, by_stage, later_stages
from ptde_core.runs.trainings_meant import trainings_meant


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
    values, numbers = of_seeds(merged(teachers, teachers_assigned, typed), seed, seeds, wandb=wandb)
    of_stages: dict[str, Any] = {stage: merged(later[stage], later_assigned[stage]) for stage in LATER_STAGES}
    meant = trainings_meant(values, numbers, out)
    for settings, _ in meant:  # a mistake is told before torch loads
        trust_typed_environment(settings, teachers_assigned, typed)
        later_stages(settings, [of_stages], recipe or ())
    with resumable():
        from ptde_cli.display import print_tables, print_untrained, watching
        from ptde_core import api

        with watching(quiet=quiet) as listen:
            entries = api.run(
                recipes=recipe or (),
                seeds=numbers,
                out=out,
                keep_state=not no_keep_state,
                wandb=wandb,
                listen=listen,
                **values,
                **of_stages,
            )
        print_tables(api.tables(entries))
        print_untrained(folder.teacher for _, folder in meant)
