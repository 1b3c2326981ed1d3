"""Environments whose maps are names of code, which a file does not get to choose (`base/trusted_code.py`)."""

import os
from collections.abc import Mapping

from ptde_core.base.trusted_code import check_code, trust_code


def trust_names(*names: tuple[str, str]) -> None:
    """Take in that the caller, not a file, has named these environments: (backend, map) of each."""
    for backend, map_name in names:
        trust_code(f"--env {backend} --map", map_name)


def check_trusted(backend: str, map_name: str, environment: Mapping[str, str] = os.environ) -> None:
    """Refuse an environment that a file names, where that name is one of code and nobody has said that it may.

    Raises:
        PtdeError: with the name.
    """
    from ptde_core.envs.backends import ENVIRONMENTS  # numpy loads here

    if backend in ENVIRONMENTS and ENVIRONMENTS[backend].names_code:
        check_code(f"--env {backend} --map", map_name, environment)
