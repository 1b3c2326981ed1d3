"""Operations on rows beside products: copy, gather, scatter, transpose, sum."""

# ruff: noqa: ARG001  (numba fixes the arguments)

from typing import Any

from llvmlite import ir
from numba import types

from ptde_core.kernels.compile import Array, code, inner
from ptde_core.kernels.products import cgutils


@code
def copy_floats(_: Any, into: Any, source: Any, count: Any) -> Any:
    """Copy `count` floats from one address to another."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        to, of = (builder.inttoptr(address, ir.IntType(8).as_pointer()) for address in arguments[:2])
        cgutils.raw_memcpy(builder, to, of, arguments[2], 4)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 3), generate


@inner
def copy(into: Array, rows: Array) -> None:
    """Copy rows; both arrays are contiguous."""
    copy_floats(into.ctypes.data, rows.ctypes.data, into.size)


@inner
def repeat(into: Array, vector: Array) -> None:
    """Set every row to the vector."""
    for row in range(len(into)):
        copy_floats(into.ctypes.data + row * into.strides[0], vector.ctypes.data, len(vector))


@inner
def gather(into: Array, rows: Array, first: Array, offset: int) -> None:
    """Row k of `into` becomes rows[first[k] + offset]."""
    to, of = into.ctypes.data, rows.ctypes.data
    for k in range(len(into)):
        copy_floats(to + k * into.strides[0], of + (first[k] + offset) * rows.strides[0], into.shape[1])


@inner
def scatter(into: Array, rows: Array, first: Array, offset: int) -> None:
    """Row first[k] + offset of `into` becomes rows[k]."""
    to, of = into.ctypes.data, rows.ctypes.data
    for k in range(len(rows)):
        copy_floats(to + (first[k] + offset) * into.strides[0], of + k * rows.strides[0], rows.shape[1])


@inner
def turn(into: Array, rows: Array) -> None:
    """Into (m, n) = rows (n, m), transposed."""
    for k in range(len(into)):
        for j in range(into.shape[1]):
            into[k, j] = rows[j, k]


@inner
def add_rows(into: Array, rows: Array) -> None:
    """Add the sum of the rows to the vector."""
    done = 0
    while done + 4 <= len(rows):
        a, b, c, d = rows[done], rows[done + 1], rows[done + 2], rows[done + 3]
        for k in range(len(into)):
            into[k] = into[k] + a[k] + b[k] + c[k] + d[k]
        done += 4
    for row in range(done, len(rows)):
        own = rows[row]
        for k in range(len(into)):
            into[k] += own[k]
