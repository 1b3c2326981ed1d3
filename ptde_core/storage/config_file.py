"""config.json: the complete effective settings of a training, and what it was made from (its world among that)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptde_core.base.errors import PtdeError
from ptde_core.base.made_from import KEY, MadeFrom, read_made_from
from ptde_core.storage.run_folder import read_json, write_json


@dataclass(frozen=True)
class Config:
    """The whole file: the settings by name, and what the training was made from."""

    settings: Mapping[str, Any]
    made_from: MadeFrom


def write_config(path: Path, settings: Mapping[str, Any], made_from: MadeFrom) -> None:
    """Write it in one step."""
    write_json(path, {**settings, KEY: made_from.plain()})


def read_config(path: Path) -> Config:
    """Read and check the file.

    Raises:
        PtdeError: missing or broken; it does not say what it was made from, or its settings are not those that it was
            made from.
    """
    again = "it was cut or edited; put back a copy of it, or train in another folder"
    value = read_json(path, "file of a run's settings", again)
    if not isinstance(value, dict):
        raise PtdeError(f"{path} is not a readable file of a run's settings", again)
    made = read_made_from(value.pop(KEY, None), path)
    if edited := next((key for key, held in made.settings.items() if value.get(key) != held), ""):
        was, now = made.settings[edited], value.get(edited, "not set")
        raise PtdeError(f"{path} says {edited} = {now!r}, and was made with {was!r}", "was it edited? put it back")
    return Config(value, made)
