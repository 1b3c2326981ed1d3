"""Where two episodes with the same start begin to differ."""

from dataclasses import dataclass

import numpy as np

from ptde_core.base.errors import PtdeError
from ptde_core.storage.replay_file import Replay, ReplayEpisode


@dataclass(frozen=True)
class Parting:
    """The first difference of two episodes; steps count from 0.

    Args:
        step: the first step in which an agent acts differently, or only one of the episodes goes on; None: they are
            equal to the end.
        agents: those that act differently in it.
    """

    step: int | None
    agents: tuple[int, ...] = ()


def parting_of(one: ReplayEpisode, other: ReplayEpisode) -> Parting:
    """The first difference. Equal actions from an equal start lead to equal states, so only actions are compared."""
    both = min(one.length, other.length)
    differs = one.actions[:both] != other.actions[:both]  # (T, N)
    steps = np.flatnonzero(differs.any(axis=-1))
    if len(steps):
        return Parting(int(steps[0]), tuple(np.flatnonzero(differs[steps[0]]).tolist()))
    return Parting(None if one.length == other.length else both)


def check_same_start(one: Replay, first: ReplayEpisode, other: Replay, second: ReplayEpisode) -> None:
    """Refuse to compare episodes with different starts.

    Raises:
        PtdeError: another map, other rules, or another seed.
    """
    places = [(header.backend, header.backend_version, header.map) for header in (one.header, other.header)]
    if places[0] != places[1]:
        was, now = (f"{name} {version}, {map_name}" for name, version, map_name in places)
        raise PtdeError(f"these do not begin alike: {was} and {now}", "give replays of one map")
    if first.actions.shape[1] != second.actions.shape[1] or one.header.looks != other.header.looks:
        raise PtdeError("these do not begin alike: other agents, or other units", "give replays of one map")
    if first.seed != second.seed:
        raise PtdeError(
            f"these do not begin alike: seeds {first.seed} and {second.seed}", "give replays of one evaluation seed"
        )
