"""Environments and trained policies for loops of one's own."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ptde_core.algorithms.training_settings import MOST_EPISODES
from ptde_core.api.places import Place, checkpoint_to_read
from ptde_core.base.errors import PtdeError, quoted, unknown
from ptde_core.base.setting_fields import check_number, word_of

if TYPE_CHECKING:  # at run time these would load NumPy and torch
    from ptde_core.envs.interface import BatchedEnv
    from ptde_core.rollout.loaded import LoadedPolicy


def make_env(name: Path | str = "3m", n_envs: int = 1, env: str = "skirmish") -> "BatchedEnv":
    """So many equal environments side by side; their arrays and methods: `BatchedEnv`.

    Args:
        name: a map of the environment, or a map file of your own.
        n_envs: E.
        env: skirmish, game, smac, smacv2, football or pettingzoo.

    Raises:
        PtdeError: no such environment or map, or less than one environment.
    """
    check_number("n_envs", n_envs, 1, MOST_EPISODES)
    if not isinstance(name, str | os.PathLike):
        raise PtdeError(f"name = {quoted(repr(name))} is no map", 'give its name, such as "3m", or a map file')
    from ptde_core.envs.backends import build_environment

    return build_environment(word_of(env), os.fspath(name), n_envs)


def load_policy(checkpoint: Place, z: Literal["mean", "sampled"] = "sampled") -> "LoadedPolicy":
    """The policy of a checkpoint, to act in a loop of your own.

    Args:
        checkpoint: a teacher's or a student's, or a run folder, which stands for its teacher.
        z: of a teacher: sampled, the paper's way, or its mean.

    Raises:
        PtdeError: no checkpoint of a policy there, one that this ptde cannot read, or another kind of z.
    """
    if z not in ("mean", "sampled"):
        raise unknown("kind of z", z, ("mean", "sampled"))
    from ptde_core.algorithms.from_checkpoint import restore
    from ptde_core.rollout.loaded import LoadedPolicy
    from ptde_core.storage.checkpoint import load_checkpoint

    trained = restore(load_checkpoint(checkpoint_to_read(checkpoint), "teacher", "student"))
    return LoadedPolicy(trained.policy, trained.spec, z)
