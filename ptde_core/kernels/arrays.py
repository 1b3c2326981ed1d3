"""The switch of the kernels, and which tensors they take.

`PTDE_KERNELS=off` in the environment leaves networks, learners and the choice of actions to torch and numpy.
While torch records its operations (to export a network) no kernel is used either: it would not be recorded.
"""

import os

import torch
from torch import Tensor

from ptde_core.base.errors import PtdeError
from ptde_core.kernels.compile import Array

VARIABLE = "PTDE_KERNELS"


def _asked_for() -> bool:
    value = os.environ.get(VARIABLE, "on")
    if value not in ("on", "off"):
        raise PtdeError(f"{VARIABLE} is {value!r}, which is neither on nor off", f"unset it, or say {VARIABLE}=off")
    return value == "on"


_ON = _asked_for()


def are_on() -> bool:
    """Whether kernels are used at all."""
    return _ON


def traced() -> bool:
    """Whether torch records its operations: `torch.export`, `torch.onnx.export`, `torch.compile`, `torch.jit.trace`."""
    return torch.compiler.is_compiling() or torch.jit.is_tracing()  # type: ignore[attr-defined,no-untyped-call]  # torch's


def can_take(*tensors: Tensor) -> bool:
    """Whether the kernels compute with such tensors: they are on, all are float32 on the CPU, and nothing is traced."""
    return (
        _ON
        and not traced()
        and all(tensor.dtype == torch.float32 and tensor.device.type == "cpu" for tensor in tensors)
    )


def array(tensor: Tensor) -> Array:
    """A tensor's memory as the kernels take it; a copy if it is not contiguous."""
    found: Array = tensor.detach().contiguous().numpy()
    return found
