"""How patient the workers are with an engine. It is a matter of this machine, so it stands in no run's settings."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from ptde_core.base.errors import PtdeError

VARIABLE = "PTDE_ENGINE_SECONDS"
DEFAULT_SECONDS = 60.0
STARTS_LONGER = 5.0  # times a step's limit: StarCraft II loads for a minute where cores are short


@dataclass(frozen=True)
class Limits:
    """When an engine counts as hung, and when the workers give up.

    Args:
        step_seconds: wall time that one step may take.
        start_seconds: wall time that starting a process, or an episode, may take.
        breakdowns: how often an engine may break before an episode of its row comes to an end.
    """

    step_seconds: float = DEFAULT_SECONDS
    start_seconds: float = DEFAULT_SECONDS * STARTS_LONGER
    breakdowns: int = 5


def limits_of_machine(environment: Mapping[str, str] = os.environ) -> Limits:
    """The limits; the environment variable PTDE_ENGINE_SECONDS sets that of a step, and with it that of a start.

    Raises:
        PtdeError: the variable is no number above 0.
    """
    text = environment.get(VARIABLE, str(DEFAULT_SECONDS))
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.0 < seconds < float("inf"):
        raise PtdeError(f"{VARIABLE} = {text!r} is no number of seconds", f"type for example: export {VARIABLE}=60")
    return Limits(seconds, seconds * STARTS_LONGER)
