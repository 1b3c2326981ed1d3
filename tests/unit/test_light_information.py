"""Light information: its factored form and kernels against weights built for every agent; its first weights."""

import pytest
import torch
from torch import Tensor

from ptde_core.envs.small_games import PersonalSignalGame
from ptde_core.nets.global_information import AgentHyper, AgentSpecificInformation
from ptde_core.nets.light_information import LightInformation
from ptde_core.nets.network_settings import NetworkSettings
from ptde_core.policies.teacher import Teacher
from tests.marks import needs_kernels


def light(rank: int, hidden: int = 64, floor: float = 0.3) -> LightInformation:
    torch.manual_seed(rank)
    return LightInformation(20, 30, hidden, 12, floor, rank)


def generated(net: LightInformation, local: Tensor) -> Tensor:
    """The weights (..., N, w, K+1) of every agent's own layer, the bias in the last column."""
    matrices = torch.cat([net.weights.weight, net.weights.bias[:, None]], dim=1)  # ((r+1)*w, K+1)
    first, *others = matrices.split(net.width)  # (w, K+1) each
    factors = net.mix(net.hidden(local))  # (..., N, r)
    return first + torch.einsum("...r,rwk->...wk", factors, torch.stack(others))


def plain(net: LightInformation, local: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """The oracle: build every agent's weights and multiply."""
    features = net.encode(state)
    features = torch.cat([features, torch.ones_like(features[..., :1])], dim=-1)  # (..., K+1)
    x = torch.nn.functional.leaky_relu(torch.einsum("...k,...nwk->...nw", features, generated(net, local)))
    return net.mean(x), net.log_variance(x).exp().clamp_min(net.variance_floor).sqrt()


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.float64, 1e-10)])
@pytest.mark.parametrize(("rows", "agents", "rank"), [(1, 1, 1), (37, 3, 4), (19, 8, 9), (3, 70, 4)])
def test_factored_equals_plain_forward_and_backward(
    rows: int, agents: int, rank: int, dtype: torch.dtype, tolerance: float
) -> None:
    """In float32 by kernels, in float64 by torch; 70 agents are more than a block."""
    net = light(rank).to(dtype)
    local = torch.randn(rows, agents, 20, dtype=dtype, requires_grad=True)
    state = torch.randn(rows, 30, dtype=dtype, requires_grad=True)
    noise, upstream = torch.randn(2, rows, agents, 12, dtype=dtype)
    with torch.no_grad():
        net.log_variance.bias[:6] -= 3.0
    mean, sigma = plain(net, local, state)
    assert float(sigma.detach().min()) == pytest.approx(0.3**0.5)  # some are at the floor
    torch.testing.assert_close(net(local, state), (mean, sigma), rtol=tolerance, atol=tolerance)
    with torch.no_grad():
        torch.testing.assert_close(net(local, state), (mean, sigma), rtol=tolerance, atol=tolerance)
    z, deviation = net.sampled(local, state, noise)
    oracle = mean + sigma * noise
    torch.testing.assert_close(z, oracle, rtol=tolerance, atol=tolerance)
    with torch.no_grad():
        assert torch.equal(net.sampled(local, state, noise)[0], z)
    torch.testing.assert_close(deviation, sigma.detach(), rtol=tolerance, atol=tolerance)
    assert not deviation.requires_grad
    wanted = [local, state, *net.parameters()]
    for ours, theirs in zip(
        torch.autograd.grad(z, wanted, upstream), torch.autograd.grad(oracle, wanted, upstream), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=10 * tolerance, atol=10 * tolerance)


def test_gradients_numerically() -> None:
    net = LightInformation(4, 5, 6, 3, 1e-3, 2).double()
    local, state = torch.randn(3, 2, 4).double().requires_grad_(), torch.randn(3, 5).double().requires_grad_()
    noise = torch.randn(3, 2, 3).double()
    assert torch.autograd.gradcheck(lambda *given: net.sampled(*given, noise)[0], (local, state))


@needs_kernels
def test_leading_axes_may_be_many_and_none_changes_a_rows_bits() -> None:
    net, local, state = light(4), torch.randn(2, 30, 4, 20), torch.randn(2, 30, 30)
    noise = torch.randn(2, 30, 4, 12)
    together, _ = net.sampled(local, state, noise)
    assert together.shape == (2, 30, 4, 12)
    assert torch.equal(together[1, 7], net.sampled(local[1, 7], state[1, 7], noise[1, 7])[0])


def test_the_generated_weights_of_all_agents_lie_in_the_span_of_rank_matrices() -> None:
    made = generated(light(2), torch.randn(50, 20))
    beside = (made - made[0]).flatten(1)
    assert int(torch.linalg.matrix_rank(beside, rtol=1e-4)) == 2


def test_first_weights_vary_as_much_as_the_full_forms() -> None:
    torch.manual_seed(0)
    local = torch.randn(50, 20)
    with torch.no_grad():
        hypers = [AgentHyper(20, 6, 64, 5) for _ in range(100)]
        full = float(torch.stack([hyper.weights(hyper.hidden(local)).var() for hyper in hypers]).mean())
        for rank in (2, 4, 16):
            nets = [LightInformation(20, 6, 64, 5, 0.01, rank) for _ in range(100)]
            made = torch.stack([generated(net, local)[..., :-1].var() for net in nets]).mean()
            assert float(made) == pytest.approx(full, rel=0.25), rank


@pytest.mark.parametrize(("hidden", "rank", "width"), [(64, 1, 8), (64, 4, 32), (64, 8, 64), (64, 20, 64), (3, 1, 3)])
def test_hidden_layers_are_as_wide_as_the_rank_asks(hidden: int, rank: int, width: int) -> None:
    net = light(rank, hidden)
    assert net.hidden.out_features == net.mean.in_features == width
    assert net.weights.out_features == (rank + 1) * width


def test_the_variance_never_falls_below_its_floor() -> None:
    net = light(4, floor=0.04)
    with torch.no_grad():
        net.log_variance.bias.fill_(-50.0)
    for _, sigma in (net(torch.randn(9, 3, 20), torch.randn(9, 30)),):
        torch.testing.assert_close(sigma, torch.full_like(sigma, 0.2))


def test_a_rank_decides_the_teachers_module() -> None:
    full, of_rank = (Teacher(PersonalSignalGame.spec, NetworkSettings(info_rank=rank)) for rank in (0, 4))
    assert type(full.information) is AgentSpecificInformation
    assert type(of_rank.information) is LightInformation
    assert of_rank.information.rank == 4
