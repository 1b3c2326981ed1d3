"""Fully connected layers on the project's own kernels where they run: float32 on the CPU; elsewhere torch's own."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ptde_core.base import kernels

Function = Literal["plain", "relu", "leaky relu"]
_CODES = {"plain": kernels.PLAIN, "relu": kernels.RELU, "leaky relu": kernels.LEAKY_RELU}
IN_TORCH = {"plain": lambda x: x, "relu": F.relu, "leaky relu": F.leaky_relu}


class Prepared:
    """Arrays made from parameters, made anew when one of these was written to: play takes the same many times."""

    def __init__(self, make: Callable[..., tuple[NDArray[Any], ...]]) -> None:
        self._make = make
        self._kept: tuple[Any, tuple[NDArray[Any], ...]] = (None, ())  # one object: threads see both parts or neither

    def of(self, *parameters: Tensor) -> tuple[NDArray[Any], ...]:
        """What `make` makes of the parameters."""
        key = tuple((parameter.data_ptr(), parameter._version) for parameter in parameters)
        kept = self._kept
        if kept[0] != key:
            kept = self._kept = key, self._make(*parameters)
        return kept[1]


def _turned(weight: Tensor, bias: Tensor | None = None) -> tuple[NDArray[Any], ...]:
    return kernels.array(weight.t()), kernels.array(weight.new_zeros(len(weight)) if bias is None else bias)


class Linear(nn.Linear):
    """function(x W^T + b), with weights named and initialised as torch's.

    A row's outputs do not depend, in any bit, on how many rows there are: what plays must be so (`policies.play`).

    Args:
        inputs, outputs: how many numbers are read and made.
        function: what is taken of each output.
        one_hot: how many of the last inputs are one-hots: those that are zero are skipped, which saves time only.
    """

    def __init__(
        self, inputs: int, outputs: int, function: Function = "plain", one_hot: int = 0, *, bias: bool = True
    ) -> None:
        super().__init__(inputs, outputs, bias)
        self.function, self.one_hot = function, one_hot
        self._prepared = Prepared(_turned)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (..., m) from inputs (..., k)."""
        if not kernels.can_take(x, self.weight):
            y: Tensor = IN_TORCH[self.function](F.linear(x, self.weight, self.bias))
            return y
        rows, code = x.reshape(-1, x.shape[-1]), _CODES[self.function]  # (R, k)
        if torch.is_grad_enabled():
            y = _Layer.apply(rows, self.weight, self.bias, code, self.one_hot)  # type: ignore[no-untyped-call]  # torch's
        else:
            given = (self.weight,) if self.bias is None else (self.weight, self.bias)
            y = layer(rows, self._prepared.of(*given), code, self.one_hot)
        return y.view(*x.shape[:-1], self.out_features)

    def of_two(self, x: Tensor, other: Tensor) -> Tensor:
        """Outputs (..., m) of a plain layer from inputs (..., j) and (..., k) as if they stood side by side."""
        if not kernels.can_take(x, other, self.weight):
            y: Tensor = self(torch.cat([x, other], dim=-1))
            return y
        rows = x.reshape(-1, x.shape[-1]), other.reshape(-1, other.shape[-1])  # (R, j), (R, k)
        y = _LayerOfTwo.apply(*rows, self.weight, self.bias)  # type: ignore[no-untyped-call]  # torch's
        return y.view(*x.shape[:-1], self.out_features)


class TwoLayers(nn.Sequential):
    """Linear(function(Linear(x))); the function is computed with the first layer, its place only keeps the names."""

    def __init__(self, inputs: int, hidden: int, outputs: int, function: Function = "relu", one_hot: int = 0) -> None:
        super().__init__(Linear(inputs, hidden, function, one_hot), nn.Identity(), Linear(hidden, outputs))


def layer(x: Tensor, turned: tuple[NDArray[Any], ...], function: int = kernels.PLAIN, one_hot: int = 0) -> Tensor:
    """Outputs (R, m) from inputs (R, k), and the weight (k, m) and bias (m,); without gradients."""
    y = x.new_empty(len(x), len(turned[1]))  # (R, m)
    kernels.layer(kernels.array(x), *turned, function, one_hot, kernels.pairs(), y.numpy())
    return y


class _Layer(torch.autograd.Function):
    """A layer of rows (R, k)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, function: int, one_hot: int) -> Tensor:
        y = layer(x, _turned(weight, bias), function, one_hot)
        ctx.save_for_backward(x, weight, y)
        ctx.of_kernel, ctx.has_bias = (function, one_hot, kernels.pairs()), bias is not None
        return y

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        (grad_y,) = upstream
        x, weight, y = ctx.saved_tensors
        wanted: bool = ctx.needs_input_grad[0]
        grad_x, grad_weight, grad_bias = _gradients(x, weight, y, grad_y, ctx.of_kernel, wanted)
        return grad_x, grad_weight, grad_bias if ctx.has_bias else None, None, None


class _LayerOfTwo(torch.autograd.Function):
    """A plain layer of rows (R, j) and (R, k) side by side, which are not copied there."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, other: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        y = x.new_empty(len(x), len(weight))  # (R, m)
        ctx.pairs = kernels.pairs()
        kernels.layer_of_two(kernels.array(x), kernels.array(other), *_turned(weight, bias), ctx.pairs, y.numpy())
        ctx.save_for_backward(x, other, weight)
        return y

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        (grad_y,) = upstream
        x, other, weight = ctx.saved_tensors
        parts, wanted = weight.split([x.shape[1], other.shape[1]], dim=1), ctx.needs_input_grad
        of_kernel = kernels.PLAIN, 0, ctx.pairs
        grad_x, of_x, grad_bias = _gradients(x, parts[0], grad_y, grad_y, of_kernel, wanted[0])
        grad_other, of_other, _ = _gradients(other, parts[1], grad_y, grad_y, of_kernel, wanted[1])
        return grad_x, grad_other, torch.cat([of_x, of_other], dim=1), grad_bias


def _gradients(
    x: Tensor, weight: Tensor, y: Tensor, grad_y: Tensor, of_kernel: tuple[int, int, Any], of_x: bool
) -> tuple[Tensor | None, Tensor, Tensor]:
    """Of a layer's inputs, if asked for, weight and bias; the kernel is told of function, one-hots and pairs."""
    grad_x = x.new_empty(x.shape if of_x else (0, x.shape[1]))
    grad_weight, grad_bias = weight.new_empty(weight.shape), weight.new_zeros(len(weight))
    given = (kernels.array(tensor) for tensor in (x, weight, y))
    gradients = (gradient.numpy() for gradient in (grad_x, grad_weight, grad_bias))
    kernels.layer_gradients(*given, *of_kernel, kernels.array(grad_y), *gradients)
    return grad_x if of_x else None, grad_weight, grad_bias
