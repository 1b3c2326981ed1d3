"""Products of float32 matrices, in tiles that fit into vector registers, written in LLVM's intermediate representation.

A BLAS packs tall, narrow matrices before it multiplies them, which costs as much as the product itself.
"""

# ruff: noqa: ARG001  (numba fixes the arguments)

from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils as _cgutils

from ptde_core.kernels.compile import Array, code, inner

cgutils: Any = _cgutils  # untyped

LANES, ROWS = (16, 8) if llvm.get_host_cpu_features().get("avx512f") else (8, 6)
BLOCK = 64  # rows that are computed at a time: small enough for the L2 cache


ADDRESS, INT, FLOAT = ir.IntType(64), ir.IntType(32), ir.FloatType()
FLOATS, INTS, _BITS = (ir.VectorType(kind, LANES) for kind in (FLOAT, INT, ir.IntType(1)))


def tile(rows: int, vectors: int, masked: bool = False) -> Any:
    """A kernel for a tile of `rows` times `vectors * LANES` floats: tile += left @ right, all given by byte addresses.

    With `masked`, only the first `count` floats of each row's last vector are read and written.
    """

    @code
    def kernel(
        _: Any, into: Any, into_step: Any, left: Any, row_step: Any, column_step: Any, right: Any, right_step: Any,
        depth: Any, count: Any,
    ) -> Any:  # fmt: skip
        def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
            *operands, length, wanted = arguments
            access = Access(builder, wanted if masked else None)
            _multiply(builder, access, operands, length, rows, vectors)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 9), generate

    return kernel


def _multiply(
    builder: ir.IRBuilder, access: "Access", operands: list[ir.Value], depth: ir.Value, rows: int, vectors: int
) -> None:  # fmt: skip
    """Emit a tile's code: load the sums, add one outer product of left and right at a time, store the sums."""
    into, into_step, left, row_step, column_step, right, right_step = operands

    def moved(start: ir.Value, step: ir.Value, count: int) -> ir.Value:
        return builder.add(start, builder.mul(step, ADDRESS(count)))

    def vectors_from(start: ir.Value) -> list[tuple[ir.Value, bool]]:
        """The address of each vector, and whether it is the last of its row."""
        return [(moved(start, ADDRESS(4 * LANES), k), k == vectors - 1) for k in range(vectors)]

    add_product_of = _products(builder)
    targets = [vector for row in range(rows) for vector in vectors_from(moved(into, into_step, row))]
    sums = [cgutils.alloca_once_value(builder, access.load(*vector)) for vector in targets]  # kept in registers
    starts = [moved(left, row_step, row) for row in range(rows)]
    with cgutils.for_range(builder, depth, intp=ADDRESS) as loop:
        start = builder.add(right, builder.mul(loop.index, right_step))
        across = [access.load(*vector) for vector in vectors_from(start)]
        down = builder.mul(loop.index, column_step)
        for row, start in enumerate(starts):
            place = builder.inttoptr(builder.add(start, down), FLOAT.as_pointer())
            factor = repeated(builder, FLOATS, builder.load(place))
            for k, vector in enumerate(across):
                total = sums[row * vectors + k]
                builder.store(add_product_of(factor, vector, builder.load(total)), total)
    for vector, total in zip(targets, sums, strict=True):
        access.store(builder.load(total), *vector)


def _products(builder: ir.IRBuilder) -> Callable[..., ir.Value]:
    """Emits a * b + c of float vectors."""
    kind = ir.FunctionType(FLOATS, [FLOATS] * 3)
    fma = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{LANES}f32")
    return lambda a, b, c: builder.call(fma, [a, b, c])


def repeated(builder: ir.IRBuilder, kind: ir.VectorType, value: ir.Value) -> ir.Value:
    """A vector that repeats one value."""
    nothing = ir.Constant(kind, ir.Undefined)
    single = builder.insert_element(nothing, value, INT(0))
    return builder.shuffle_vector(single, nothing, ir.Constant(ir.VectorType(INT, kind.count), [0] * kind.count))


class Access:
    """Emits loads and stores of vectors; with `count`, only that many floats of the last vector of a row."""

    def __init__(self, builder: ir.IRBuilder, count: ir.Value | None) -> None:
        self._builder, self._mask = builder, None
        if count is not None:
            places = ir.Constant(INTS, list(range(LANES)))
            limit = repeated(builder, INTS, builder.trunc(count, INT))
            self._mask = builder.icmp_signed("<", places, limit)

    def load(self, address: ir.Value, last: bool) -> ir.Value:
        """Emit a load; lanes that are not read are zero."""
        pointer = self._builder.inttoptr(address, FLOATS.as_pointer())
        if self._mask is None or not last:
            return self._builder.load(pointer, align=4)
        kind = ir.FunctionType(FLOATS, [pointer.type, INT, _BITS, FLOATS])
        load = cgutils.get_or_insert_function(self._builder.module, kind, f"llvm.masked.load.v{LANES}f32.p0")
        return self._builder.call(load, [pointer, INT(4), self._mask, ir.Constant(FLOATS, [0.0] * LANES)])

    def store(self, value: ir.Value, address: ir.Value, last: bool) -> None:
        """Emit a store."""
        pointer = self._builder.inttoptr(address, FLOATS.as_pointer())
        if self._mask is None or not last:
            self._builder.store(value, pointer, align=4)
            return
        kind = ir.FunctionType(ir.VoidType(), [FLOATS, pointer.type, INT, _BITS])
        store = cgutils.get_or_insert_function(self._builder.module, kind, f"llvm.masked.store.v{LANES}f32.p0")
        self._builder.call(store, [value, pointer, INT(4), self._mask])


def panel_of(vectors: int, masked: bool = False) -> Any:
    """A kernel for a column of tiles, one below the other."""
    middle, few = ROWS // 2, 2
    high, half, low, single = (tile(height, vectors, masked) for height in (ROWS, middle, few, 1))

    def panel(
        into: int, into_step: int, left: int, row_step: int, column_step: int, right: int, right_step: int,
        rows: int, depth: int, count: int,
    ) -> None:  # fmt: skip
        row = 0
        while row < rows:
            to, of, rest = into + row * into_step, left + row * row_step, rows - row
            if rest >= ROWS:
                high(to, into_step, of, row_step, column_step, right, right_step, depth, count)
                row += ROWS
            elif rest >= middle:
                half(to, into_step, of, row_step, column_step, right, right_step, depth, count)
                row += middle
            elif rest >= few:
                low(to, into_step, of, row_step, column_step, right, right_step, depth, count)
                row += few
            else:
                single(to, into_step, of, row_step, column_step, right, right_step, depth, count)
                row += 1

    panel.__qualname__ = f"panel_of_{vectors}_{'masked' if masked else 'whole'}"
    return inner(panel)


_wide, _edge, _slim = panel_of(2), panel_of(2, masked=True), panel_of(1, masked=True)


@inner
def _add_product_at(
    into: int, into_step: int, left: int, row_step: int, column_step: int, right: int, right_step: int,
    rows: int, columns: int, depth: int,
) -> None:  # fmt: skip
    for column in range(0, columns, 2 * LANES):
        to, beside, rest = into + 4 * column, right + 4 * column, columns - column
        if rest >= 2 * LANES:
            _wide(to, into_step, left, row_step, column_step, beside, right_step, rows, depth, 0)
        elif rest > LANES:
            _edge(to, into_step, left, row_step, column_step, beside, right_step, rows, depth, rest - LANES)
        else:
            _slim(to, into_step, left, row_step, column_step, beside, right_step, rows, depth, rest)


@inner
def add_product(into: Array, left: Array, right: Array) -> None:
    """Into (m, n) += left (m, k) @ right (k, n). Rows of `into` and `right` are contiguous; `left` may be strided."""
    _add_product_at(
        into.ctypes.data, into.strides[0], left.ctypes.data, left.strides[0], left.strides[1],
        right.ctypes.data, right.strides[0], into.shape[0], into.shape[1], left.shape[1],
    )  # fmt: skip
