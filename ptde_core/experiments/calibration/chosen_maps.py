"""On which maps something is compared: those with figures of the real game, or those of them that are asked for."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from ptde_core.base.errors import unknown
from ptde_core.envs.skirmish.map_files import load_map

Key = TypeVar("Key")


def maps_of(known: Mapping[Key, Sequence[str]], asked: Sequence[str]) -> dict[Key, list[str]]:
    """Of each kind's known maps, those that are asked for; all if none is.

    Raises:
        PtdeError: no such map, or one that is known to none; the nearest is offered.
    """
    every = dict.fromkeys(name for names in known.values() for name in names)
    for name in asked:
        if load_map(name) and name not in every:
            raise unknown("map with figures of the real game", name, every)
    return {key: [name for name in names if not asked or name in asked] for key, names in known.items()}


def maps_among(known: Sequence[str], asked: Sequence[str]) -> list[str]:
    """`maps_of` a single kind."""
    return maps_of({"": known}, asked)[""]
