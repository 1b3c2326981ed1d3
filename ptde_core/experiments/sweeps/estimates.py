"""How long a cell takes and how much memory: from runs that are there, else from speeds.toml; None: nobody knows."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ptde_core.algorithms.building import build_environment_of
from ptde_core.algorithms.table_names import teacher_name
from ptde_core.algorithms.training_settings import TrainingSettings
from ptde_core.base.errors import PtdeError
from ptde_core.envs.backends import ENVIRONMENTS
from ptde_core.envs.interface import EnvSpec
from ptde_core.experiments.sweeps.cells import Cell, CellState
from ptde_core.pipeline.memory_needed import memory_needed
from ptde_core.storage.curve_file import metrics_of

SPEEDS = Path(__file__).with_name("speeds.toml")
SLOWEST, FASTEST = 1e-3, 1e9  # env steps per second that a log may tell; others say nothing of how long a cell takes
Kind = tuple[str, str, str, str]  # environment, map, algorithm, information


@dataclass(frozen=True)
class Estimate:
    """What a cell takes: seconds of one core for its training and for all that follows, megabytes at most."""

    training: float | None
    later: float | None
    megabytes: float | None


class Estimates:
    """Estimates of a sweep's cells, which get better as cells of the same kind are measured.

    Args:
        cells: of the sweep. Their environments are built once each, where that starts no game.

    Raises:
        PtdeError: there is no such environment or map.
    """

    def __init__(self, cells: Iterable[Cell]) -> None:
        self._specs: dict[tuple[str, str, str], EnvSpec | None] = {}
        self._measured: dict[Kind, float] = {}
        self._needed: dict[str, float] = {}  # megabytes, by all settings of a training but its seed
        for cell in cells:
            self._spec(cell.pipeline.training)

    def measure(self, cell: Cell) -> None:
        """Take in the speed that a cell's training has logged."""
        run = cell.run
        try:
            rows = metrics_of(run)
        except PtdeError:
            return
        speed = rows[-1].get("env_steps_per_s", 0.0) if rows and rows[-1].get("updates") else 0.0
        if SLOWEST <= speed <= FASTEST:  # a log of somebody else may say anything, also that it is not a number
            self._measured[_kind(cell.pipeline.training)] = speed

    def of(self, cell: Cell) -> Estimate:
        """What the whole cell takes."""
        training = cell.pipeline.training
        spec = self._spec(training)
        speed = self._speed(training, spec)
        return Estimate(
            training=None if speed is None else training.steps / speed,
            later=None if spec is None else _later(cell, spec),
            megabytes=None if spec is None else self._megabytes(training, spec),
        )

    def left(self, cell: Cell, state: CellState) -> float | None:
        """Seconds of one core that are left of a cell; None where nobody knows."""
        if state.state in {"done", "failed"}:
            return 0.0
        estimate, steps = self.of(cell), cell.pipeline.training.steps
        if state.doing != "training":
            return estimate.later
        if estimate.training is None:
            return None
        return estimate.training * (1 - state.env_steps / steps) + (estimate.later or 0.0)

    def _speed(self, training: TrainingSettings, spec: EnvSpec | None) -> float | None:
        """Env steps per second of a training."""
        if (measured := self._measured.get(_kind(training))) is not None:
            return measured
        name = teacher_name(training.alg, training.global_info)
        known = speeds()["training"].get(name)
        if known is None or spec is None or training.env != "skirmish":
            return None
        return float(1e6 / (known * spec.n_agents))

    def _megabytes(self, training: TrainingSettings, spec: EnvSpec) -> float:
        which = training.model_copy(update={"seed": 0}).model_dump_json()
        if which not in self._needed:
            self._needed[which] = float(speeds()["megabytes"] + memory_needed(training, spec).whole / 1e6)
        return self._needed[which]

    def _spec(self, training: TrainingSettings) -> EnvSpec | None:
        key = (training.env, training.map, training.alg)
        if key not in self._specs:
            # Of an unknown environment the error is the one that a training would give.
            engines = training.env in ENVIRONMENTS and ENVIRONMENTS[training.env].engines
            self._specs[key] = None if engines else _built(training)
        return self._specs[key]


@cache
def speeds() -> dict[str, Any]:
    """What speeds.toml says."""
    return tomllib.loads(SPEEDS.read_text(encoding="utf-8"))


def _built(training: TrainingSettings) -> EnvSpec:
    env = build_environment_of(training, 1)
    env.close()
    return env.spec


def _later(cell: Cell, spec: EnvSpec) -> float:
    """Seconds for students and evaluation."""
    known, stages = speeds(), cell.pipeline
    fits = sum(one.steps / known["fit"][one.student] for one in stages.distilling) if cell.makes_students else 0.0
    policies = 1 + (1 + len(stages.distilling) if cell.makes_students else 0)
    rounds = sum(one.dagger_rounds * one.dagger_episodes for one in stages.distilling) if cell.makes_students else 0
    episodes = (
        policies * stages.evaluating.episodes + (stages.collecting.episodes if cell.makes_students else 0) + rounds
    )
    steps = 0.5 * spec.episode_limit * spec.n_agents * episodes  # episodes seldom last to their limit
    return float(fits + steps / known["play"]["agent_steps_per_s"])


def _kind(training: TrainingSettings) -> Kind:
    return training.env, training.map, training.alg, training.global_info
