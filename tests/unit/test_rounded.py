"""Learning in bfloat16: products of rounded operands, whole updates near those in float32, and where it is refused."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ptde_core.algorithms.catalogue import build_learner
from ptde_core.algorithms.naming import teacher_marks
from ptde_core.base import kernels
from ptde_core.base.errors import PtdeError
from ptde_core.base.seeding import episode_seeds
from ptde_core.nets.global_information import AgentHyper
from ptde_core.nets.layers import Linear
from ptde_core.nets.recurrence import gru_over_sequences
from ptde_core.policies.catalogue import build_environment_of
from ptde_core.policies.play import play
from ptde_core.stages.settings import train_teacher_settings
from ptde_core.stages.train_teacher import train_teacher
from ptde_core.storage.run_folder import RunFolder
from tests.conftest import NEEDS_BFLOAT16, game_settings


def rounded(x: Tensor) -> Tensor:
    return x.bfloat16().double()


@NEEDS_BFLOAT16
@settings(max_examples=40, deadline=None)
@given(rows=st.integers(16, 300), inputs=st.integers(1, 300), outputs=st.integers(16, 70))
def test_a_layer_multiplies_rounded_operands(rows: int, inputs: int, outputs: int) -> None:
    torch.manual_seed(rows)
    layer = Linear(inputs, outputs)
    x, upstream = torch.randn(rows, inputs, requires_grad=True), torch.randn(rows, outputs)
    with kernels.multiplying("bfloat16"):
        y = layer(x)
    grad_x, grad_weight, grad_bias = torch.autograd.grad(y, [x, layer.weight, layer.bias], upstream)
    weight = layer.weight.detach()
    for start in range(0, rows, kernels.BLOCK):
        own = slice(start, start + kernels.BLOCK)
        taken = operand(len(x[own]), outputs)
        close(y[own], taken(x[own]) @ taken(weight).T + layer.bias.double())
        taken = operand(len(x[own]), inputs)
        close(grad_x[own], taken(upstream[own]) @ taken(weight))
    taken = operand(inputs, outputs)
    close(grad_weight, taken(upstream).T @ taken(x))
    close(grad_bias, upstream.double().sum(dim=0))


def operand(rows: int, columns: int) -> Callable[[Tensor], Tensor]:
    """What becomes of the operands of a product with so many rows and columns: of few, they stay float32."""
    return rounded if min(rows, columns) >= 16 else Tensor.double


def close(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours.double(), theirs, rtol=1e-4, atol=1e-4)


@NEEDS_BFLOAT16
def test_recurrence_and_contraction_stay_near_float32() -> None:
    torch.manual_seed(0)
    memory, x, lengths = nn.GRU(20, 64), torch.randn(150, 3, 20, requires_grad=True), torch.tensor([9, 21] * 5)
    hyper, local, state = AgentHyper(6, 27, 32, 30, one_hot=(0, 9)), torch.randn(150, 3, 6), torch.randn(150, 27)
    networks = (
        (lambda: gru_over_sequences(memory, x, lengths), [x, *memory.parameters()]),
        (lambda: hyper(local, state), list(hyper.parameters())),
    )
    for made, wanted in networks:
        found: dict[str, list[Tensor]] = {}
        for precision in ("float32", "bfloat16"):
            with kernels.multiplying(precision):  # type: ignore[arg-type]  # one of its names
                y = made()
            found[precision] = [y, *torch.autograd.grad(y.square().mean(), wanted)]
        for exact, ours in zip(*found.values(), strict=True):
            error = (ours - exact).norm() / exact.norm()
            assert 0 < error < 0.02


def test_precision_is_a_threads_own_and_ends() -> None:
    def rounded_now() -> list[bool]:
        return [room is not None for room in (kernels.pairs(), kernels.gradient_pairs())]

    with kernels.multiplying("bfloat16"):
        assert rounded_now() == [True, True]
        with kernels.multiplying("bfloat16-gradients"):
            assert rounded_now() == [False, True]
        assert rounded_now() == [True, True]
        with ThreadPoolExecutor(1) as other:
            assert other.submit(rounded_now).result() == [False, False]
    assert rounded_now() == [False, False]


@NEEDS_BFLOAT16
@pytest.mark.parametrize(
    ("alg", "info", "loss"),
    [
        ("qmix", "agent-specific", "td_loss"),
        ("qplex", "unified", "td_loss"),
        ("vdn", "none", "td_loss"),
        ("csrl", "commander", "td_loss"),
        ("copa", "coach", "td_loss"),
        ("ctds", "none", "student_value_loss"),
        ("mappo", "agent-specific", "value_loss"),
    ],
)
def test_every_algorithm_learns_in_bfloat16_nearly_as_in_float32(alg: str, info: str, loss: str) -> None:
    logs, episodes = {}, []
    for precision in ("float32", "bfloat16-gradients", "bfloat16"):
        chosen = train_teacher_settings(
            {"alg": alg, "env": "game", "map": "personal-signal", "global_info": info, "precision": precision}
        )
        env = build_environment_of(chosen.model_dump(), 20)
        learner: Any = build_learner(chosen.alg, env.spec, chosen, seed=1)
        episodes = episodes or list(play(env, learner.teacher, episode_seeds(1, "t", 0, 20), learner.exploration(0)))
        logs[precision] = learner.update(episodes)
    exact, of_gradients, ours = (float(log[loss]) for log in logs.values())
    assert ours != exact
    assert ours == pytest.approx(exact, rel=0.02)
    if alg != "mappo":  # which reports the last of several gradient steps
        assert of_gradients == exact
    norm = "student_gradient_norm" if alg == "ctds" else "gradient_norm"
    exact, of_gradients, ours = (float(log[norm]) for log in logs.values())
    assert of_gradients != exact
    assert of_gradients == pytest.approx(exact, rel=0.05)


def test_a_cpu_without_it_is_told_before_a_folder_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "CAN_ROUND", False)
    with pytest.raises(PtdeError, match="this CPU has no AVX512-BF16"):
        train_teacher(game_settings(precision="bfloat16"), RunFolder(tmp_path / "run"))
    assert not list(tmp_path.iterdir())


def test_tables_mark_it() -> None:
    assert teacher_marks({"precision": "bfloat16-gradients"}, 64) == ["bfloat16-gradients"]
    assert teacher_marks({"precision": "float32"}, 64) == []
