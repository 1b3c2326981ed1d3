"""Code that a file names is imported only if the user says so: the name was typed in this call, or `--trust` was.

A checkpoint, a config.json or a settings file can come from anybody, and the map of some backends, and an algorithm of
one's own, is the name of Python code. Which names were typed is kept here, for the process: what trains, and what then
plays, are far from each other.
"""

import os
from collections.abc import Mapping

from ptde_core.base.errors import PtdeError

VARIABLE = "PTDE_TRUST"  # set to 1 it stands for --trust, for processes that are started by others

_typed: set[tuple[str, str]] = set()
_told = False


def trust_files(told: bool) -> None:
    """Whether the user of this command has said that its files may name code (`--trust`)."""
    global _told  # noqa: PLW0603  one answer for the process
    _told = told


def trust_code(option: str, name: str) -> None:
    """Take in that the caller, not a file, has named this code.

    Args:
        option: that it stands behind, such as "--alg".
        name: of the code.
    """
    _typed.add((option, name))


def check_code(option: str, name: str, environment: Mapping[str, str] = os.environ) -> None:
    """Refuse code that a file names and nobody has said that it may; the arguments are those of `trust_code`.

    Raises:
        PtdeError: with the name.
    """
    if not (_told or environment.get(VARIABLE) == "1" or (option, name) in _typed):
        raise PtdeError(
            f"a file names Python code to be run, {option} {name}",
            f"add --trust (or set {VARIABLE}=1) if you know where the file comes from",
        )
