"""Fully connected layers: compiled kernels in float32 on the CPU, torch's operations elsewhere."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ptde_core import kernels

Function = Literal["plain", "relu", "leaky relu"]
_CODES = {"plain": kernels.PLAIN, "relu": kernels.RELU, "leaky relu": kernels.LEAKY_RELU}
IN_TORCH = {"plain": lambda x: x, "relu": F.relu, "leaky relu": F.leaky_relu}


class Prepared:
    """Arrays made from parameters and kept until a parameter is written to: play takes the same ones many times."""

    def __init__(self, make: Callable[..., tuple[NDArray[Any], ...]]) -> None:
        self._make = make
        self._kept: tuple[Any, tuple[NDArray[Any], ...]] = (None, ())  # one object: threads see both parts or neither

    def of(self, *parameters: Tensor) -> tuple[NDArray[Any], ...]:
        """The arrays of these parameters."""
        key = tuple((parameter.data_ptr(), parameter._version) for parameter in parameters)
        kept = self._kept
        if kept[0] != key:
            kept = self._kept = key, self._make(*parameters)
        return kept[1]


def _turned(weight: Tensor, bias: Tensor | None = None) -> tuple[NDArray[Any], ...]:
    return kernels.array(weight.detach().t()), kernels.array(weight.new_zeros(len(weight)) if bias is None else bias)


class Linear(nn.Linear):
    """function(x W^T + b), with weights named and initialised as torch's.

    In kernels a row's outputs do not depend, in any bit, on how many rows there are, which play relies on (`Policy`).

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
        return _in_kernels(x, [self])[0]

    def turned(self) -> tuple[NDArray[Any], ...]:
        """What kernels take: the weight (k, m) and a bias (m,). Without gradients, as in play, they are kept."""
        made = _turned if torch.is_grad_enabled() else self._prepared.of
        return made(self.weight) if self.bias is None else made(self.weight, self.bias)


class TwoLayers(nn.Sequential):
    """Linear(function(Linear(x))). The first layer computes the function; `nn.Identity` keeps the parameters' names."""

    def __init__(self, inputs: int, hidden: int, outputs: int, function: Function = "relu", one_hot: int = 0) -> None:
        super().__init__(Linear(inputs, hidden, function, one_hot), nn.Identity(), Linear(hidden, outputs))


def side_by_side(x: Tensor, layers: Sequence[nn.Module]) -> list[Tensor]:
    """Outputs of several layers of the same inputs (..., k), which kernels read only once."""
    own = [layer for layer in layers if isinstance(layer, Linear)]
    if len(own) == len(layers) and kernels.can_take(x, own[0].weight):
        return _in_kernels(x, own)
    return [layer(x) for layer in layers]


def _in_kernels(x: Tensor, layers: Sequence[Linear]) -> list[Tensor]:
    assert all(x.shape[-1] == layer.in_features for layer in layers), "inputs of another width than the layers'"
    rows = x.reshape(-1, x.shape[-1])  # (R, k)
    turned = tuple(zip(*(layer.turned() for layer in layers), strict=True))
    of_kernel = tuple(_CODES[layer.function] for layer in layers), layers[0].one_hot
    if torch.is_grad_enabled():
        parameters = [layer.weight for layer in layers], [layer.bias for layer in layers]
        outputs = _Layers.apply(rows, turned, of_kernel, *parameters[0], *parameters[1])  # type: ignore[no-untyped-call]  # torch's
    else:
        outputs = _outputs(rows, turned, of_kernel)
    return [y.view(*x.shape[:-1], layer.out_features) for y, layer in zip(outputs, layers, strict=True)]


def _outputs(x: Tensor, turned: Any, of_kernel: Any) -> tuple[Tensor, ...]:
    """Of layers of rows (R, k): (R, m) each, without gradients.

    Args:
        x: (R, k).
        turned: weights (k, m) and biases (m,), a tuple of each.
        of_kernel: functions and one-hots, as the kernel takes them.
    """
    outputs = tuple(x.new_empty(len(x), len(bias)) for bias in turned[1])
    kernels.layers(kernels.array(x), *turned, *of_kernel, tuple(y.numpy() for y in outputs))
    return outputs


class _Layers(torch.autograd.Function):
    """The same with gradients; the layers' weights and then their biases come last."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, turned: Any, of_kernel: Any, *parameters: Tensor | None) -> tuple[Tensor, ...]:
        outputs = _outputs(x, turned, of_kernel)
        ctx.of_kernel = of_kernel
        ctx.save_for_backward(x, *parameters[: len(outputs)], *outputs)
        return outputs

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        x, *saved = ctx.saved_tensors
        weights, outputs = saved[: len(upstream)], saved[len(upstream) :]
        of_x, _, _, *wanted = ctx.needs_input_grad
        grad_x, of_weights, of_biases = _gradients(x, weights, outputs, upstream, ctx.of_kernel, of_x)
        found = zip(wanted, (*of_weights, *of_biases), strict=True)
        return grad_x, None, None, *(gradient if needed else None for needed, gradient in found)


def _gradients(
    x: Tensor, weights: Sequence[Tensor], ys: Sequence[Tensor], grad_ys: Sequence[Tensor], of_kernel: Any, of_x: bool
) -> tuple[Tensor | None, list[Tensor], list[Tensor]]:
    """Of layers' inputs, if asked for, weights and biases."""
    grad_x = x.new_empty(x.shape if of_x else (0, x.shape[1]))
    of_weights, of_biases = [w.new_empty(w.shape) for w in weights], [w.new_zeros(len(w)) for w in weights]

    def arrays(tensors: Sequence[Tensor]) -> tuple[NDArray[Any], ...]:
        return tuple(kernels.array(tensor) for tensor in tensors)

    kernels.layers_gradients(
        kernels.array(x), arrays(weights), arrays(ys), *of_kernel, arrays(grad_ys),
        grad_x.numpy(), arrays(of_weights), arrays(of_biases),
    )  # fmt: skip
    return grad_x if of_x else None, of_weights, of_biases
