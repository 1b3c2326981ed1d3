"""Trainings that differ by the seed alone, stacked: their networks play and learn as one, on any device."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import torch

from ptde_core.algorithms.building import build_environment_of
from ptde_core.algorithms.learner import Learner
from ptde_core.algorithms.stacked_learner import StackedLearner
from ptde_core.algorithms.training_settings import TrainingSettings
from ptde_core.algorithms.value_decomposition import ValueDecompositionLearner
from ptde_core.base.batch import Episode
from ptde_core.base.errors import PtdeError
from ptde_core.envs.interface import BatchedEnv
from ptde_core.pipeline.single_trainer import Learned, Round
from ptde_core.rollout.play import play


class StackedTrainer:
    """See `single_trainer.Trainer`.

    Args:
        settings: of one of the runs; the others' differ by the seed alone.
        learners: of the runs, each a `ValueDecompositionLearner`; they lag behind until `settle`.
        env: for a round of all, E rows for each.
        device: where networks and replay memories are.
        closing: closes the environments that are built here.
    """

    def __init__(
        self,
        settings: TrainingSettings,
        learners: Sequence[Learner],
        env: BatchedEnv,
        device: torch.device,
        closing: ExitStack,
    ) -> None:
        self._settings, self.env, self._closing = settings, env, closing
        of_values = [one for one in learners if isinstance(one, ValueDecompositionLearner)]
        assert len(of_values) == len(learners), "the record says stackable"
        self._stack = StackedLearner(of_values, device)

    def play(self, rounds: Sequence[Round]) -> list[list[Episode]]:
        """Play all rounds at once."""
        count = self._settings.n_envs
        seeds = np.concatenate([one.seeds for one in rounds])  # (K*E,)
        epsilon = np.repeat([one.exploration.epsilon for one in rounds], count)  # (K*E,)
        how = replace(rounds[0].exploration, epsilon=tuple(epsilon.tolist()))
        episodes = list(play(self.env, self._stack.policy, seeds, how))
        return [episodes[k * count : (k + 1) * count] for k in range(len(rounds))]

    def learn(self, played: Sequence[Sequence[Episode]]) -> list[Learned]:
        """Update all at once."""
        logs = self._stack.learn(played)
        return [Learned(log, self._stack.learned(k)) for k, log in enumerate(logs)]

    def settle(self) -> None:
        """Bring the learners' networks, averages, optimisers and counters to where the stack stands."""
        self._stack.write_back()

    def go_on_with(self, runs: Sequence[int]) -> None:
        """Stack these anew, in an environment with a round of them.

        Raises:
            PtdeError: the world has changed since.
        """
        self._stack = self._stack.only(runs)
        self.env.close()
        world = self.env.spec.world
        self.env = build_environment_of(self._settings, self._settings.n_envs * len(runs))
        self._closing.callback(self.env.close)
        if other := world.changed(self.env.spec.world):
            raise PtdeError(f"the world changed while it was trained in: it was {other}", "put that back")
