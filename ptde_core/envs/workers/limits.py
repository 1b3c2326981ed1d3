"""Limits on the time and memory of an engine. They belong to the machine, so they are in no run's settings."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from ptde_core.base.errors import PtdeError

SECONDS = "PTDE_ENGINE_SECONDS"
GIGABYTES = "PTDE_ENGINE_GIGABYTES"
DEFAULT_SECONDS = 60.0
DEFAULT_GIGABYTES = 4.0
STARTS_LONGER = 5.0  # times a step's limit: StarCraft II loads for a minute where cores are short


@dataclass(frozen=True)
class Limits:
    """When an engine counts as hung or as too large, and when a pool gives up.

    Args:
        step_seconds: wall time that one step may take.
        start_seconds: wall time that starting a process, or an episode, may take.
        gigabytes: resident memory of an engine, with all that it started, beyond which it is replaced before its next
            episode.
        breakdowns: how often an engine may break before an episode of its row comes to an end.
    """

    step_seconds: float = DEFAULT_SECONDS
    start_seconds: float = DEFAULT_SECONDS * STARTS_LONGER
    gigabytes: float = DEFAULT_GIGABYTES
    breakdowns: int = 5


def limits_of_machine(environment: Mapping[str, str] = os.environ) -> Limits:
    """The limits; PTDE_ENGINE_SECONDS sets that of a step, and with it that of a start, PTDE_ENGINE_GIGABYTES memory's.

    Raises:
        PtdeError: a variable is no number above 0.
    """
    seconds = _number(environment, SECONDS, DEFAULT_SECONDS, "seconds")
    gigabytes = _number(environment, GIGABYTES, DEFAULT_GIGABYTES, "gigabytes")
    return Limits(seconds, seconds * STARTS_LONGER, gigabytes)


def _number(environment: Mapping[str, str], name: str, default: float, unit: str) -> float:
    text = environment.get(name, str(default))
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0.0 < number < float("inf"):
        raise PtdeError(f"{name} = {text!r} is no number of {unit}", f"type for example: export {name}={default:g}")
    return number
