"""Which of SMAC's constructor arguments skirmish plays, and what the seed of a process is."""

import multiprocessing
import os
from collections.abc import Mapping
from typing import Any

from ptde_core.base.errors import PtdeError
from ptde_core.base.seeding import seed_for

PER_PROCESS = "PTDE_SMAC_SEED_PER_PROCESS"

DIFFICULTIES = (*"123456789", "A")
"""SMAC's names of the strengths of StarCraft II's own player. On SMAC's maps none of them plays."""

PLAYED = (
    "step_mul",
    "move_amount",
    "obs_all_health",
    "obs_last_action",
    "obs_pathing_grid",
    "obs_terrain_height",
    "obs_instead_of_state",
    "obs_timestep_number",
    "state_last_action",
    "state_timestep_number",
    "reward_sparse",
    "reward_only_positive",
    "reward_death_value",
    "reward_win",
    "reward_defeat",
    "reward_scale",
    "reward_scale_rate",
)
"""The arguments that would change the game, its views or its rewards: played at SMAC's defaults only."""


def check_played(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """Refuse an argument of `PLAYED` that is not at its default.

    A number may also be written as text ("8"), and step_mul may be None: SMAC's maps then take 8.

    Raises:
        PtdeError: the argument, its value and the default.
    """
    for name in PLAYED:
        value, default = given[name], defaults[name]
        plain = value == default or (name == "step_mul" and value is None)
        if not plain and not (isinstance(value, str) and _number(value) == default and not isinstance(default, bool)):
            raise PtdeError(f"{name} = {value!r} is not played by skirmish", f"only SMAC's default {default!r}")


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def check_difficulty(value: str | int) -> str:
    """The difficulty by SMAC's name ("1" to "9" or "A").

    Raises:
        PtdeError: SMAC has no such difficulty.
    """
    if str(value) not in DIFFICULTIES:
        raise PtdeError(f"no difficulty {value!r}", "SMAC has '1' to '9' and 'A'; on its maps all play the same")
    return str(value)


def check_seed(value: Any) -> int:
    """The seed as a whole number from 0 on.

    Raises:
        PtdeError: it is none.
    """
    try:
        seed = int(value)
    except (TypeError, ValueError):
        seed = -1
    if seed < 0:
        raise PtdeError(f"seed = {value!r}", "give a whole number from 0 on, or None")
    return seed


def seeds_differ(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether PTDE_SMAC_SEED_PER_PROCESS is 1: each process of `multiprocessing` plays its own battles. Unset: 0.

    Raises:
        PtdeError: the variable is neither 0 nor 1.
    """
    text = environment.get(PER_PROCESS, "0")
    if text not in {"0", "1"}:
        raise PtdeError(f"{PER_PROCESS} = {text!r} is neither 0 nor 1", f"type for example: export {PER_PROCESS}=1")
    return text == "1"


def seed_of_process(seed: int) -> int:
    """The seed that `seed` stands for in this process; itself in the main one.

    The k-th process that a process makes through `multiprocessing` has the number k there, whatever its name, process
    id and start method, so equal commands give equal seeds. A process of a process has the numbers of both.
    """
    numbers = multiprocessing.current_process()._identity
    return seed_for(seed, "process", *numbers) if numbers else seed
