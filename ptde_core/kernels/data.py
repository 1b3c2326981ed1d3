"""Matrix products with input data, which is mostly zeros: terms that are zero are skipped.

A column that is zero in all rows of a block is skipped. Of one-hots, such as last actions, only the ones are looked up.
The remaining terms are added in the same order, so that the result is the same bit for bit.
"""

# ruff: noqa: ARG001  (numba fixes the arguments)

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types

from ptde_core.kernels.bits import lowest_one
from ptde_core.kernels.compile import Array, code, inner
from ptde_core.kernels.products import ADDRESS, BLOCK, FLOATS, LANES, Access, add_product, tile
from ptde_core.kernels.rows import copy, copy_floats

STRIP = 128  # columns of a wide product that are computed at a time; what is looked up stays in the L2 cache


class Block(NamedTuple):
    """Which columns of a block of rows (r, k) are not all zero, and scratch space."""

    dense: int  # number of columns before the one-hots
    seen: Array  # (dense,) float32, 1 where a column is not zero in all rows
    used: Array  # (1,) int64, the number of such columns
    columns: Array  # (dense,) int64, their indices
    near: Array  # (BLOCK * k,) these columns, packed row by row
    ones: Array  # (BLOCK, one_hot) int64, each row's one-hot columns that are not zero
    counts: Array  # (BLOCK,) int64, their number
    packed: Array  # (k, STRIP) the rows of the other matrix that belong to these columns, packed


@inner
def room(width: int, one_hot: int) -> Block:
    """Scratch space for blocks of rows with `width` columns, of which the last `one_hot` are one-hots."""
    dense = width - one_hot
    return Block(
        dense,
        np.empty(dense, np.float32),
        np.empty(1, np.int64),
        np.empty(dense, np.int64),
        np.empty(BLOCK * dense, np.float32),
        np.empty((BLOCK, one_hot), np.int64),
        np.empty(BLOCK, np.int64),
        np.empty((dense, STRIP), np.float32),
    )


@code
def _bits_of_nonzeros(_: Any, place: Any, count: Any) -> Any:
    """One bit for each of up to `LANES` floats at an address, set where it is not zero, the first at the lowest."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        start, wanted = arguments
        floats = Access(builder, wanted).load(start, True)
        found = builder.fcmp_unordered("!=", floats, ir.Constant(FLOATS, [0.0] * LANES))
        return builder.zext(builder.bitcast(found, ir.IntType(LANES)), ADDRESS)

    return types.int64(types.int64, types.int64), generate


@inner
def _nonzeros(start: int, width: int, offset: int, found: Array) -> int:
    """Write the indices, plus `offset`, of the floats at an address that are not zero; returns how many they are."""
    count = 0
    for first in range(0, width, LANES):
        bits = _bits_of_nonzeros(start + 4 * first, min(LANES, width - first))
        while bits:
            found[count] = offset + first + lowest_one(np.uint64(bits))
            bits &= bits - 1
            count += 1
    return count


@inner
def look_at(rows: Array, block: Block) -> None:
    """Find the columns of up to `BLOCK` rows (r, k) that are not all zero."""
    dense, width = block.dense, rows.shape[1]
    start, step = rows.ctypes.data, rows.strides[0]
    count = dense
    if dense < width:
        block.seen[:] = np.float32(0.0)
        for row in range(len(rows)):
            values = rows[row]
            for k in range(dense):
                block.seen[k] = np.float32(1.0) if values[k] != np.float32(0.0) else block.seen[k]
        count = _nonzeros(block.seen.ctypes.data, dense, 0, block.columns)
    block.used[0] = count
    if count == dense:
        for row in range(len(rows)):
            copy_floats(block.near.ctypes.data + 4 * row * dense, start + row * step, dense)
    else:
        for row in range(len(rows)):
            own, values = block.near[row * count :], rows[row]
            for k in range(count):
                own[k] = values[block.columns[k]]
    for row in range(len(rows) if width > dense else 0):
        block.counts[row] = _nonzeros(start + row * step + 4 * dense, width - dense, dense, block.ones[row])


@inner
def add_data_product(into: Array, rows: Array, right: Array, block: Block) -> None:
    """Into (r, n) += rows (r, k) @ right (k, n), after `look_at`."""
    count, width = block.used[0], into.shape[1]
    near = block.near[: len(rows) * count].reshape((len(rows), count))
    if count == block.dense:
        add_product(into, near, right[:count])
    for start in range(0, width, STRIP):
        size = min(STRIP, width - start)
        out, beside = into[:, start : start + size], right[:, start : start + size]
        if count < block.dense:
            packed = block.packed[:count, :size]
            for k in range(count):
                copy(packed[k], beside[block.columns[k]])
            add_product(out, near, packed)
        if block.dense < rows.shape[1]:
            for row in range(len(rows)):
                for k in range(block.counts[row]):
                    column = block.ones[row, k]
                    factor = rows.ctypes.data + row * rows.strides[0] + 4 * column
                    to, of = out.ctypes.data + row * out.strides[0], beside.ctypes.data + column * beside.strides[0]
                    _add_scaled(to, factor, of, size)


@inner
def add_turned_data_product(into: Array, rows: Array, right: Array, block: Block) -> None:
    """Into (k, n) += rows (r, k) transposed @ right (r, n), after `look_at`."""
    count, width = block.used[0], into.shape[1]
    near = block.near[: len(rows) * count].reshape((len(rows), count))
    if count == block.dense:
        add_product(into[:count], near.T, right)
    for start in range(0, width, STRIP):
        size = min(STRIP, width - start)
        out, beside = into[:, start : start + size], right[:, start : start + size]
        if count < block.dense:
            packed = block.packed[:count, :size]
            for k in range(count):
                copy(packed[k], out[block.columns[k]])
            add_product(packed, near.T, beside)
            for k in range(count):
                copy(out[block.columns[k]], packed[k])
        if block.dense < rows.shape[1]:
            for row in range(len(rows)):
                for k in range(block.counts[row]):
                    column = block.ones[row, k]
                    factor = rows.ctypes.data + row * rows.strides[0] + 4 * column
                    to, of = out.ctypes.data + column * out.strides[0], beside.ctypes.data + row * beside.strides[0]
                    _add_scaled(to, factor, of, size)


_four, _part = tile(1, 4), tile(1, 1, masked=True)


@inner
def _add_scaled(into: int, factor: int, vector: int, count: int) -> None:
    """`count` floats += factor * vector, all given by addresses in bytes."""
    done = 0
    while done + 4 * LANES <= count:
        _four(into + 4 * done, 0, factor, 0, 0, vector + 4 * done, 0, 1, 0)
        done += 4 * LANES
    while done < count:
        _part(into + 4 * done, 0, factor, 0, 0, vector + 4 * done, 0, 1, min(LANES, count - done))
        done += LANES
