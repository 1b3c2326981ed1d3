"""Fully connected layers on the project's own kernels where they run: float32 on the CPU; elsewhere torch's own."""

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ptde_core.base import kernels

Function = Literal["plain", "relu", "leaky relu"]
_CODES = {"plain": kernels.PLAIN, "relu": kernels.RELU, "leaky relu": kernels.LEAKY_RELU}
_IN_TORCH = {"plain": lambda x: x, "relu": F.relu, "leaky relu": F.leaky_relu}


class Linear(nn.Linear):
    """function(x W^T + b), with weights named and initialised as torch's."""

    def __init__(self, inputs: int, outputs: int, function: Function = "plain") -> None:
        super().__init__(inputs, outputs)
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (..., m) from inputs (..., k)."""
        return linear(x, self.weight, self.bias, self.function)


class TwoLayers(nn.Sequential):
    """Linear(function(Linear(x))); the function is computed with the first layer, its place only keeps the names."""

    def __init__(self, inputs: int, hidden: int, outputs: int, function: Function = "relu") -> None:
        super().__init__(Linear(inputs, hidden, function), nn.Identity(), Linear(hidden, outputs))


def linear(x: Tensor, weight: Tensor, bias: Tensor, function: Function = "plain") -> Tensor:
    """function(x W^T + b), (..., m) from x (..., k), weight (m, k) and bias (m,)."""
    if not kernels.can_take(x, weight):
        y: Tensor = _IN_TORCH[function](F.linear(x, weight, bias))
        return y
    rows: Tensor = _Layer.apply(x.reshape(-1, x.shape[-1]), weight, bias, _CODES[function])  # type: ignore[no-untyped-call]  # torch's
    return rows.view(*x.shape[:-1], len(weight))


class _Layer(torch.autograd.Function):
    """A layer of rows (R, k)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, function: int) -> Tensor:
        y = x.new_empty(len(x), len(weight))  # (R, m)
        kernels.layer(kernels.array(x), kernels.array(weight.t()), kernels.array(bias), function, kernels.array(y))
        ctx.save_for_backward(x, weight, y)
        ctx.function = function
        return y

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, Tensor, Tensor, None]:
        (grad_y,) = upstream
        x, weight, y = ctx.saved_tensors
        grad_x = x.new_empty(x.shape if ctx.needs_input_grad[0] else (0, x.shape[1]))
        grad_weight, grad_bias = torch.zeros_like(weight), weight.new_zeros(len(weight))
        gradients = (kernels.array(grad) for grad in (grad_x, grad_weight, grad_bias))
        kernels.layer_gradients(
            kernels.array(x), kernels.array(weight), kernels.array(y), ctx.function, kernels.array(grad_y), *gradients
        )
        return grad_x if ctx.needs_input_grad[0] else None, grad_weight, grad_bias, None
