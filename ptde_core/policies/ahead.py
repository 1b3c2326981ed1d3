"""Playing one round ahead: a thread plays the next round while the learner updates from this one.

The thread plays with a copy of the networks as they were before that update. So the lag is one update whatever the
threads' speed, and what is played stays a function of the seed.
"""

import copy
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ptde_core.base.batch import Episode
from ptde_core.envs.interface import BatchedEnv
from ptde_core.policies.acting import Exploration
from ptde_core.policies.catalogue import AnyTeacher
from ptde_core.policies.play import play


class PlayedAhead:
    """Rounds of episodes, one of them in the making.

    Args:
        env: nobody else may touch it while a round is in the making; see `wait`.
        policy: whose weights are copied when a round begins.
    """

    def __init__(self, env: BatchedEnv, policy: AnyTeacher) -> None:
        self._env, self._policy = env, policy
        self._player = copy.deepcopy(policy).requires_grad_(False)
        self._thread = ThreadPoolExecutor(1, "ptde-play", initializer=torch.set_num_threads, initargs=(1,))
        self._round: Future[list[Episode]] | None = None

    def __enter__(self) -> "PlayedAhead":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown()

    def begin(self, seeds: NDArray[np.uint64], how: Exploration) -> None:
        """Begin a round with the weights of now; see `play`."""
        self.copy_weights()
        self._round = self._submit(seeds, how)

    def copy_weights(self) -> None:
        """Take the weights of now for the next round; no round may be in the making."""
        self._player.load_state_dict(self._policy.state_dict())

    def take(self, seeds: NDArray[np.uint64], how: Exploration) -> list[Episode]:
        """The round that was begun with these arguments. The first one, begun by nobody, is played now."""
        episodes = (self._round or self._submit(seeds, how)).result()
        self._round = None
        return episodes

    def wait(self) -> None:
        """Until no round is in the making."""
        if self._round:
            self._round.result()

    def state(self) -> dict[str, Tensor]:
        """The weights that play the round in the making."""
        return self._player.state_dict()

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Play the first round with the weights of a saved `state`."""
        self._player.load_state_dict(state)

    def _submit(self, seeds: NDArray[np.uint64], how: Exploration) -> Future[list[Episode]]:
        return self._thread.submit(lambda: list(play(self._env, self._player, seeds, how)))
