"""The factored agent-hyper network against the plain one that builds every agent's weights; the Gaussian's floor."""

import pytest
import torch
from torch import Tensor

from ptde_core.nets.global_information import (
    AgentHyper,
    AgentSpecificInformation,
    GaussianHeads,
    UnifiedInformation,
)


def plain(hyper: AgentHyper, local: Tensor, state: Tensor) -> Tensor:
    """The oracle: generate W_i as a matrix for every agent and step, and multiply (paper, Figure 2)."""
    weights = hyper.weights(hyper.hidden(local))  # (..., N, S*Z)
    weights = weights.unflatten(-1, (hyper.state_size, hyper.output_size))  # (..., N, S, Z)
    return torch.einsum("...s,...nsz->...nz", state, weights) + hyper.bias(local)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize("rows", [1, 7, 600])
def test_factored_equals_plain_forward_and_backward(dtype: torch.dtype, tolerance: float, rows: int) -> None:
    torch.manual_seed(0)
    hyper = AgentHyper(input_size=20, state_size=30, hidden_size=16, output_size=12).to(dtype)
    local = torch.randn(rows, 4, 20, dtype=dtype, requires_grad=True)
    state = torch.randn(rows, 30, dtype=dtype, requires_grad=True)
    factored, oracle = hyper(local, state), plain(hyper, local, state)
    torch.testing.assert_close(factored, oracle, rtol=tolerance, atol=tolerance)
    wanted = [local, state, *hyper.parameters()]
    upstream = torch.randn_like(oracle) / rows
    for ours, theirs in zip(
        torch.autograd.grad(factored, wanted, upstream), torch.autograd.grad(oracle, wanted, upstream), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)


def test_leading_axes_may_be_many() -> None:
    hyper = AgentHyper(5, 6, 4, 3)
    local, state = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 6)
    together = hyper(local, state)
    assert together.shape == (2, 3, 4, 3)
    torch.testing.assert_close(together[1, 2], hyper(local[1, 2], state[1, 2]))


def test_the_variance_never_falls_below_its_floor() -> None:
    heads = GaussianHeads(3, variance_floor=0.04)
    with torch.no_grad():
        heads.log_variance[-1].bias.fill_(-50.0)
    _, sigma = heads(torch.randn(10, 3))
    torch.testing.assert_close(sigma, torch.full_like(sigma, 0.2))


def test_what_is_drawn_is_mean_plus_deviation_times_noise_and_so_are_its_gradients() -> None:
    torch.manual_seed(0)
    heads = GaussianHeads(20, variance_floor=0.3)
    with torch.no_grad():
        heads.log_variance[-1].bias[:10] -= 3.0  # these are at the floor
    g, noise = torch.randn(9, 4, 20, requires_grad=True), torch.randn(9, 4, 20)
    z, sigma = heads.sampled(g, noise)
    mean, deviation = heads(g)
    plain = torch.addcmul(mean, deviation, noise)
    assert not sigma.requires_grad
    torch.testing.assert_close(sigma, deviation.detach())
    torch.testing.assert_close(z, plain)
    wanted, upstream = [g, *heads.parameters()], torch.randn_like(z)
    for ours, theirs in zip(
        torch.autograd.grad(z, wanted, upstream), torch.autograd.grad(plain, wanted, upstream), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("rows", [7, 200])
def test_elu_is_taken_of_what_the_hyper_network_makes(rows: int) -> None:
    torch.manual_seed(0)
    hyper = AgentHyper(input_size=20, state_size=30, hidden_size=16, output_size=12)
    local, state = torch.randn(rows, 4, 20), torch.randn(rows, 30)
    oracle = torch.nn.functional.elu(plain(hyper, local, state))
    with torch.no_grad():
        torch.testing.assert_close(hyper(local, state, elu=True), oracle, rtol=1e-4, atol=1e-5)
    made, upstream = hyper(local, state, elu=True), torch.randn_like(oracle) / rows
    torch.testing.assert_close(made, oracle, rtol=1e-4, atol=1e-5)
    wanted = list(hyper.parameters())
    for ours, theirs in zip(
        torch.autograd.grad(made, wanted, upstream), torch.autograd.grad(oracle, wanted, upstream), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_unified_information_is_equal_for_all_agents_and_agent_specific_is_not() -> None:
    local, state = torch.randn(2, 3, 5), torch.randn(2, 7)
    unified, _ = UnifiedInformation(7, 4, 0.01)(local, state)
    specific, _ = AgentSpecificInformation(5, 7, 8, 4, 0.01)(local, state)
    assert unified.shape == specific.shape == (2, 3, 4)
    assert torch.equal(unified[:, 0], unified[:, 1])
    assert not torch.allclose(specific[:, 0], specific[:, 1])
