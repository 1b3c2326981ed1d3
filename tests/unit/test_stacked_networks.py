"""Stacked networks give what the networks give one by one, forward and backward, on the same rows."""

import pytest
import torch

from benchmarks.synthetic import SPEC
from ptde_core.nets.gru import time_major
from ptde_core.nets.mixers import DuplexMixer, MonotonicMixer
from ptde_core.nets.network_settings import NetworkSettings
from ptde_core.nets.stacked_networks import stacked
from ptde_core.policies.teacher import Teacher

LENGTHS = torch.tensor([5, 9, 2, 9])
N, R = SPEC.n_agents, int(LENGTHS.sum())


@pytest.mark.parametrize(
    "changes", [{"global_info": "none"}, {"global_info": "unified"}, {}, {"info_rank": 3}], ids=str
)
def test_teachers_of_two_seeds(changes: dict[str, object]) -> None:
    torch.manual_seed(0)
    settings = NetworkSettings.model_validate({"hidden_size": 16, "info_size": 8} | changes)
    teachers = [Teacher(SPEC, settings) for _ in range(2)]
    local, state = torch.randn(2, R, N, teachers[0].local_size), torch.randn(2, R, SPEC.state_size)
    noise = torch.randn(2, R, N, 8) if settings.global_info != "none" else None
    together = stacked(teachers)
    order, rows = time_major(LENGTHS)
    values, _ = together.unroll_rows(
        local[:, order], state[:, order], torch.tensor(rows), noise=None if noise is None else noise[:, order]
    )
    weight = torch.randn_like(values)
    (values * weight).sum().backward()
    gradients = {name: parameter.grad for name, parameter in together.named_parameters()}
    for k, teacher in enumerate(teachers):
        own, _ = teacher.unroll_rows(local[k], state[k], LENGTHS, noise=None if noise is None else noise[k])
        assert torch.allclose(own[order], values[k], atol=1e-5)
        (own[order] * weight[k]).sum().backward()
        for name, parameter in teacher.named_parameters():
            assert torch.allclose(parameter.grad, gradients[name][k], rtol=1e-3, atol=1e-3), name


def test_teachers_play_step_by_step() -> None:
    torch.manual_seed(0)
    teachers = [Teacher(SPEC, NetworkSettings(hidden_size=16, info_size=8)) for _ in range(2)]
    together, memory, memories = stacked(teachers), None, [None, None]
    for _ in range(3):
        local, state = torch.randn(2, 4, N, teachers[0].local_size), torch.randn(2, 4, SPEC.state_size)
        values, memory, z = together.step(local, memory, state, None)
        for k, teacher in enumerate(teachers):
            own, memories[k], own_z = teacher.step(local[k], memories[k], state[k], None)
            assert torch.allclose(own, values[k], atol=1e-5)
            assert torch.allclose(own_z, z[k], atol=1e-5)


@pytest.mark.parametrize(("kind", "layers"), [("qmix", 0), ("qplex", 1), ("qplex", 2)])
def test_mixers_of_two_seeds(kind: str, layers: int) -> None:
    torch.manual_seed(0)

    def mixer() -> torch.nn.Module:
        if kind == "qmix":
            return MonotonicMixer(N, SPEC.state_size, 8, 16)
        return DuplexMixer(N, SPEC.n_actions, SPEC.state_size, 16, 4, layers)

    mixers = [mixer(), mixer()]
    taken, best, state = torch.randn(2, R, N), torch.randn(2, R, N), torch.randn(2, R, SPEC.state_size)
    actions = torch.randint(SPEC.n_actions, (2, R, N))
    team = stacked(mixers)(taken, best, actions, state)
    for k, one in enumerate(mixers):
        assert torch.allclose(one(taken[k], best[k], actions[k], state[k]), team[k], atol=1e-5)
