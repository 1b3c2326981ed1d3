"""The compiled kernels against numpy and torch: products of every shape, functions, layers, mixing, contraction."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from ptde_core import kernels
from ptde_core.algorithms.value_decomposition import best_available
from ptde_core.nets.global_information import AgentHyper
from ptde_core.nets.gru import gru_over_sequences, in_torch
from ptde_core.nets.layers import Linear
from ptde_core.nets.mixers import MonotonicMixer, mixed


def test_functions_are_exact_to_a_few_units_in_the_last_place() -> None:
    x = np.concatenate([np.linspace(-30, 30, 100_001), np.geomspace(1e-6, 1, 1000)]).astype(np.float32)
    found = [np.empty_like(x) for _ in range(3)]
    kernels.functions_of(x, *found)
    exact = x.astype(np.float64)
    for ours, theirs in zip(found, (np.exp(exact), 1 / (1 + np.exp(-exact)), np.tanh(exact)), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=5e-7)


def test_functions_far_out_are_their_limits() -> None:
    x = np.array([-1e30, 1e30], np.float32)
    found = [np.empty_like(x) for _ in range(3)]
    kernels.functions_of(x, *found)
    assert found[1].tolist() == [pytest.approx(0, abs=1e-37), 1.0]
    assert found[2].tolist() == [-1.0, 1.0]


def close(one: Tensor, other: Tensor) -> None:
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def gradients_agree(ours: Tensor, theirs: Tensor, wanted: list[Tensor]) -> None:
    """Both forward, and the gradients of everything from one random upstream gradient."""
    close(ours, theirs)
    upstream = torch.randn_like(ours)
    found, expected = (torch.autograd.grad(y, wanted, upstream, retain_graph=True) for y in (ours, theirs))
    for one, other in zip(found, expected, strict=True):
        close(one, other)


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(1, 70),
    inputs=st.integers(1, 70),
    outputs=st.integers(1, 70),
    code=st.sampled_from(["plain", "relu"]),
)
def test_a_layer_of_any_size_is_torchs(rows: int, inputs: int, outputs: int, code: str) -> None:
    torch.manual_seed(rows)
    layer = Linear(inputs, outputs, code)  # type: ignore[arg-type]  # one of its names
    x = torch.randn(rows, inputs, requires_grad=True)
    theirs = F.linear(x, layer.weight, layer.bias)
    gradients_agree(layer(x), F.relu(theirs) if code == "relu" else theirs, [x, *layer.parameters()])


def test_a_leaky_layer_is_torchs() -> None:
    torch.manual_seed(0)
    layer, x = Linear(5, 33, "leaky relu"), torch.randn(4, 3, 5, requires_grad=True)
    gradients_agree(layer(x), F.leaky_relu(F.linear(x, layer.weight, layer.bias)), [x, *layer.parameters()])


def data_that_ends_in_one_hots(rows: int, dense: int, choices: int) -> Tensor:
    """Rows (r, dense + choices): a choice in most, none in every third; of the rest, a third of the columns is zero."""
    x = torch.randn(rows, dense + choices)
    x[:, : dense // 3] = 0
    x[:, dense:] = F.one_hot(torch.randint(choices, (rows,)), choices)
    x[::3, dense:] = 0
    return x


def found(network: nn.Module, *inputs: Tensor) -> list[Tensor]:
    """Outputs, and the gradients of all parameters from one upstream gradient."""
    made = network(*inputs)
    upstream = torch.randn(made.shape, generator=torch.Generator().manual_seed(1))
    return [made, *torch.autograd.grad(made, list(network.parameters()), upstream)]


@pytest.mark.parametrize(
    ("rows", "dense", "choices", "outputs"), [(200, 20, 5, 64), (65, 1, 40, 150), (3, 7, 1, 1), (70, 0, 6, 3)]
)
def test_a_layer_that_looks_one_hots_up_is_the_dense_one_bit_for_bit(
    rows: int, dense: int, choices: int, outputs: int
) -> None:
    torch.manual_seed(0)
    plain, quick = (Linear(dense + choices, outputs, "relu", one_hot) for one_hot in (0, choices))
    quick.load_state_dict(plain.state_dict())
    x = data_that_ends_in_one_hots(rows, dense, choices)
    for x_of_kind in (x, torch.randn_like(x)):  # what is no one-hot is multiplied all the same
        for ours, theirs in zip(found(quick, x_of_kind), found(plain, x_of_kind), strict=True):
            assert torch.equal(ours, theirs)


def test_a_contraction_that_looks_one_hots_up_is_the_dense_one() -> None:
    torch.manual_seed(0)
    plain, quick = (AgentHyper(6, 27, 10, 30, one_hot=(0, one_hot)) for one_hot in (0, 9))
    quick.load_state_dict(plain.state_dict())
    state = data_that_ends_in_one_hots(150, 18, 9)
    inputs = torch.randn(150, 3, 6), state
    for ours, theirs in zip(found(quick, *inputs), found(plain, *inputs), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("started", [False, True])
@pytest.mark.parametrize(("lengths", "agents", "size"), [([1], 1, 1), ([2, 5, 1, 5], 3, 20), ([30, 70, 3], 8, 64)])
def test_the_recurrence_is_torchs_packed_one(lengths: list[int], agents: int, size: int, started: bool) -> None:
    torch.manual_seed(0)
    memory, count = nn.GRU(7, size), torch.tensor(lengths)
    x = torch.randn(sum(lengths), agents, 7, requires_grad=True)
    start = torch.randn(len(lengths), agents, size, requires_grad=True)
    before = start if started else torch.zeros_like(start)
    ours = gru_over_sequences(memory, x, count, before if started else None)
    wanted = [x, *memory.parameters(), *([start] if started else [])]
    gradients_agree(ours, in_torch(memory, x, count, before if started else None), wanted)


def test_mixing_is_the_formula() -> None:
    torch.manual_seed(0)
    made = [torch.randn(9, *shape, requires_grad=True) for shape in ((3,), (3, 20), (20,), (20,), ())]
    mixer, state = MonotonicMixer(n_agents=3, state_size=5, embed=20, hyper=6), torch.randn(9, 5)
    parts = (mixer.first_weights(state).unflatten(-1, (3, 20)), mixer.first_bias(state), mixer.second_weights(state))
    taken, offset = made[0], mixer.second_bias(state).squeeze(dim=-1)
    wanted = [taken, *mixer.parameters()]
    gradients_agree(mixer(taken, taken, taken, state), mixed(taken, *parts, offset), wanted)


def test_the_best_available_action_is_the_first_of_the_largest() -> None:
    values = torch.tensor([[[1.0, 5.0, 5.0], [9.0, -3.0, -4.0]]])
    available = torch.tensor([[[True, True, True], [False, True, True]]])
    for ours in (best_available(values, available), best_available(values.double(), available)):
        assert [found.tolist() for found in ours] == [[[1, 1]], [[5.0, -3.0]]]
