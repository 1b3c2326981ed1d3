"""The settings of a whole pipeline (`ptde run`, and each cell of a sweep), from values for all of its stages.

No torch here: the command line reads this file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ptde_core.algorithms.training_settings import TrainingSettings
from ptde_core.base.errors import PtdeError
from ptde_core.base.setting_fields import Values, build_settings
from ptde_core.runs.recipes import distill_settings, recipes_meant, recipes_of_run
from ptde_core.runs.stage_settings import CollectSettings, DistillSettings, EvaluateSettings, train_teacher_settings

LATER_STAGES = ("collect", "distill", "evaluate")


@dataclass(frozen=True)
class Pipeline:
    """What all stages are told; `distilling` has one entry per recipe."""

    training: TrainingSettings
    collecting: CollectSettings
    distilling: tuple[DistillSettings, ...]
    evaluating: EvaluateSettings


def pipeline_settings(layers: Sequence[Values], recipes: Sequence[str] = ()) -> Pipeline:
    """The settings of all stages, from the map's presets and then the layers, later ones winning.

    The later stages take the training's device and seed where they are not told otherwise: runs of different seeds
    share no chance in any stage of training.

    Args:
        layers: values as in a `--config` file: of the training, and of a later stage under its name (`by_stage`).
        recipes: given by option; else the last that the layers name, else those of `recipes.toml`.

    Raises:
        PtdeError: an unknown key or recipe, or a value that cannot be.
    """
    split = [by_stage(layer) for layer in layers]
    training = train_teacher_settings(*(teachers for teachers, _ in split))
    return later_stages(training, [later for _, later in split], recipes)


def later_stages(
    training: TrainingSettings, layers: Sequence[Mapping[str, Values]], recipes: Sequence[str] = ()
) -> Pipeline:
    """As `pipeline_settings`, for a training whose settings are there; `layers` hold values by later stage."""
    device = {"device": training.device}
    first = device | {"seed": training.seed}
    of_students = [layer["distill"] for layer in layers]
    names = recipes_meant(recipes, of_students, recipes_of_run())
    return Pipeline(
        training=training,
        collecting=build_settings(CollectSettings, first, *(layer["collect"] for layer in layers)),
        distilling=tuple(distill_settings(name, training.map, first, *of_students) for name in names),
        evaluating=build_settings(EvaluateSettings, device, *(layer["evaluate"] for layer in layers)),
    )


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
