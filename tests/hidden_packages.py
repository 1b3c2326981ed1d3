"""Tests of what is not installed, on machines where it is: StarCraft II's packages are hidden from one test."""

import importlib.util
from collections.abc import Sequence
from typing import Any

import pytest

STARCRAFT = ("smac", "smacv2", "pysc2", "s2clientprotocol")


def hide_packages(monkeypatch: pytest.MonkeyPatch, names: Sequence[str] = STARCRAFT) -> None:
    """Have nobody find these packages, wherever they lie."""
    find = importlib.util.find_spec

    def find_others(name: str, package: str | None = None) -> Any:
        return None if name.partition(".")[0] in names else find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find_others)
