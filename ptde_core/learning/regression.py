"""Gradient of the mean squared error of a two-layer network, written out: distillation takes it half a million times.

Equal to automatic differentiation (tested), without its bookkeeping. On the CPU in float32 it is one kernel, in which
each thread takes a part of the rows; elsewhere it is torch's operations, without one allocation per step.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ptde_core import kernels
from ptde_core.base.threads import Threads


class TwoLayerRegression:
    """Mean squared error between Linear(ReLU(Linear(x))) and y over rows and dimensions, and its gradients.

    Args:
        parameters: first weight (H, L) and bias (H,), second weight (Z, H) and bias (Z,); `step` writes their `grad`.
        rows: R, rows of every batch.
        threads: who works on the rows.
    """

    def __init__(self, parameters: Sequence[Tensor], rows: int, threads: Threads) -> None:
        self._parameters = [p.detach() for p in parameters]
        for parameter in parameters:
            parameter.grad = torch.zeros_like(parameter)
        self._gradients = [p.grad for p in parameters if p.grad is not None]
        self._threads = threads
        self._loss: float | Tensor = 0.0
        if kernels.can_take(*self._parameters):
            self._step = self._in_kernel
            size = max(kernels.BLOCK, -(-rows // threads.count))  # rows of a share
            self._shares = [slice(start, start + size) for start in range(0, rows, size)]
            self._arrays = [p.numpy() for p in self._parameters]
            self._totals = [gradient.numpy() for gradient in self._gradients]
            self._parts = [[torch.zeros_like(p).numpy() for p in self._parameters] for _ in self._shares]
        else:
            self._step = self._in_torch
            first, _, second, _ = self._parameters
            self._hidden, self._grad_hidden = first.new_empty(rows, len(first)), first.new_empty(rows, len(first))
            self._error = first.new_empty(rows, len(second))
            self._ones = first.new_ones(rows)

    @torch.no_grad()
    def step(self, x: Tensor, y: Tensor) -> None:
        """Put the gradients of one batch, x (R, L) and y (R, Z), into the parameters' `grad`."""
        self._step(x, y)

    def _in_kernel(self, x: Tensor, y: Tensor) -> None:
        inputs, wanted = x.numpy(), y.numpy()

        def squares(share: int) -> float:
            rows, scale = self._shares[share], 2 / wanted.size
            found: float = kernels.regression(inputs[rows], wanted[rows], *self._arrays, scale, *self._parts[share])
            return found

        self._loss = sum(self._threads.map(squares, range(len(self._shares)))) / wanted.size
        for total, *parts in zip(self._totals, *self._parts, strict=True):
            np.copyto(total, parts[0])
            for part in parts[1:]:
                np.add(total, part, out=total)

    def _in_torch(self, x: Tensor, y: Tensor) -> None:
        first, first_bias, second, second_bias = self._parameters
        grad_first, grad_first_bias, grad_second, grad_second_bias = self._gradients
        hidden, error, grad_hidden, ones = self._hidden, self._error, self._grad_hidden, self._ones
        torch.addmm(first_bias, x, first.t(), out=hidden).relu_()  # (R, H)
        torch.addmm(second_bias, hidden, second.t(), out=error).sub_(y)  # (R, Z)
        scale = 2 / error.numel()
        torch.addmm(grad_second, error.t(), hidden, beta=0, alpha=scale, out=grad_second)  # (Z, H)
        torch.addmv(grad_second_bias, error.t(), ones, beta=0, alpha=scale, out=grad_second_bias)  # (Z,)
        torch.mm(error, second, out=grad_hidden).mul_(hidden.sign())  # (R, H): ReLU passes where it is positive
        torch.addmm(grad_first, grad_hidden.t(), x, beta=0, alpha=scale, out=grad_first)  # (H, L)
        torch.addmv(grad_first_bias, grad_hidden.t(), ones, beta=0, alpha=scale, out=grad_first_bias)  # (H,)
        self._loss = error.square().mean()

    def loss(self) -> float:
        """The mean squared error of the last batch, before its step."""
        return float(self._loss)
