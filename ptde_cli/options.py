"""Typer options made from fields of settings: name, meaning, bounds and default are those of the field."""

import os
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer

from ptde_core.algorithms.catalogue import ALGORITHMS, OPTION
from ptde_core.algorithms.training_settings import TrainingSettings
from ptde_core.base.errors import PtdeError, quoted, unknown
from ptde_core.base.setting_fields import (
    MOST_SEED,
    Settings,
    Values,
    build_settings,
    parse_assignments,
    read_settings_file,
)
from ptde_core.base.trusted_code import trust_code
from ptde_core.base.trusted_code import trust_files as trust_all_files
from ptde_core.runs.recipes import recipes
from ptde_core.runs.stage_settings import RUNS

MOST_SEEDS = 1000  # of one call
NUMBER_BOUNDS = (("minimum", "≥ {}"), ("exclusiveMinimum", "> {}"), ("maximum", "≤ {}"), ("exclusiveMaximum", "< {}"))


def choices(model: type[Settings], key: str) -> list[str]:
    """The words a field accepts; empty where it accepts more than a fixed list."""
    if key == "alg":  # the record of each is in one list, and one's own may be named beside it
        return list(ALGORITHMS)
    facts = _facts(model, key)
    return [str(word) for word in facts.get("enum", [])]


def bounds(model: type[Settings], key: str) -> str:
    """What a field accepts: "≥ 1", "> 0, < 1", "qmix | vdn"; empty where it accepts anything."""
    facts = _facts(model, key)
    if words := choices(model, key):
        return " | ".join(words)
    return " | ".join(filter(None, map(_limits, facts.get("anyOf", [facts]))))


def option(model: type[Settings], key: str, *, default: str = "", complete: Any = None) -> Any:
    """The Typer option of a settings field. Its value is None unless typed: files and presets may fill it then.

    Args:
        model: the settings.
        key: the field.
        default: where the default comes from, if not from the field alone ("the map's budget").
        complete: completes a half-typed value in the shell; the field's choices if not given.
    """
    field = model.model_fields[key]
    limits = bounds(model, key)
    words = choices(model, key)
    return typer.Option(
        "--" + key.replace("_", "-"),
        help=f"{field.description}{f': {limits}' if limits else ''}  [default: {default or field.default}]",
        show_default=False,  # it stands in the help: Typer would show the None that means "not typed"
        metavar="NAME" if words else None,
        autocompletion=complete or (_completer(words) if words else None),
    )


def layers(config: Path | None, assignments: list[str] | None, **options: Any) -> tuple[Values, Values, Values]:
    """Layers of settings, later ones winning: the file, `--set`, and the options that were typed."""
    return (
        read_settings_file(config) if config else {},
        parse_assignments(assignments or []),
        {key: value for key, value in options.items() if value is not None},
    )


def merged(*layers: Values) -> dict[str, Any]:
    """The values of all layers by name, later ones winning."""
    return {key: value for layer in layers for key, value in layer.items()}


def checked(model: type[Settings], *layers: Values) -> dict[str, Any]:
    """The same, after checking them as settings of `model`, so that a mistake is told before torch is loaded.

    Raises:
        PtdeError: an unknown key, or a value out of its bounds.
    """
    build_settings(model, *layers)
    return merged(*layers)


def seeds_of(text: str) -> list[int]:
    """The seeds of `--seeds`: "3" stands for 1, 2, 3, "4,7" for just these.

    Raises:
        PtdeError: it is neither, or names a seed twice.
    """
    parts = [part.strip() for part in text.split(",")]
    fix = "type a number of seeds (3 is 1,2,3), or the seeds themselves: 4,7"
    if not all(part.isdecimal() for part in parts):
        raise PtdeError(f"--seeds {text!r} is not made of whole numbers", fix)
    if any(len(part) > len(str(MOST_SEED)) or int(part) > MOST_SEED for part in parts):
        raise PtdeError(f"--seeds {quoted(repr(text))} names a seed above {MOST_SEED}", fix)
    seeds = [int(part) for part in parts]
    if len(seeds) == 1:
        seeds = list(range(1, min(seeds[0], MOST_SEEDS + 1) + 1))
    if len(seeds) > MOST_SEEDS:
        raise PtdeError(f"--seeds {quoted(repr(text))} are more than {MOST_SEEDS} trainings at once", fix)
    if not seeds or len(set(seeds)) < len(seeds):
        raise PtdeError(f"--seeds {text!r} names {'a seed twice' if seeds else 'no seed'}", fix)
    return seeds


def one_of(word: str, words: Collection[str], kind: str) -> str:
    """The word itself if it is one of `words`.

    Raises:
        PtdeError: it is not; the nearest one is offered.
    """
    if word not in words:
        raise unknown(kind, word, words)
    return word


def run_engines_at(workers: str | None) -> None:
    """Set where engines run, if it was typed. It is not in the settings, since it changes no result.

    Raises:
        PtdeError: there is no such place, or Ray is not installed.
    """
    if workers is not None:
        from ptde_core.envs.workers.host import VARIABLE, chosen_place  # numpy loads here

        os.environ[VARIABLE] = workers
        chosen_place()


def trust_typed_algorithm(trust: bool, *typed: Values) -> None:
    """Set whether files may name code (`--trust`), and trust an algorithm that was typed before it is looked up.

    Args:
        trust: whether `--trust` was typed.
        typed: the layers of settings that do not come from files.
    """
    trust_files(trust)
    for layer in typed:
        if "alg" in layer:
            trust_code(OPTION, str(layer["alg"]))


def trust_typed_environment(settings: TrainingSettings, *typed: Values) -> None:
    """Refuse a training whose environment is code that a file names; one that was typed is trusted.

    Args:
        settings: of a training that begins or goes on, of which a part may come from files.
        typed: the layers of them that do not.

    Raises:
        PtdeError: a file names the environment, and it is Python code.
    """
    from ptde_core.envs.trust import check_trusted, trust_names

    if all(any(key in layer for layer in typed) for key in ("env", "map")):
        trust_names((settings.env, settings.map))
    check_trusted(settings.env, settings.map)


def trust_files(trust: bool) -> None:
    """Set whether files that this command reads may name code to run (`--trust`)."""
    trust_all_files(trust)


def complete_map(incomplete: str) -> list[str]:
    """The built-in maps that begin with what is typed."""
    from ptde_core.envs.skirmish.map_files import map_names  # numpy loads here, only when the shell asks

    return [name for name in map_names() if name.startswith(incomplete)]


ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE.toml", help="settings from a TOML file; --set and options win over it"),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="any other setting, repeatable; all keys: `ptde settings`"),
]
Workers = Annotated[
    str | None,
    typer.Option(
        "--workers",
        metavar="local|ray",
        help="where games in processes of their own run: on this machine, or on a Ray cluster  [default: $PTDE_WORKERS,"
        " else local]",
        show_default=False,
        autocompletion=lambda incomplete: [word for word in ("local", "ray") if word.startswith(incomplete)],
    ),
]
Trust = Annotated[
    bool,
    typer.Option(
        "--trust",
        help="files may name Python code to run (--env pettingzoo, --alg module:NAME): know where they come from",
    ),
]
Wandb = Annotated[
    bool, typer.Option("--wandb", help="log to Weights & Biases too (extra wandb; WANDB_MODE=offline: no network)")
]
RecipeNames = Annotated[
    list[str] | None,
    typer.Option(
        "--recipe",
        metavar="NAME",
        help="named way to distill; repeatable, a student each; all of them: `ptde settings distill`",
        show_default=False,
        autocompletion=lambda incomplete: [name for name in recipes() if name.startswith(incomplete)],
    ),
]
Runs = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="RUNS",
        help="folders that hold runs, at any depth  [default: this folder, those in it and their seeds,"
        f" all below {RUNS}/]",
    ),
]
BootstrapSeed = Annotated[
    int, typer.Option("--seed", min=0, max=MOST_SEED, help="of the bootstrap's draws: equal seeds, equal intervals")
]
OutFile = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="write there instead of standard output")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="no progress, only the result")]


@cache
def _schema(model: type[Settings]) -> dict[str, Any]:
    return model.model_json_schema()


def _limits(facts: dict[str, Any]) -> str:
    """The bounds of one kind of value that a field accepts, or the one word that it must be."""
    numbers = (text.format(facts[name]) for name, text in NUMBER_BOUNDS if name in facts)
    return str(facts["const"]) if "const" in facts else ", ".join(numbers)


def _facts(model: type[Settings], key: str) -> dict[str, Any]:
    facts: dict[str, Any] = _schema(model)["properties"][key]
    return facts


def _completer(words: list[str]) -> Any:
    return lambda incomplete: [word for word in words if word.startswith(incomplete)]
