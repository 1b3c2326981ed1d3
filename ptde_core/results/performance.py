"""How well a policy plays: its win rate, or where nothing can be won, its mean return."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ptde_core.scores.intervals import Interval, win_rate_interval
from ptde_core.scores.returns import mean_interval
from ptde_core.scores.tally import Tally
from ptde_core.storage.evaluation_file import EvaluationEntry

Measure = Literal["win rate", "return"]


@dataclass(frozen=True)
class Performance:
    """The result of a policy over a number of episodes.

    Args:
        tally: None where nothing can be won.
        value: the win rate, or the mean return.
        interval: its 95 % interval over episodes, Wilson's or Student's t; None for the return of a single episode.
    """

    tally: Tally | None
    value: float
    interval: Interval | None


def measure_of(entries: Iterable[EvaluationEntry]) -> Measure:
    """The measure in which these entries are compared: win rate, unless in one of them nothing can be won."""
    return "win rate" if all(entry.can_be_won for entry in entries) else "return"


def performance_of(entries: Sequence[EvaluationEntry], measure: Measure) -> Performance:
    """The performance over all their episodes together."""
    if measure == "return":
        returns = np.concatenate([returns_of(entry) for entry in entries])
        return Performance(None, float(returns.mean()), mean_interval(returns))
    tally = Tally.of(won for entry in entries for won in entry.episodes.won)
    return Performance(tally, tally.rate, win_rate_interval(tally))


def returns_of(entry: EvaluationEntry) -> NDArray[np.float64]:
    """The returns (K,) of its episodes."""
    return np.array(entry.episodes.total_reward, np.float64)
