"""Gradient steps of distillation: the paper's two-layer student, and the recommended recipe's on each of its maps."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from benchmarks.figures import Figure, gemm_peak, seconds
from benchmarks.synthetic import learner_for
from ptde_core.base.threads import Threads, one_thread
from ptde_core.envs.backends import build_environment
from ptde_core.learning.adam import Adam
from ptde_core.learning.regression import TwoLayerRegression
from ptde_core.nets.student_network import StudentNetwork
from ptde_core.pipeline.student_dataset import Examples, Objective, batches_of
from ptde_core.policies.student import Student
from ptde_core.policies.teacher import Teacher
from ptde_core.runs.recipes import distill_settings
from ptde_core.runs.stage_settings import DistillSettings
from ptde_core.scores.published import benchmark_for

SECTION = "distillation"
RECIPE = "recurrent"  # the recommended one
EPISODES = 40


def measure(quick: bool) -> Iterator[Figure]:
    """Gradient steps per second: of the paper's student, and what they need at the least; of the recommended one."""
    settings = DistillSettings()
    for name, inputs in (("3s_vs_5z", 48 + 11 + 3), ("3s5z_vs_3s6z", 136 + 15 + 8)):
        x, y = torch.rand(settings.batch_rows, inputs), torch.rand(settings.batch_rows, 64)
        peak, step = gemm_peak(2 if quick else 7), _step(settings, x, y)
        with one_thread():  # beside those that share the rows
            took = seconds(step, 200 if quick else 2000)
        products = 2 * settings.batch_rows * (2 * inputs * 64 + 3 * 64 * 64)
        note = f"500,000 in {500_000 * took / 60:.1f} min; {products / took / peak:.0%} of the matrix product's rate"
        yield Figure(SECTION, f"{name}, {settings.batch_rows} rows", 1 / took, "gradient steps/s", note)
    paper = benchmark_for("skirmish")
    assert paper is not None
    for name in paper.win_rates:
        steps, step = distill_settings(RECIPE, name).steps, recommended_step(name)
        with one_thread():
            took = seconds(step, 20 if quick else 200)
        note = f"{steps:,} in {steps * took / 60:.1f} min"
        yield Figure(SECTION, f"{name}, recipe {RECIPE}", 1 / took, "gradient steps/s", note)


def _step(settings: DistillSettings, x: Tensor, y: Tensor) -> Callable[[], object]:
    """One gradient step of a fresh student on inputs x (R, L) and targets y (R, Z)."""
    parameters = list(StudentNetwork(x.shape[1], settings.hidden_size, y.shape[1]).parameters())
    optimiser = Adam(parameters, lr=settings.learning_rate)
    regression = TwoLayerRegression(parameters, settings.batch_rows, Threads())

    def step() -> None:
        regression.step(x, y)
        optimiser.step()

    return step


def recommended_step(map_name: str) -> Callable[[], object]:
    """One gradient step of a fresh student of the recommended recipe, on random episodes of up to its limit."""
    settings = distill_settings(RECIPE, map_name)
    spec = build_environment("skirmish", map_name, 1).spec
    teacher = learner_for(spec, "qmix", "agent-specific").teacher
    assert isinstance(teacher, Teacher)
    student = Student(teacher, settings)
    length = torch.from_numpy(np.linspace(spec.episode_limit // 2, spec.episode_limit, EPISODES).astype(np.int64))
    shape = int(length.sum()), spec.n_agents
    z = torch.rand(*shape, teacher.noise_size)
    available = torch.ones(*shape, spec.n_actions, dtype=torch.bool)
    examples = Examples(torch.rand(*shape, teacher.local_size), z, z, available, length)
    batches = batches_of(examples, Objective(student, settings.loss, "values"), settings, Threads())
    optimiser = Adam(list(student.network.parameters()), lr=settings.learning_rate)

    def step() -> None:
        batches.step(0)
        optimiser.step()

    return step
