"""Gradient steps of distillation: batches of 2048 rows on the two-layer student, as the paper's 500,000."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from benchmarks.figures import Figure, gemm_peak, seconds
from ptde_core.base.threads import Threads, one_thread
from ptde_core.learning.adam import Adam
from ptde_core.learning.regression import TwoLayerRegression
from ptde_core.nets.student_network import StudentNetwork
from ptde_core.runs.stage_settings import DistillSettings

SECTION = "distillation"


def measure(quick: bool) -> Iterator[Figure]:
    """Gradient steps per second and what they need at the least."""
    settings = DistillSettings()
    for name, inputs in (("3s_vs_5z", 48 + 11 + 3), ("3s5z_vs_3s6z", 136 + 15 + 8)):
        x, y = torch.rand(settings.batch_rows, inputs), torch.rand(settings.batch_rows, 64)
        peak, step = gemm_peak(2 if quick else 7), _step(settings, x, y)
        with one_thread():  # beside those that share the rows
            took = seconds(step, 200 if quick else 2000)
        products = 2 * settings.batch_rows * (2 * inputs * 64 + 3 * 64 * 64)
        note = f"500,000 in {500_000 * took / 60:.1f} min; {products / took / peak:.0%} of the matrix product's rate"
        yield Figure(SECTION, f"{name}, {settings.batch_rows} rows", 1 / took, "gradient steps/s", note)


def _step(settings: DistillSettings, x: Tensor, y: Tensor) -> Callable[[], object]:
    """One gradient step of a fresh student on inputs x (R, L) and targets y (R, Z)."""
    parameters = list(StudentNetwork(x.shape[1], settings.hidden_size, y.shape[1]).parameters())
    optimiser = Adam(parameters, lr=settings.learning_rate)
    regression = TwoLayerRegression(parameters, settings.batch_rows, Threads())

    def step() -> None:
        regression.step(x, y)
        optimiser.step()

    return step
