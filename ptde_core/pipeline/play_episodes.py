"""How a stage plays episodes with a policy out of a checkpoint: collect, evaluate, inspect, replays and DAgger."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from ptde_core.algorithms.from_checkpoint import Trained
from ptde_core.base.batch import Episode
from ptde_core.base.events import Listener, Note
from ptde_core.envs.backends import ENVIRONMENTS
from ptde_core.envs.interface import BatchedEnv
from ptde_core.pipeline.engine_mishaps import keeping_errors, tell_of_mishaps
from ptde_core.policies.policy import Exploration, Policy
from ptde_core.rollout.play import play
from ptde_core.storage.run_folder import RunFolder


def tell_of_preparation(trained: Trained, listen: Listener) -> None:
    """Tell what the policy's environment has to prepare before its first use on this machine, if anything."""
    if preparation := ENVIRONMENTS[trained.spec.backend].preparation():
        listen(Note(preparation))


@contextmanager
def environments_for(trained: Trained, run: RunFolder, n_envs: int) -> Iterator[BatchedEnv]:
    """Up to `n_envs` environments side by side for a policy of that run; closed afterwards.

    After an error nobody waits for them to close: engines end with the last reference to their environment.

    Raises:
        PtdeError: as `Trained.environment` and `keeping_errors`.
    """
    with keeping_errors(run):
        env = trained.environment(n_envs)
    yield env
    env.close()


def play_episodes(
    env: BatchedEnv, policy: Policy, seeds: NDArray[np.uint64], how: Exploration, run: RunFolder, listen: Listener
) -> Iterator[Episode]:
    """Play one episode per seed, in their order; see `rollout.play.play`.

    Args:
        env: of `environments_for`.
        policy: who plays.
        seeds: (K,) of the episodes.
        how: exploration and source of z.
        run: where an error in an environment's own code is kept.
        listen: is told of engines that broke.

    Raises:
        PtdeError: as `keeping_errors`.
    """
    with keeping_errors(run):
        for episode in play(env, policy, seeds, how):
            tell_of_mishaps(env, listen)
            yield episode
