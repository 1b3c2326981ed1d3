"""Callbacks of a training: functions of the user's that are called while a teacher trains, and the records they get.

A record holds numbers alone, so that a callback cannot change the training. An error in one ends the training and is
shown as the user's own; what was saved before lies in the run folder.
"""

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ptde_core.base.errors import PtdeError, UserCodeError, quoted


@dataclass(frozen=True)
class Played:
    """A round of episodes has been played.

    Args:
        seed: of the training.
        env_steps: played so far, this round among them.
        episodes: played so far, this round among them.
        won: episodes of this round that were won; 0 where nothing can be won.
        returns: the reward of each episode of this round, summed over its steps.
        lengths: env steps of each episode of this round.
    """

    seed: int
    env_steps: int
    episodes: int
    won: int
    returns: tuple[float, ...]
    lengths: tuple[int, ...]


@dataclass(frozen=True)
class Updated:
    """The learner has taken its gradient steps after a round; rounds without any are left out.

    Args:
        seed: of the training.
        env_steps: played so far.
        updates: gradient steps taken so far.
        metrics: what the last of them logged (docs/reference/metrics.md): name -> number.
    """

    seed: int
    env_steps: int
    updates: int
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Tested:
    """The greedy test episodes have been played.

    Args:
        seed: of the training.
        env_steps: played so far; those of tests do not count.
        updates: gradient steps taken so far.
        metrics: the line that metrics.jsonl has of it: name -> number.
    """

    seed: int
    env_steps: int
    updates: int
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Callbacks:
    """What is called, if anything, after a round, after its updates, and after a test.

    Raises:
        PtdeError: something that cannot be called.
    """

    on_round: Callable[[Played], object] | None = None
    on_update: Callable[[Updated], object] | None = None
    on_test: Callable[[Tested], object] | None = None

    def __post_init__(self) -> None:
        for name, function in vars(self).items():
            if function is not None and not callable(function):
                raise PtdeError(f"{name} = {quoted(repr(function))} is no function", "give one that takes the record")


NONE = Callbacks()


def call(name: str, function: Callable[[Any], object], record: object) -> None:
    """Call a user's function.

    Raises:
        UserCodeError: it raised something.
    """
    try:
        function(record)
    except Exception as error:
        problem = f"{name} raised {type(error).__name__}: {quoted(error)}"
        raise UserCodeError(problem, "mend it, then go on with resume=True", traceback.format_exc()) from error
