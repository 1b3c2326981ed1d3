"""Standard normals that depend on a seed and their place alone: the same in whole, in part and on any device."""

import math

import numpy as np
import torch
from torch import Tensor

from ptde_core import kernels
from ptde_core.kernels.normals import FIRST, GOLDEN, SECOND


def standard_normals(seed: int, rows: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Standard normals (r, *shape) float32; result k is row number rows[k] of the endless table that `seed` determines.

    Args:
        seed: 64 bits.
        rows: (r,) int64.
        shape: of one row.
    """
    width = math.prod(shape)
    if rows.device.type == "cpu" and kernels.are_on():
        numbers = torch.empty(len(rows), width)
        kernels.normals(np.uint64(seed), kernels.array(rows), numbers.numpy())
    else:
        numbers = in_torch(seed, rows, width)
    return numbers.view(len(rows), *shape)


def in_torch(seed: int, rows: Tensor, width: int) -> Tensor:
    """The same (r, width) by torch's operations: see `ptde_core/kernels/normals.py`."""
    pairs = (width + 1) // 2
    bits = (rows[:, None] * pairs + torch.arange(pairs, device=rows.device)) * _signed(GOLDEN) + _signed(seed)
    bits = (bits ^ _shifted(bits, 30)) * _signed(FIRST)
    bits = (bits ^ _shifted(bits, 27)) * _signed(SECOND)
    bits = bits ^ _shifted(bits, 31)  # (r, pairs)
    radius = (-2 * ((_shifted(bits, 40) + 1).float() / 2**24).log()).sqrt()
    eighths = (_shifted(bits, 2) & 0xFFFFFF).float() / 2**24 - 0.5  # of a quarter turn, around its middle
    angle = (eighths + (bits & 1) + (bits & 2)) * (math.pi / 2)
    return torch.cat([radius * angle.cos(), radius * angle.sin()], dim=1)[:, :width]


def _signed(bits: int) -> int:
    """The 64-bit number as torch has it."""
    return bits - (1 << 64) if bits >= 1 << 63 else bits


def _shifted(bits: Tensor, by: int) -> Tensor:
    """To the right, zeros coming in."""
    return (bits >> by) & ((1 << (64 - by)) - 1)
