"""Which tensors kernels take, and as what."""

import torch
from torch import Tensor

from ptde_core.base.kernels.compile import Array


def can_take(*tensors: Tensor) -> bool:
    """Whether the kernels compute with such tensors: float32 on the CPU."""
    return all(tensor.dtype == torch.float32 and tensor.device.type == "cpu" for tensor in tensors)


def array(tensor: Tensor) -> Array:
    """A tensor's memory as the kernels take it; a copy if it is not contiguous."""
    found: Array = tensor.detach().contiguous().numpy()
    return found
