"""Compiling kernels in a second process while a training starts.

The simulator's kernels take some 15 seconds to compile, those of play and of the learner as long again, and numba
compiles one function at a time in a process. So a training that finds a free core starts a process that plays one
round and makes one update, which puts the kernels into numba's cache. What is not in the cache when it is needed, or
if that process fails, the training compiles itself.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptde_core import kernels
from ptde_core.algorithms.building import build_environment_of, build_learner
from ptde_core.algorithms.training_settings import TrainingSettings
from ptde_core.base.provenance import cores
from ptde_core.base.trusted_code import VARIABLE
from ptde_core.envs.interface import EnvSpec
from ptde_core.envs.small_games import Game
from ptde_core.rollout.compiled_play import compile_for, compiled_weights
from ptde_core.rollout.play import play
from ptde_core.runs.stage_settings import train_teacher_settings


@contextmanager
def compiling_aside(settings: TrainingSettings) -> Iterator[None]:
    """Inside the `with`, a second process compiles the kernels of this training, if there is a second core."""
    if cores() < 2 or not kernels.are_on():
        yield
        return
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", __name__, settings.model_dump_json()],
        env=os.environ | {"OMP_NUM_THREADS": "1", VARIABLE: "1"},  # what these settings name was trusted here
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def exercise(settings: TrainingSettings) -> None:
    """Play and learn until one update is made, on a game of the same sizes in which nothing happens."""
    env = build_environment_of(settings, 1)
    spec = env.spec
    learner = build_learner(settings, spec, settings.seed)
    if weights := compiled_weights(env, learner.teacher, learner.exploration(0)):
        compile_for(env, weights, learner.exploration(0))
    env.close()
    seeds = np.arange(settings.n_envs, dtype=np.uint64)
    while not learner.learn(list(play(_Blank(spec, settings.n_envs), learner.teacher, seeds, learner.exploration(0)))):
        pass


class _Blank(Game):
    """A game whose numbers are all zero; an episode is long enough that kernels for large batches are used too."""

    def __init__(self, spec: EnvSpec, n_envs: int) -> None:
        self.spec = spec
        super().__init__(n_envs)

    def begin(self, row: int, memory: dict[str, Any], chance: np.random.Generator) -> None:
        """All zeros."""

    def advance(
        self,
        row: int,  # noqa: ARG002
        step: int,
        actions: NDArray[np.integer[Any]],  # noqa: ARG002
        memory: dict[str, Any],  # noqa: ARG002
    ) -> tuple[float, bool, bool]:
        """Nothing changes."""
        return 0.0, step == kernels.BLOCK, False


if __name__ == "__main__":
    exercise(train_teacher_settings(json.loads(sys.argv[1])))
