"""The interface of trainers, which a sitting calls to play and to learn, and the trainer of one training."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ptde_core.algorithms.learner import Learner
from ptde_core.base.batch import Episode
from ptde_core.envs.interface import BatchedEnv
from ptde_core.policies.policy import Exploration
from ptde_core.rollout.play import play


class Round(NamedTuple):
    """A round of one run, before it is played."""

    seeds: NDArray[np.uint64]  # (E,) of its episodes
    exploration: Exploration


class Learned(NamedTuple):
    """What one run's learner did with a round."""

    log: Mapping[str, Tensor]  # scalars of its newest update, not yet read back; empty if there was none
    weights: Iterable[Tensor]  # all that gradients change, as they are now


class Trainer(Protocol):
    """Plays and learns for all unfinished runs of a sitting. Lists are in the order of these runs."""

    @property
    def env(self) -> BatchedEnv:
        """What the rounds are played in."""

    def play(self, rounds: Sequence[Round]) -> list[list[Episode]]:
        """Play a round of each run (Algorithm 1, line 4)."""

    def learn(self, played: Sequence[Sequence[Episode]]) -> list[Learned]:
        """Update from the rounds just played (lines 5 to 10)."""

    def settle(self) -> None:
        """Bring the runs' learners to where the training stands: before their policies are tested or saved."""

    def go_on_with(self, runs: Sequence[int]) -> None:
        """Go on with these of the runs alone, after `settle`; the others are over."""


class SingleTrainer:
    """One run, whose learner plays and learns itself.

    Args:
        learner: of the run.
        env: for a round.
    """

    def __init__(self, learner: Learner, env: BatchedEnv) -> None:
        self._learner, self.env = learner, env

    def play(self, rounds: Sequence[Round]) -> list[list[Episode]]:
        """Play the round; see `Trainer`."""
        (only,) = rounds
        return [list(play(self.env, self._learner.teacher, only.seeds, only.exploration))]

    def learn(self, played: Sequence[Sequence[Episode]]) -> list[Learned]:
        """Update from the round; see `Trainer`."""
        (only,) = played
        log = self._learner.learn(only)
        return [Learned(log, self._learner.learned())]

    def settle(self) -> None:
        """Nothing: the learner itself is what trains."""

    def go_on_with(self, runs: Sequence[int]) -> None:
        """Go on as it is: there is one run."""
        assert list(runs) == [0], "one run goes on, or it is over"
