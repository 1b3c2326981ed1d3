"""Recipes: named ways to distill (recipes.toml), and how tables name their students.

No torch here: the command line reads this file.
"""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ptde_core.base.errors import PtdeError, unknown
from ptde_core.base.setting_fields import Values, build_settings
from ptde_core.runs.stage_settings import DistillSettings, preset
from ptde_core.storage.run_folder import PAPER

FILE = Path(__file__).with_name("recipes.toml")


@dataclass(frozen=True)
class Recipe:
    """One way to distill.

    Args:
        meaning: one line for people.
        values: settings of `DistillSettings` that it changes.
    """

    meaning: str
    values: Values


@cache
def recipes() -> Mapping[str, Recipe]:
    """All recipes, by name, in the order of tables."""
    held = tomllib.loads(FILE.read_text(encoding="utf-8"))["recipes"]
    return {name: Recipe(one["meaning"], one["distill"]) for name, one in held.items()}


@cache
def recipes_of_run() -> tuple[str, ...]:
    """The recipes of `ptde run` where none is named."""
    return tuple(tomllib.loads(FILE.read_text(encoding="utf-8"))["run"])


def recipe(name: str) -> Recipe:
    """A recipe by its name.

    Raises:
        PtdeError: there is none; the nearest one is offered.
    """
    if name not in recipes():
        raise unknown("recipe", name, recipes())
    return recipes()[name]


def distill_settings(name: str, map_name: str, *layers: Values) -> DistillSettings:
    """The settings of a recipe on a map: the recipe, the map's preset for it, then the layers; later ones win.

    Raises:
        PtdeError: there is no such recipe, or a value that cannot be.
    """
    values = recipe(name).values
    of_map = preset(map_name, "distill").get(name, {})
    return build_settings(DistillSettings, values, of_map, *layers, {"recipe": name})


def recipes_meant(asked: Sequence[str], layers: Sequence[Values], default: Sequence[str]) -> list[str]:
    """The recipes to use: those of the option, else the last that the layers name, else the default.

    Args:
        asked: the options `--recipe`.
        layers: values as for `distill_settings`; `recipe` in one is a name or a list of names.
        default: where none is named.

    Raises:
        PtdeError: an unknown recipe, one that is there twice, or none.
    """
    named = list(asked) or next((one["recipe"] for one in reversed(layers) if "recipe" in one), list(default))
    names = [named] if isinstance(named, str) else named
    if not isinstance(names, list):
        raise _no_recipe(named)
    _check_names(names)
    return names


def _check_names(names: Sequence[Any]) -> None:
    if not names or not all(isinstance(name, str) for name in names):
        raise _no_recipe(list(names))
    for name in names:
        recipe(name)
    if len(set(names)) < len(names):
        raise PtdeError(f"{', '.join(names)}: a recipe is there twice", "name each once")


def _no_recipe(named: object) -> PtdeError:
    return PtdeError(f"recipe = {named!r} names no recipe", f"choose from {', '.join(recipes())}")


def check_recipes(names: Sequence[str], out: Path | str | None, *layers: Values) -> None:
    """Refuse impossible settings of students, before anything is loaded.

    Args:
        names: of recipes, one student each.
        out: the file of the only student, if one is named.
        layers: as for `distill_settings`.

    Raises:
        PtdeError: as `distill_settings`, or one file for several students.
    """
    _check_names(names)
    for name in names:
        distill_settings(name, "", *layers)
    if out is not None and len(names) > 1:
        raise PtdeError(
            f"--out names one student, and there are {len(names)} recipes", "leave out --out: each has its own file"
        )


# The parts in which ways to distill differ, in the words of tables; sizes and budgets are left out.
_PARTS: tuple[Callable[[DistillSettings], str], ...] = (
    lambda made: "recurrent" if made.student == "recurrent" else "two layers",
    lambda made: f"{made.target} target",
    lambda made: f"{made.loss} loss",
    lambda made: f"DAgger {made.dagger_rounds}x{made.dagger_episodes}" if made.dagger_rounds else "no DAgger",
    lambda made: "early stopping" if made.early_stopping else "no early stopping",
)


def departures(made: DistillSettings) -> list[str]:
    """How a student differs from the paper's, in the words of tables: its recipe, and its departures from the recipe.

    Sizes and budgets are left out. Of a recipe that this ptde lacks, all differences from the paper's are named.
    """
    known = made.recipe if made.recipe in recipes() else PAPER
    base = build_settings(DistillSettings, recipe(known).values)
    words = [] if known == PAPER else [f"recipe {known}"]
    return words + [part(made) for part in _PARTS if part(made) != part(base)]
