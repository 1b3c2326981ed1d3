"""Settings of a stage: frozen, validated, explained field by field; and how files and `--set` fill them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from ptde_core.base.errors import PtdeError, quoted, unknown
from ptde_core.base.untrusted import LARGE, parse_toml, read_toml

Values = Mapping[str, Any]


class Settings(BaseModel):
    """Base of every stage's settings. A field's default, bound and meaning stand on its one line; help reads them."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse true and false, Python's or NumPy's, where something else is asked for: they would be 1 and 0."""
        if getattr(value, "dtype", type(value)) not in (bool,):
            return value
        wanted = cls.model_fields[str(info.field_name)].annotation
        if not any(one in (bool, Any) for one in (wanted, *get_args(wanted))):
            raise ValueError("is true or false, where something else is asked for")
        return value


MOST_SEED = 2**32 - 1  # of a run: every file and every generator holds it


S = TypeVar("S", bound=Settings)


def build_settings(model: type[S], *layers: Values) -> S:
    """Settings from layers of values, later ones winning (preset, file, command line).

    Raises:
        PtdeError: an unknown key (with the nearest valid one) or a value out of its bounds.
    """
    merged = {key: value for layer in layers for key, value in layer.items()}
    for key in merged:
        if key not in model.model_fields:
            raise unknown("setting", key, model.model_fields)
    try:
        made = model.model_validate(merged)
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0])
        meaning = model.model_fields[key].description
        says = first["msg"].removeprefix("Value error, ")  # pydantic's words before those of our own rules
        says = says[0].lower() + says[1:]
        raise PtdeError(
            f"{key} = {quoted(repr(first['input']))} ({meaning}): {says}", "give a value within its bounds"
        ) from None
    for key in type(made).model_fields:
        value = getattr(made, key)
        if isinstance(value, float) and abs(value) >= LARGE:
            meaning = model.model_fields[key].description
            raise PtdeError(f"{key} = {value:g} ({meaning}) is too large", f"give less than {LARGE:g}")
    return made


def check_settings(settings: object, needed: type[Settings], reader: str, inherit: str) -> None:
    """Refuse settings of a class that lacks what `reader` reads, as those of an algorithm of one's own may.

    Args:
        settings: as given.
        needed: the class that has all that is read.
        reader: what reads them.
        inherit: where to find it: the name of a class that an algorithm's settings can inherit from.

    Raises:
        PtdeError: with the name of that class.
    """
    if not isinstance(settings, needed):
        raise PtdeError(
            f"{reader} cannot read settings of the class {type(settings).__name__}",
            f"let it inherit from {inherit} (ptde_core/algorithms/training_settings.py)",
        )


def check_number(name: str, value: int | None, least: int, most: int) -> None:
    """Refuse what is no whole number, Python's or NumPy's, in these bounds; None, where there is none, is in them.

    Raises:
        PtdeError: with name and value.
    """
    whole = not isinstance(value, bool) and hasattr(value, "__index__")
    if value is not None and not (whole and least <= value <= most):
        raise PtdeError(f"{name} = {quoted(repr(value))} is not a whole number from {least} to {most}", "give another")


def word_of(value: Any) -> Any:
    """A value that can be looked up by name: itself, or where nothing can be (a list), its text."""
    return value if isinstance(value, str | int | None) else repr(value)


def list_of_texts(name: str, value: object) -> list[str]:
    """One text or several, as a list.

    Raises:
        PtdeError: with name and value.
    """
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        raise PtdeError(f"{name} = {quoted(repr(value))} is no name and no list of names", "give one or several")
    return list(value)


def read_settings_file(path: Path) -> dict[str, Any]:
    """The keys and values of a TOML file given with `--config`.

    Raises:
        PtdeError: the file is missing or is not TOML.
    """
    return read_toml(path, "settings file", "check the path given with --config", "write lines such as td_lambda = 0.6")


def parse_assignments(
    assignments: Iterable[str], option: str = "--set", example: str = "td_lambda=0.6"
) -> dict[str, Any]:
    """Values of `--set key=value`; a value is read as TOML (0.6, true, [1, 2]) and as plain text failing that.

    Args:
        assignments: as typed.
        option: behind which they were typed, and `example`, one of them, for the sentence about a mistake.
        example: see `option`.

    Raises:
        PtdeError: one is not of this form.
    """
    values: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key.strip():
            raise PtdeError(
                f"{option} {assignment!r} is not of the form key=value", f"type for example {option} {example}"
            )
        try:
            values[key.strip()] = parse_toml(f"value = {text}")["value"]
        except ValueError:
            values[key.strip()] = text.strip()
    return values
