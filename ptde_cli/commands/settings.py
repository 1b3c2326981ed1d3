"""`ptde settings`: every key that `--set` and `--config` take, read from the settings' fields."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from ptde_cli.options import bounds, complete_map, one_of, option
from ptde_core.algorithms.catalogue import OPTION, algorithm_named
from ptde_core.algorithms.training_settings import TrainTeacherSettings
from ptde_core.base.setting_fields import Settings, build_settings
from ptde_core.base.trusted_code import trust_code
from ptde_core.runs.pipeline_settings import LATER_STAGES
from ptde_core.runs.recipes import recipes
from ptde_core.runs.stage_settings import (
    CollectSettings,
    DistillSettings,
    EvaluateSettings,
    preset,
    presets,
    train_teacher_preset,
)

if TYPE_CHECKING:
    from ptde_core.results.table import Table

STAGES: Mapping[str, type[Settings]] = {
    "train-teacher": TrainTeacherSettings,
    "collect": CollectSettings,
    "distill": DistillSettings,
    "evaluate": EvaluateSettings,
}
HOW = dict.fromkeys(STAGES, "Give them as --set key=value or as lines of a --config FILE.toml.") | {
    name: f"Give them as --set key=value or as lines of a --config FILE.toml; to `ptde run` as --set {name}.key=value."
    for name in LATER_STAGES
}


def complete_stage(incomplete: str) -> list[str]:
    """The stages that begin with what is typed."""
    return [stage for stage in STAGES if stage.startswith(incomplete)]


def settings(
    stage: Annotated[
        str | None,
        typer.Argument(
            metavar="STAGE",
            help=f"{' | '.join(STAGES)}  [default: all of them]",
            show_default=False,
            autocompletion=complete_stage,
        ),
    ] = None,
    alg: Annotated[str, option(TrainTeacherSettings, "alg")] = TrainTeacherSettings.model_fields["alg"].default,
    map_name: Annotated[
        str | None,
        typer.Option("--map", help="show the values that this map's preset gives", autocompletion=complete_map),
    ] = None,
) -> None:
    """List the settings of one stage, or of all; those of training are the algorithm's own."""
    from ptde_cli.display import print_tables
    from ptde_core.results.table import Table

    if map_name and not map_name.endswith(".toml"):
        from ptde_core.envs.skirmish.map_files import load_map  # numpy loads here

        load_map(map_name)
    trust_code(OPTION, alg)
    tables = []
    for name in [one_of(stage, STAGES, "stage")] if stage else STAGES:
        training = STAGES[name] is TrainTeacherSettings
        model = algorithm_named(alg).settings if training else STAGES[name]
        of_map = {}
        if map_name:
            of_map = train_teacher_preset(alg, map_name) if training else preset(map_name, name)
        if name == "distill":
            of_map = of_map.get(DistillSettings().recipe, {})  # the values shown are those of the default recipe
        typed = {"alg": alg, **({"map": map_name} if map_name else {})} if training else {}
        values = build_settings(model, of_map, typed).model_dump()
        rows = tuple(
            (key, f"{values[key]}{' *' if key in of_map else ''}", bounds(model, key), field.description or "")
            for key, field in model.model_fields.items()
        )
        notes = [f"* from the preset of {map_name} ({presets()['maps'][map_name]['source']})"] if of_map else []
        tables.append(Table(name, ("key", "default", "bounds", "meaning"), (rows,), 4, (*notes, HOW[name])))
        if name == "distill":
            tables.append(_recipes(map_name))
    print_tables(tables)


def _recipes(map_name: str | None) -> "Table":
    """The recipes of `ptde distill`: what each changes, and what the map's preset changes of it."""
    from ptde_core.results.table import NOTHING, Table

    of_map = preset(map_name, "distill") if map_name else {}
    rows = []
    for name, recipe in recipes().items():
        own = of_map.get(name, {})
        changed = {**recipe.values, **own}
        texts = [f"{key}={value}{' *' if key in own else ''}" for key, value in changed.items()]
        rows.append((name, ", ".join(texts) or NOTHING, recipe.meaning))
    notes = [f"* from the preset of {map_name}"] if of_map else []
    how = "Give one as --recipe NAME, repeatable; to `ptde run` too. --set, --config and options beat what it changes."
    return Table("distill: recipes", ("recipe", "changes", "meaning"), (tuple(rows),), 3, (*notes, how))
