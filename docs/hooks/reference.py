"""Pages of the manual that are read from the code: commands, settings, metrics. `mkdocs build` calls `on_files`."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import typer
from pydantic_core import PydanticUndefined

from ptde_cli.app import COMMANDS, app_for
from ptde_cli.commands.settings import STAGES
from ptde_cli.options import bounds
from ptde_core.algorithms.catalogue import ALGORITHMS
from ptde_core.base.metrics import METRICS
from ptde_core.base.setting_fields import Settings
from ptde_core.runs.recipes import recipes


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages to those that lie in the folder (mkdocs calls this)."""
    from mkdocs.structure.files import File

    for path, page in PAGES.items():
        files.append(File.generated(config, path, content=page()))
    return files


def cli_page() -> str:
    """Every command with its arguments and options, from the Typer app."""
    app = typer.main.get_command(app_for([command.name for command in COMMANDS]))
    parts = [
        "# Commands",
        "Read from the command line itself; `ptde COMMAND --help` says the same. An option that is also a setting "
        "shows the setting's bounds and default.",
        "Exit codes: 0, done; 1, `ptde doctor` found a lack, a cell of a sweep failed, `ptde report --strict` found "
        "stale results, or nobody reads standard output; 2, an error that can be corrected: of what was typed, of a "
        "file, or of the file system; 130, interrupted.",
    ]
    for name, command in app.commands.items():
        parts += _command(f"ptde {name}", command, 2)
        for inner, own in getattr(command, "commands", {}).items():
            parts += _command(f"ptde {name} {inner}", own, 3)
    return "\n\n".join(parts) + "\n"


def settings_page() -> str:
    """Every setting of every stage, from the settings models."""
    parts = [
        "# Settings",
        "Read from the settings models; `ptde settings STAGE` says the same, with a map's preset if `--map` is given.",
        "Give them as `--set key=value`, as lines of a `--config FILE.toml`, or by name from Python. Precedence: an "
        "option, then `--set`, then the file, then the map's preset, then (of a student) its recipe, then the default.",
    ]
    models = {alg: algorithm.settings for alg, algorithm in ALGORITHMS.items()}
    of_all = {
        key: line
        for key, line in _lines(models["qmix"]).items()
        if all(_lines(model).get(key) == line for model in models.values())
    }
    parts += ["## train-teacher", "What all algorithms have:", _table(HEADS, of_all.values())]
    for alg, model in models.items():
        own = [line for key, line in _lines(model).items() if key not in of_all]
        parts += [f"### {alg}", f"[Its page](../{ALGORITHMS[alg].page}). Beside those above:", _table(HEADS, own)]
    for stage, model in STAGES.items():
        if stage != "train-teacher":
            parts += [f"## {stage}", _table(HEADS, _lines(model).values())]
    rows = [
        (f"`{name}`", ", ".join(f"`{key}={value}`" for key, value in recipe.values.items()) or "—", recipe.meaning)
        for name, recipe in recipes().items()
    ]
    parts += [
        "### Recipes",
        "`--recipe NAME` of `ptde distill` and `ptde run`:",
        _table(RECIPE_HEADS, rows),
    ]
    return "\n\n".join(parts) + "\n"


def metrics_page() -> str:
    """Every metric that a stage logs, from the catalogue."""
    parts = [
        "# Metrics",
        "Read from `ptde_core/base/metrics.py`. They stand in `metrics.jsonl`, in TensorBoard and on Weights & Biases, "
        "over env steps (of a student's fit: gradient steps).",
    ]
    for group in dict.fromkeys(metric.group for metric in METRICS.values()):
        rows = [(f"`{name}`", one.unit or "—", one.meaning) for name, one in METRICS.items() if one.group == group]
        parts += [f"## {group}", _table(("metric", "unit", "meaning"), rows)]
    return "\n\n".join(parts) + "\n"


PAGES = {
    "reference/cli.md": cli_page,
    "reference/settings.md": settings_page,
    "reference/metrics.md": metrics_page,
}

RECIPE_HEADS = ("recipe", "changes", "meaning")
HEADS = ("setting", "default", "bounds", "meaning")


def _lines(model: type[Settings]) -> dict[str, Sequence[str]]:
    """The rows of a model's settings by key."""
    return {
        key: (
            f"`{key}`",
            "required" if field.default is PydanticUndefined else f"`{field.default}`",
            bounds(model, key),
            field.description or "",
        )
        for key, field in model.model_fields.items()
    }


def _command(title: str, command: Any, level: int) -> Iterator[str]:
    """Heading, meaning, example and options of one command."""
    meaning, _, example = (command.help or "").partition("Example: ")
    yield f"{'#' * level} {title}"
    yield meaning.replace("\b", "").strip()
    if example:
        yield f"```bash\n{example.strip()}\n```"
    shown = [one for one in command.params if not getattr(one, "hidden", False) and one.name != "help"]
    if rows := [(_name(one), _text(one)) for one in shown]:
        yield _table(("argument or option", "meaning"), rows)


def _name(param: Any) -> str:
    """`--map`, `-h`; of an argument its name for people."""
    if param.param_type_name == "argument":
        return f"`{param.metavar or param.name.upper()}`"
    return ", ".join(f"`{word}`" for word in (*param.opts, *param.secondary_opts))


def _text(param: Any) -> str:
    """What help says of it."""
    return re.sub(r"\s+", " ", getattr(param, "help", None) or "")


def _table(heads: Sequence[str], rows: Any) -> str:
    """A Markdown table; cells cannot break it."""
    escaped = [[str(cell).replace("|", "\\|").replace("<", "&lt;") for cell in row] for row in rows]
    lines = [list(heads), ["---"] * len(heads), *escaped]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def pages() -> Mapping[str, str]:
    """All generated pages by their path."""
    return {path: page() for path, page in PAGES.items()}
