"""Compiling on a second core: a process that plays and learns a little, so that numba's cache holds the kernels.

The simulator's kernels take some 15 seconds to compile, those of play and of the learner as long again. Numba compiles
one function at a time in a process, so a first training starts this process beside itself, and finds the kernels in
the cache when it needs them. What is not there by then, or if the process fails, the training compiles itself.
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
from ptde_core.algorithms.catalogue import build_learner
from ptde_core.base.provenance import cores
from ptde_core.envs.interface import EnvSpec
from ptde_core.envs.small_games import Game
from ptde_core.policies.teachers import build_environment_of
from ptde_core.rollout.compiled_play import compile_for, taken_whole
from ptde_core.rollout.play import play
from ptde_core.runs.stage_settings import TrainingSettings, train_teacher_settings


@contextmanager
def compiling_aside(settings: TrainingSettings) -> Iterator[None]:
    """While this lasts, a process compiles the kernels of a training with these settings, if a core is free for it."""
    if cores() < 2 or not kernels.are_on():
        yield
        return
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", __name__, settings.model_dump_json()],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
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
    """One round and one update of this training, on a game of the same sizes in which nothing happens."""
    values = settings.model_dump()
    env = build_environment_of(values, 1)
    spec = env.spec
    learner = build_learner(settings.alg, spec, settings, settings.seed)
    if weights := taken_whole(env, learner.teacher, learner.exploration(0)):
        compile_for(env, weights, learner.exploration(0))
    env.close()
    seeds = np.arange(settings.n_envs, dtype=np.uint64)
    while not learner.learn(list(play(_Blank(spec, settings.n_envs), learner.teacher, seeds, learner.exploration(0)))):
        pass


class _Blank(Game):
    """So many steps of nothing that each kernel is used, also those for large batches only."""

    def __init__(self, spec: EnvSpec, n_envs: int) -> None:
        self.spec = spec
        super().__init__(n_envs)

    def begin(self, row: int, memory: dict[str, Any], chance: np.random.Generator) -> None:
        """Zeros, as they are."""

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
