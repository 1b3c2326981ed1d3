"""Products of float32 matrices whose operands are rounded to bfloat16, two at a time, with float32 sums.

The processor's own dot product of pairs (AVX512-BF16) does twice the work of a float32 product in the same time. The
operands are laid out as it reads them on the way, a cacheful at a time.
"""

# ruff: noqa: ARG001  (numba hands over what it likes)

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import types

from ptde_core.base.kernels.compile import Array, code, inner
from ptde_core.base.kernels.products import HALVES, INTS, LANES, Access, add_product, panel_of

CAN_ROUND = bool(llvm.get_host_cpu_features().get("avx512bf16"))
_ROWS, _DEPTH = 256, 128  # of `left` and of `right` that are laid out at a time
_LEFT, _RIGHT = _ROWS * _DEPTH // 2, _DEPTH // 2 * 2 * LANES  # pairs of both
_FEW = 16  # with fewer rows or columns, laying operands out costs more than pairs save

Precision = Literal["float32", "bfloat16-gradients", "bfloat16"]


class _Here(threading.local):
    precision: Precision = "float32"


_here = _Here()


@contextmanager
def multiplying(precision: Precision) -> Iterator[None]:
    """Within it, layers, recurrences and contractions of this thread multiply so, and their gradients later.

    All but float32 needs `CAN_ROUND`.
    """
    before, _here.precision = _here.precision, precision
    try:
        yield
    finally:
        _here.precision = before


def pairs() -> Array | None:
    """What kernels take: room for operands in pairs where this thread multiplies in bfloat16, None where in float32."""
    return _room() if _here.precision == "bfloat16" else None


def gradient_pairs() -> Array | None:
    """The same for the gradients of what this thread computes now."""
    return None if _here.precision == "float32" else _room()


def _room() -> Array:
    return np.empty(_LEFT + _RIGHT, np.int32)


@code
def _round_row(_: Any, into: Any, floats: Any, count: Any) -> Any:
    """Up to `LANES` floats at an address, rounded, to another; zeros behind them."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        to, of, wanted = arguments
        halves = builder.fptrunc(Access(builder, wanted).load(of, True), HALVES)
        builder.store(halves, builder.inttoptr(to, HALVES.as_pointer()), align=2)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 3), generate


@code
def _round_two_rows(_: Any, into: Any, first: Any, second: Any, count: Any, count_of_second: Any) -> Any:
    """Up to `LANES` pairs of floats, the first ones at an address, the second ones at another; zeros behind them."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        to, *starts = arguments[:3]
        shorts = ir.VectorType(ir.IntType(16), LANES)
        low, high = (
            builder.zext(builder.bitcast(builder.fptrunc(Access(builder, wanted).load(of, True), HALVES), shorts), INTS)
            for of, wanted in zip(starts, arguments[3:], strict=True)
        )
        both = builder.or_(low, builder.shl(high, ir.Constant(INTS, [16] * LANES)))
        builder.store(both, builder.inttoptr(to, INTS.as_pointer()), align=4)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 5), generate


@inner
def _lay_rows(into: int, row_step: int, rows: int, left: int, left_step: int, depth: int) -> None:
    """Rows of `depth` floats at an address, each to `row_step` bytes after the one before."""
    for row in range(rows):
        for k in range(0, depth, LANES):
            _round_row(into + row * row_step + 2 * k, left + row * left_step + 4 * k, min(LANES, depth - k))


@inner
def _lay_pairs(into: int, into_step: int, right: int, right_step: int, depth: int, columns: int) -> None:
    """Of `depth` rows of floats at an address, pairs of two rows, each two to `into_step` bytes after those before."""
    for k in range(0, depth, 2):
        first = right + k * right_step
        second = first + right_step if k + 1 < depth else first
        for column in range(0, columns, LANES):
            count = min(LANES, columns - column)
            _round_two_rows(
                into + k // 2 * into_step + 4 * column, first + 4 * column, second + 4 * column,
                count, count if k + 1 < depth else 0,
            )  # fmt: skip


_wide, _edge, _slim = (panel_of(vectors, masked, paired=True) for vectors, masked in ((2, False), (2, True), (1, True)))


@inner
def _add_rounded_product(into: Array, left: Array, right: Array, pairs: Array) -> None:
    """Into (m, n) += left (m, k) @ right (k, n), both rounded; rows or columns of `left` are contiguous."""
    rows, columns, depth = into.shape[0], into.shape[1], left.shape[1]
    of_left, of_right = pairs.ctypes.data, pairs.ctypes.data + 4 * _LEFT
    into_step, right_step = into.strides[0], right.strides[0]
    for k in range(0, depth, _DEPTH):
        deep = min(_DEPTH, depth - k)
        half = (deep + 1) // 2
        for row in range(0, rows, _ROWS):
            high = min(_ROWS, rows - row)
            start = left.ctypes.data + row * left.strides[0] + k * left.strides[1]
            if left.strides[1] == 4:
                row_step, pair_step = 2 * ((deep + LANES - 1) // LANES * LANES), 4
                _lay_rows(of_left, row_step, high, start, left.strides[0], deep)
            else:
                row_step, pair_step = 4, 4 * ((high + LANES - 1) // LANES * LANES)
                _lay_pairs(of_left, pair_step, start, left.strides[1], deep, high)
            for column in range(0, columns, 2 * LANES):
                rest = columns - column
                to = into.ctypes.data + row * into_step + 4 * column
                beside = right.ctypes.data + k * right_step + 4 * column
                _lay_pairs(of_right, 8 * LANES, beside, right_step, deep, min(2 * LANES, rest))
                if rest >= 2 * LANES:
                    _wide(to, into_step, of_left, row_step, pair_step, of_right, 8 * LANES, high, half, 0)
                elif rest > LANES:
                    _edge(to, into_step, of_left, row_step, pair_step, of_right, 8 * LANES, high, half, rest - LANES)
                else:
                    _slim(to, into_step, of_left, row_step, pair_step, of_right, 8 * LANES, high, half, rest)


@inner
def add_product_in(into: Array, left: Array, right: Array, pairs: Array | None) -> None:
    """`add_product`; with operands rounded to bfloat16 if there is room for `pairs`."""
    if pairs is None or min(into.shape) < _FEW:
        add_product(into, left, right)
    else:
        _add_rounded_product(into, left, right, pairs)
