"""A step of play through the kernels that take whole networks is the step layer by layer."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ptde_core.nets.global_information import AgentSpecificInformation, sample
from ptde_core.nets.light_information import LightInformation
from ptde_core.nets.play_step import ActingAgent, ActingInformation
from ptde_core.nets.recurrent_agent import ActionHead, Trunk


def close(one: Tensor, other: Tensor) -> None:
    torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


@settings(deadline=None, max_examples=20)  # the first example compiles
@given(
    envs=st.integers(1, 40),
    agents=st.integers(1, 5),
    inputs=st.integers(1, 70),
    hidden=st.sampled_from([1, 24, 64]),
    information=st.sampled_from([0, 5, 64]),
    actions=st.integers(1, 40),
    seed=st.integers(0, 99),
)
@torch.no_grad()
def test_agents(envs: int, agents: int, inputs: int, hidden: int, information: int, actions: int, seed: int) -> None:
    torch.manual_seed(seed)
    trunk, head, acting = Trunk(inputs, hidden), ActionHead(hidden, information, actions), ActingAgent()
    before = None
    for _ in range(2):
        local = torch.randn(envs, agents, inputs)
        z = torch.randn(envs, agents, information) if information else None
        values, after = acting(trunk, head, local, before, z)
        expected = trunk(local, before)
        close(after, expected)
        close(values, head(expected, z))
        before = after


@settings(deadline=None, max_examples=20)
@given(
    envs=st.integers(1, 9),
    agents=st.integers(1, 5),
    inputs=st.integers(1, 70),
    states=st.integers(1, 90),
    size=st.sampled_from([3, 64]),
    rank=st.sampled_from([0, 1, 4]),
    sampled=st.booleans(),
    seed=st.integers(0, 99),
)
@torch.no_grad()
def test_agent_specific_information(
    envs: int, agents: int, inputs: int, states: int, size: int, rank: int, sampled: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    informing, sizes = ActingInformation(), (inputs, states, 24, size, 1e-3)
    information = LightInformation(*sizes, rank) if rank else AgentSpecificInformation(*sizes)
    local, state = torch.randn(envs, agents, inputs), torch.randn(envs, states)
    noise = torch.randn(envs, agents, size) if sampled else None
    close(informing(information, local, state, noise), sample(*information(local, state), noise))


@pytest.mark.parametrize("change", ["written", "another"])
def test_weights_are_those_of_now(change: str) -> None:
    local, acting = torch.randn(3, 2, 7), ActingAgent()
    trunk, head = Trunk(7, 8), ActionHead(8, 0, 3)
    with torch.no_grad():
        first, _ = acting(trunk, head, local, None, None)
        if change == "written":
            head.values.weight += 1.0
        else:
            head = ActionHead(8, 0, 3)
        second, _ = acting(trunk, head, local, None, None)
        close(second, head(trunk(local), None))
    assert not torch.allclose(first, second)


def test_where_gradients_are_wanted_they_come() -> None:
    trunk, head = Trunk(7, 8), ActionHead(8, 0, 3)
    values, _ = ActingAgent()(trunk, head, torch.randn(3, 2, 7), None, None)
    values.sum().backward()
    assert head.values.weight.grad is not None
