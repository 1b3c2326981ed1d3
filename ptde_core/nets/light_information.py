"""Light agent-specific information: what depends on the state alone is made once per step, agents mix r parts of it.

In GIS (`global_information.py`) each agent runs six wide layers instead. With o the local input of agent i, s the
state, K = `hidden_size` and w = min(K, 8 r):

    e       = ReLU(E s)                                     K numbers, once per step
    c_i     = C ReLU(A o_i)                                 r numbers; A has w rows
    x_i     = LeakyReLU((M_0 + sum_k c_ik M_k) (e, 1))      w numbers: the layer whose weights are the agent's own
    z_i     ~ Normal(V x_i, max(exp(U x_i), floor))         the Gaussian's two heads, a layer each

The weights M(i) are mixed of r + 1 matrices as GIS mixes its of K + 1; as there they are never built.
"""

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ptde_core import kernels
from ptde_core.nets.global_information import sample
from ptde_core.nets.layers import Linear, Prepared

UNITS_PER_RANK = 8  # hidden units for each of the r numbers, so that time falls with the rank


class LightInformation(nn.Module):
    """z_i ~ Normal(mean_i, sigma_i^2) from the state, seen through weights mixed of r + 1 matrices.

    Args:
        input_size, state_size, hidden_size, info_size: L, S, K, Z.
        variance_floor: smallest variance of z.
        rank: r, from 1.
        one_hot: how many of the last local inputs, and of the state's last numbers, are one-hots.
    """

    def __init__(
        self, input_size: int, state_size: int, hidden_size: int, info_size: int, variance_floor: float, rank: int,
        one_hot: tuple[int, int] = (0, 0),
    ) -> None:  # fmt: skip
        super().__init__()
        self.variance_floor, self.rank = variance_floor, rank
        self.width = min(hidden_size, UNITS_PER_RANK * rank)
        of_local, of_state = one_hot
        self.encode = Linear(state_size, hidden_size, "relu", of_state)
        self.hidden = Linear(input_size, self.width, "relu", of_local)
        self.mix = Linear(self.width, rank, bias=False)  # M_0 has what is constant
        self.weights = Linear(hidden_size, (rank + 1) * self.width)  # M_0, then M_1 to M_r
        self.mean = Linear(self.width, info_size)
        self.log_variance = Linear(self.width, info_size)
        _spread_as_full(self.weights, self.width, rank)
        self._prepared, self._prepared_heads = Prepared(_turned), Prepared(_heads)

    def forward(self, local: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation (..., N, Z) from local inputs (..., N, L) and states (..., S)."""
        shared, factors = self._parts(local, state)
        if self.plays_in_kernel(local):
            return _in_kernel(shared, factors, self._prepared_heads.of(*self._heads()), None, self.variance_floor)
        parts = shared.view(*shared.shape[:-1], self.rank + 1, self.width)  # (..., r+1, w)
        x = F.leaky_relu(parts[..., :1, :] + factors @ parts[..., 1:, :])  # (..., N, w)
        return self.mean(x), self.log_variance(x).exp().clamp_min(self.variance_floor).sqrt()

    def sampled(self, local: Tensor, state: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Z (..., N, Z) drawn with standard normals (..., N, Z), and its deviation, which passes no gradient on."""
        if not self._fits_kernels(local):
            mean, sigma = self(local, state)
            return sample(mean, sigma, noise), sigma.detach()
        shared, factors = self._parts(local, state)
        if not torch.is_grad_enabled():
            return _in_kernel(shared, factors, self._prepared_heads.of(*self._heads()), noise, self.variance_floor)
        z, sigma = _MixedSample.apply(shared, factors, noise, self.variance_floor, *self._heads())  # type: ignore[no-untyped-call]  # torch's
        return z, sigma

    def plays_in_kernel(self, local: Tensor) -> bool:
        """Whether `played` can be asked: no gradients are wanted, and kernels take such tensors."""
        return not torch.is_grad_enabled() and self._fits_kernels(local)

    def played(self, local: Tensor, state: Tensor, noise: Tensor | None) -> Tensor:
        """Z (E, N, Z) of a step of play, or its mean where there is no noise, in one call of a kernel."""
        z = local.new_empty(*local.shape[:2], self.mean.out_features)
        drawn = z[:0] if noise is None else noise
        layers = self.encode, self.hidden, self.mix, self.weights
        weights = self._prepared.of(*(one for layer in layers for one in layer.parameters()), *self._heads())
        given = kernels.array(local), kernels.array(state), self.encode.one_hot, kernels.array(drawn)
        kernels.inform_lightly(*given, *weights, self.variance_floor, z.numpy())
        return z

    def _fits_kernels(self, local: Tensor) -> bool:
        """Stacked networks have other layers, which no kernel takes."""
        return isinstance(self.mean, Linear) and kernels.can_take(local, self.mean.weight)

    def _parts(self, local: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """(M_0, ..., M_r) (e, 1), side by side (..., (r+1)*w), and c (..., N, r)."""
        return self.weights(self.encode(state)), self.mix(self.hidden(local))

    def _heads(self) -> tuple[Tensor, ...]:
        return *self.mean.parameters(), *self.log_variance.parameters()


class _MixedSample(torch.autograd.Function):
    """z and sigma (..., N, Z) of shared parts (..., (r+1)*w), factors (..., N, r), noise and the heads' parameters."""

    @staticmethod
    def forward(
        ctx: Any, shared: Tensor, factors: Tensor, noise: Tensor, floor: float, *heads: Tensor
    ) -> tuple[Tensor, Tensor]:
        z, sigma = _in_kernel(shared, factors, _heads(*heads), noise, floor)
        ctx.save_for_backward(shared, factors, noise, sigma, *heads)
        ctx.mark_non_differentiable(sigma)
        ctx.floor = floor
        return z, sigma

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        grad_z, _ = upstream
        shared, factors, noise, sigma, mean, _, log_variance, _ = ctx.saved_tensors
        weight = torch.cat([mean, log_variance])  # (2Z, w)
        grad_shared, grad_factors = torch.empty_like(shared), torch.empty_like(factors)
        grad_turned, grad_bias = weight.new_zeros(*reversed(weight.shape)), weight.new_zeros(len(weight))
        rows = [kernels.array(t).reshape(-1, *t.shape[-2:]) for t in (noise, sigma, grad_z)]
        kernels.mixed_gaussian_gradients(
            *_rows(shared, factors), weight.numpy(), ctx.floor, *rows,
            *_rows(grad_shared, grad_factors), grad_turned.numpy(), grad_bias.numpy(),
        )  # fmt: skip
        size, of_weight = len(mean), grad_turned.t()  # (2Z, w)
        of_heads = of_weight[:size], grad_bias[:size], of_weight[size:], grad_bias[size:]
        return grad_shared, grad_factors, None, None, *of_heads


def _in_kernel(
    shared: Tensor, factors: Tensor, heads: tuple[NDArray[Any], ...], noise: Tensor | None, floor: float
) -> tuple[Tensor, Tensor]:
    """Z, or the mean where there is no noise, and sigma (..., N, Z)."""
    size = len(heads[1]) // 2
    z, sigma = (factors.new_empty(*factors.shape[:-1], size) for _ in range(2))
    drawn = z[:0] if noise is None else noise
    of_rows = (kernels.array(t).reshape(-1, *z.shape[-2:]) for t in (drawn, sigma, z))
    kernels.mixed_gaussian(*_rows(shared, factors), *heads, floor, *of_rows)
    return z, sigma


def _rows(shared: Tensor, factors: Tensor) -> tuple[NDArray[Any], NDArray[Any]]:
    """As the kernels take them: (R, (r+1)*w) and (R, N, r)."""
    flat = kernels.array(shared).reshape(-1, shared.shape[-1])
    return flat, kernels.array(factors).reshape(-1, *factors.shape[-2:])


def _heads(mean: Tensor, mean_bias: Tensor, log_variance: Tensor, bias: Tensor) -> tuple[NDArray[Any], ...]:
    """Both heads' weights side by side, transposed (w, 2Z), and their biases (2Z,)."""
    return kernels.array(torch.cat([mean, log_variance]).t()), kernels.array(torch.cat([mean_bias, bias]))


def _turned(*parameters: Tensor) -> tuple[NDArray[Any], ...]:
    """What `kernels.inform_lightly` takes of weights and biases, the heads' last."""
    turned = (kernels.array(one.t() if one.dim() == 2 else one) for one in parameters[:-4])
    return *turned, *_heads(*parameters[-4:])


def _spread_as_full(weights: nn.Linear, width: int, rank: int) -> None:
    """First weights with which the generated matrices vary as much as GIS's with its K hidden units.

    There an entry is a sum over K units of a_k times U(-1/sqrt(K), 1/sqrt(K)), its variance mean(a^2) / 3. Here each of
    the r numbers c_ik has that variance, so the matrices M_1 to M_r need the variance 1/r: U(-sqrt(3/r), sqrt(3/r)).
    """
    bound = (3 / rank) ** 0.5
    nn.init.uniform_(weights.weight[width:], -bound, bound)
    nn.init.uniform_(weights.bias[width:], -bound, bound)
