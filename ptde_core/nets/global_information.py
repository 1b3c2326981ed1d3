"""Global information for agents: the agent-specific module (GIS) and the unified one (GIU) of the paper, Figures 1, 2.

Both end in the same Gaussian; they differ in whether the first layer's weights are the agent's own. Those weights are
affine in AgentHyper's hidden layer a_i, so they are never built: with M that layer's tensor,

    s . W(a_i) = sum_k a_ik (s . M_k) + s . M_0

and s . M, the costly product, is done once per step and shared by all agents. A lighter module, whose agents mix fewer
matrices: `light_information.py`.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ptde_core import kernels
from ptde_core.nets.layers import Linear, Prepared, TwoLayers, side_by_side


class CompiledContraction(torch.autograd.Function):
    """The generated layer in float32 on the CPU, for states that need no gradient.

    g[r, n, z] = offset[r, n, z] + sum_s state[r, s] (bias[s, z] + sum_k a[r, n, k] M[s, z, k]), or elu of that.

    Shapes: state (R, S), a (R, N, K), M (S, Z, K), bias (S, Z), offset and g (R, N, Z).
    """

    @staticmethod
    def forward(
        ctx: Any, state: Tensor, a: Tensor, m: Tensor, bias: Tensor,  # noqa: ARG004  (bias is given for its gradient)
        offset: Tensor, laid_out: NDArray[np.float32],
        one_hot: int, elu: bool, learns: bool,
    ) -> Tensor:  # fmt: skip
        """The layer of states whose last `one_hot` numbers are mostly zeros; `learns` says whether gradients follow.

        `laid_out` is what `_laid_out` makes of M and bias. state . M is kept for the gradients.
        """
        shared = a.new_empty(len(state) if learns else kernels.BLOCK, laid_out.shape[1])
        g = a.new_empty(*a.shape[:2], m.shape[1])  # (R, N, Z)
        ctx.elu, ctx.one_hot = elu, one_hot
        given = kernels.array(a), laid_out, kernels.array(offset)
        kernels.contraction(kernels.array(state), one_hot, *given, elu, shared.numpy(), g.numpy())
        ctx.save_for_backward(state, a, shared, g)
        return g

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of a, M, bias and offset."""
        (grad_g,) = upstream
        state, a, shared, g = ctx.saved_tensors
        grad_a, grad_offset = torch.empty_like(a), torch.empty_like(g)
        grad_laid_out = state.new_zeros(state.shape[1], shared.shape[1])
        tensors = (shared, g, grad_g, grad_a, grad_laid_out, grad_offset)
        kernels.contraction_gradients(
            kernels.array(state), ctx.one_hot, kernels.array(a), ctx.elu, *(kernels.array(tensor) for tensor in tensors)
        )
        k, z = a.shape[2], grad_g.shape[2]
        grad_m = grad_laid_out[:, : k * z].view(-1, k, z).transpose(1, 2)
        return None, grad_a, grad_m, grad_laid_out[:, k * z : (k + 1) * z], grad_offset, None, None, None, None


def _laid_out(m: Tensor, bias: Tensor) -> Tensor:
    """M (S, Z, K) and bias (S, Z) as the kernels take them: (S, (K+1)*Z + some)."""
    size, z, k = m.shape
    # Rows a multiple of 4 KiB apart would all lie in the same few places of the cache.
    found = m.new_empty(size, (k + 1) * z + kernels.LANES)
    found[:, : k * z].view(size, k, z).copy_(m.transpose(1, 2))
    found[:, k * z : (k + 1) * z].copy_(bias)
    return found


class AgentHyper(nn.Module):
    """g_i = s . W_i + b_i with W_i, b_i made from agent i's local input (Agent-Hyper network of the GIS module).

    Args:
        input_size, state_size, hidden_size, output_size: L, S, K, Z.
        one_hot: how many of the last local inputs, and of the state's last numbers, are one-hots.
    """

    def __init__(
        self, input_size: int, state_size: int, hidden_size: int, output_size: int,
        one_hot: tuple[int, int] = (0, 0),
    ) -> None:  # fmt: skip
        super().__init__()
        self.state_size, self.output_size = state_size, output_size
        of_local, self.one_hot = one_hot
        self.hidden = Linear(input_size, hidden_size, "relu", of_local)
        # Laid out and initialised as the plain form's layer, whose output would be read as an S x Z matrix.
        self.weights = nn.Linear(hidden_size, state_size * output_size)
        self.bias = Linear(input_size, output_size, one_hot=of_local)
        self._prepared = Prepared(self._prepare)

    def forward(self, local: Tensor, state: Tensor, elu: bool = False) -> Tensor:
        """Generated layer applied to the state.

        Args:
            local: (..., N, L) local inputs.
            state: (..., S) global states.
            elu: whether elu is taken of it.

        Returns:
            (..., N, Z).
        """
        a, offset = side_by_side(local, [self.hidden, self.bias])  # (..., N, K), (..., N, Z)
        rows, a = state.reshape(-1, self.state_size), a.reshape(-1, *a.shape[-2:])  # (R, S), (R, N, K)
        offset = offset.view(*a.shape[:-1], self.output_size)  # (R, N, Z)
        g = self._applied(rows, a, offset, elu)  # (R, N, Z)
        return g.view(*local.shape[:-1], self.output_size)  # (..., N, Z)

    def _applied(self, rows: Tensor, a: Tensor, offset: Tensor, elu: bool) -> Tensor:
        m = self.weights.weight.view(self.state_size, self.output_size, -1)  # (S, Z, K)
        bias = self.weights.bias.view(self.state_size, self.output_size)  # (S, Z)
        g: Tensor
        if kernels.can_take(rows, a) and not rows.requires_grad:
            how = self.laid_out(), self.one_hot, elu, torch.is_grad_enabled()
            g = CompiledContraction.apply(rows, a, m, bias, offset, *how)  # type: ignore[no-untyped-call]  # torch's
            return g
        shared = torch.einsum("rs,szk->rzk", rows, m)  # (R, Z, K)
        g = torch.einsum("rnk,rzk->rnz", a, shared) + (rows @ bias)[:, None] + offset  # (R, N, Z)
        return F.elu(g) if elu else g

    @property
    def kept_bytes(self) -> int:
        """Bytes of s . M, which the gradients need, for one state."""
        return 4 * ((self.weights.in_features + 1) * self.output_size + kernels.LANES)

    def laid_out(self) -> NDArray[np.float32]:
        """M and the weights that all agents share as the kernels take them: (S, (K+1)*Z + some)."""
        (m,) = self._prepared.of(self.weights.weight, self.weights.bias)
        return m

    def _prepare(self, weight: Tensor, bias: Tensor) -> tuple[NDArray[Any], ...]:
        shared = bias.view(self.state_size, self.output_size)
        return (kernels.array(_laid_out(weight.view(*shared.shape, -1), shared)),)


class GaussianHeads(nn.Module):
    """Distribution Generator: mean = F(g), sigma^2 = max(exp(G(g)), floor); F and G two layers with leaky ReLU between.

    Args:
        size: Z, of g and of z.
        variance_floor: smallest variance.
    """

    def __init__(self, size: int, variance_floor: float) -> None:
        super().__init__()
        self.variance_floor = variance_floor
        self.mean = TwoLayers(size, size, size, "leaky relu")
        self.log_variance = TwoLayers(size, size, size, "leaky relu")

    def forward(self, g: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation (..., Z) from the global hidden g (..., Z)."""
        mean, log_variance = self._both(g)
        return mean, log_variance.exp().clamp_min(self.variance_floor).sqrt()

    def sampled(self, g: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Mean + deviation * noise (..., Z), and the deviation (..., Z), which passes no gradient on here."""
        if kernels.can_take(g, noise) and g.shape == noise.shape:
            z, sigma = _Sample.apply(*self._both(g), noise, self.variance_floor)  # type: ignore[no-untyped-call]
            return z, sigma
        mean, sigma = self(g)
        return sample(mean, sigma, noise), sigma.detach()

    def _both(self, g: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance (..., Z)."""
        hidden = side_by_side(g, [self.mean[0], self.log_variance[0]])
        return self.mean[-1](hidden[0]), self.log_variance[-1](hidden[1])


class _Sample(torch.autograd.Function):
    """z and sigma from mean, log variance, noise (all of one shape) and the variance's floor."""

    @staticmethod
    def forward(ctx: Any, mean: Tensor, log_variance: Tensor, noise: Tensor, floor: float) -> tuple[Tensor, Tensor]:
        sigma, z = torch.empty_like(mean), torch.empty_like(mean)
        arrays = [kernels.array(tensor).reshape(-1) for tensor in (mean, log_variance, noise, sigma, z)]
        kernels.gaussian(*arrays[:2], floor, *arrays[2:])
        ctx.save_for_backward(sigma, noise)
        ctx.mark_non_differentiable(sigma)
        ctx.floor = floor
        return z, sigma

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, Tensor, None, None]:
        grad_z, _ = upstream
        sigma, noise = ctx.saved_tensors
        gradient = torch.empty_like(sigma)
        arrays = [kernels.array(tensor).reshape(-1) for tensor in (sigma, noise, grad_z, gradient)]
        kernels.gaussian_gradients(arrays[0], ctx.floor, *arrays[1:])
        return grad_z, gradient, None, None


class AgentSpecificInformation(nn.Module):
    """GIS: z_i ~ Normal(mean_i, sigma_i^2) from the state, seen through weights of the agent's own (Figure 2).

        g_i = ELU(s . W_i + b_i), mean_i and sigma_i from g_i

    Args:
        input_size, state_size, hidden_size, info_size: L, S, K, Z.
        variance_floor: smallest variance of z.
        one_hot: how many of the last local inputs, and of the state's last numbers, are one-hots.
    """

    def __init__(
        self, input_size: int, state_size: int, hidden_size: int, info_size: int, variance_floor: float,
        one_hot: tuple[int, int] = (0, 0),
    ) -> None:  # fmt: skip
        super().__init__()
        self.hyper = AgentHyper(input_size, state_size, hidden_size, info_size, one_hot)
        self.gaussian = GaussianHeads(info_size, variance_floor)

    def forward(self, local: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation (..., N, Z) from local inputs (..., N, L) and states (..., S)."""
        mean, sigma = self.gaussian(self.hyper(local, state, elu=True))
        return mean, sigma

    def sampled(self, local: Tensor, state: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Z (..., N, Z) drawn with standard normals (..., N, Z), and its deviation, which passes no gradient on."""
        return self.gaussian.sampled(self.hyper(local, state, elu=True), noise)


class UnifiedInformation(nn.Module):
    """GIU: one Gaussian for the whole team, from the state alone (Figure 1). Each agent draws its own sample of it.

        g = W s + b, mean and sigma from g

    Args:
        state_size, info_size: S, Z.
        variance_floor: smallest variance of z.
        one_hot: how many of the state's last numbers are one-hots.
    """

    def __init__(self, state_size: int, info_size: int, variance_floor: float, one_hot: int = 0) -> None:
        super().__init__()
        self.encode = Linear(state_size, info_size, one_hot=one_hot)
        self.gaussian = GaussianHeads(info_size, variance_floor)

    def forward(self, local: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation (..., N, Z), equal for all agents; `local` only tells how many there are."""
        mean, sigma = self.gaussian(self.encode(state))  # (..., Z)
        team = (*local.shape[:-1], mean.shape[-1])
        return mean.unsqueeze(-2).expand(team), sigma.unsqueeze(-2).expand(team)  # (..., N, Z)

    def sampled(self, local: Tensor, state: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Z (..., N, Z) drawn with standard normals (..., N, Z), and its deviation."""
        mean, sigma = self(local, state)
        return sample(mean, sigma, noise), sigma


def sample(mean: Tensor, sigma: Tensor, noise: Tensor | None) -> Tensor:
    """Z = mean + sigma * noise (reparameterised), or the mean itself where there is no noise."""
    return mean if noise is None else torch.addcmul(mean, sigma, noise)
