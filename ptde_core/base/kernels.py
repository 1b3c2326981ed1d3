"""Compiled loops on float32 matrices: products, layers, the recurrence of a GRU, mixing, and their gradients.

A product's tiles are held in vector registers, and what comes before and after a product is done while its rows are in
the cache. A BLAS cannot do that, and it copies tall, narrow matrices first, which costs as much as such a product.
All stand in one file because numba looks at the file of a cached kernel, and at no other, to see whether it is stale.
"""

# ruff: noqa: ARG001, D417  (numba hands over what it likes; shapes are told of what needs telling)

from collections.abc import Callable
from typing import Any, cast

import llvmlite.binding as llvm
import numba
import numpy as np
import torch
from llvmlite import ir
from numba import types
from numba.core import cgutils as _cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[Any]
cgutils: Any = _cgutils  # untyped

# Floats of one register, and rows of a tile that is two registers wide: the sums take 16 of 32 registers, or 12 of 16.
LANES, ROWS = (16, 8) if llvm.get_host_cpu_features().get("avx512f") else (8, 6)
BLOCK = 64  # rows worked on at a time: with all they need they stay in the second-level cache


def can_take(*tensors: Tensor) -> bool:
    """Whether the kernels compute with such tensors: float32 on the CPU."""
    return all(tensor.dtype == torch.float32 and tensor.device.type == "cpu" for tensor in tensors)


def array(tensor: Tensor) -> NDArray[Any]:
    """A tensor's memory as the kernels take it; a copy if it is not contiguous."""
    found: NDArray[Any] = tensor.detach().contiguous().numpy()
    return found


def _inner(function: Callable[..., Any]) -> Any:
    """A kernel for other kernels."""
    return _jit(function, no_cpython_wrapper=True)


def _entry(function: Callable[..., Any]) -> Any:
    """A kernel that Python calls; it releases the interpreter, so that each thread works on a part."""
    return _jit(function, cache=True)


def _jit(function: Callable[..., Any], **options: bool) -> Any:
    """Division by zero follows numpy; a product and a sum may be one instruction, and nothing else is reordered."""
    return cast(Any, numba.njit)(nogil=True, error_model="numpy", fastmath={"contract"}, **options)(function)


# Products. ------------------------------------------------------------------------------------------------------------

_ADDRESS, _INT, _FLOAT = ir.IntType(64), ir.IntType(32), ir.FloatType()
_FLOATS, _INTS, _BITS = (ir.VectorType(kind, LANES) for kind in (_FLOAT, _INT, ir.IntType(1)))


def _code(function: Callable[..., Any]) -> Any:
    """A kernel for other kernels whose code is written here, instruction by instruction."""
    return intrinsic(function)


def _tile(rows: int, vectors: int, masked: bool = False) -> Any:
    """A kernel: a tile of `rows` times `vectors * LANES` floats += left @ right, all three given by addresses in bytes.

    With `masked`, of each row's last vector just the first `count` floats are read and written.
    """

    @_code
    def tile(
        _: Any, into: Any, into_step: Any, left: Any, row_step: Any, column_step: Any, right: Any, right_step: Any,
        depth: Any, count: Any,
    ) -> Any:  # fmt: skip
        def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
            *operands, length, wanted = arguments
            access = _Access(builder, wanted if masked else None)
            _multiply(builder, access, operands, length, rows, vectors)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 9), generate

    return tile


def _multiply(
    builder: ir.IRBuilder, access: "_Access", operands: list[ir.Value], depth: ir.Value, rows: int, vectors: int
) -> None:
    """Write a tile's code: load the sums, add a column of `left` times a row of `right` at a time, store the sums."""
    into, into_step, left, row_step, column_step, right, right_step = operands

    def moved(start: ir.Value, step: ir.Value, count: int) -> ir.Value:
        return builder.add(start, builder.mul(step, _ADDRESS(count)))

    def vectors_from(start: ir.Value) -> list[tuple[ir.Value, bool]]:
        """Where each is, and whether it is the last of its row."""
        return [(moved(start, _ADDRESS(4 * LANES), k), k == vectors - 1) for k in range(vectors)]

    fma = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(_FLOATS, [_FLOATS] * 3), f"llvm.fma.v{LANES}f32"
    )
    targets = [vector for row in range(rows) for vector in vectors_from(moved(into, into_step, row))]
    sums = [cgutils.alloca_once_value(builder, access.load(*vector)) for vector in targets]  # LLVM makes them registers
    starts = [moved(left, row_step, row) for row in range(rows)]
    with cgutils.for_range(builder, depth, intp=_ADDRESS) as loop:
        start = builder.add(right, builder.mul(loop.index, right_step))
        across = [access.load(*vector) for vector in vectors_from(start)]
        down = builder.mul(loop.index, column_step)
        for row, start in enumerate(starts):
            place = builder.inttoptr(builder.add(start, down), _FLOAT.as_pointer())
            factor = _repeated(builder, _FLOATS, builder.load(place))
            for k, vector in enumerate(across):
                total = sums[row * vectors + k]
                builder.store(builder.call(fma, [factor, vector, builder.load(total)]), total)
    for vector, total in zip(targets, sums, strict=True):
        access.store(builder.load(total), *vector)


def _repeated(builder: ir.IRBuilder, kind: ir.VectorType, value: ir.Value) -> ir.Value:
    """A vector of one value."""
    nothing = ir.Constant(kind, ir.Undefined)
    single = builder.insert_element(nothing, value, _INT(0))
    return builder.shuffle_vector(single, nothing, ir.Constant(_INTS, [0] * LANES))


class _Access:
    """Writes code that loads and stores vectors; of the last of a row only the first `count` floats, if it is given."""

    def __init__(self, builder: ir.IRBuilder, count: ir.Value | None) -> None:
        self._builder, self._mask = builder, None
        if count is not None:
            places = ir.Constant(_INTS, list(range(LANES)))
            limit = _repeated(builder, _INTS, builder.trunc(count, _INT))
            self._mask = builder.icmp_signed("<", places, limit)

    def load(self, address: ir.Value, last: bool) -> ir.Value:
        pointer = self._builder.inttoptr(address, _FLOATS.as_pointer())
        if self._mask is None or not last:
            return self._builder.load(pointer, align=4)
        kind = ir.FunctionType(_FLOATS, [pointer.type, _INT, _BITS, _FLOATS])
        load = cgutils.get_or_insert_function(self._builder.module, kind, f"llvm.masked.load.v{LANES}f32.p0")
        return self._builder.call(load, [pointer, _INT(4), self._mask, ir.Constant(_FLOATS, [0.0] * LANES)])

    def store(self, value: ir.Value, address: ir.Value, last: bool) -> None:
        pointer = self._builder.inttoptr(address, _FLOATS.as_pointer())
        if self._mask is None or not last:
            self._builder.store(value, pointer, align=4)
            return
        kind = ir.FunctionType(ir.VoidType(), [_FLOATS, pointer.type, _INT, _BITS])
        store = cgutils.get_or_insert_function(self._builder.module, kind, f"llvm.masked.store.v{LANES}f32.p0")
        self._builder.call(store, [value, pointer, _INT(4), self._mask])


def _panel(vectors: int, masked: bool = False) -> Any:
    """A kernel: `rows` rows of such tiles, one below the other."""
    middle, few = ROWS // 2, 2
    tile, tile_middle, tile_few, tile_row = (_tile(height, vectors, masked) for height in (ROWS, middle, few, 1))

    @_inner
    def panel(
        into: int, into_step: int, left: int, row_step: int, column_step: int, right: int, right_step: int,
        rows: int, depth: int, count: int,
    ) -> None:  # fmt: skip
        row = 0
        while row < rows:
            to, of, rest = into + row * into_step, left + row * row_step, rows - row
            if rest >= ROWS:
                tile(to, into_step, of, row_step, column_step, right, right_step, depth, count)
                row += ROWS
            elif rest >= middle:
                tile_middle(to, into_step, of, row_step, column_step, right, right_step, depth, count)
                row += middle
            elif rest >= few:
                tile_few(to, into_step, of, row_step, column_step, right, right_step, depth, count)
                row += few
            else:
                tile_row(to, into_step, of, row_step, column_step, right, right_step, depth, count)
                row += 1

    return panel


_wide, _edge, _slim = _panel(2), _panel(2, masked=True), _panel(1, masked=True)


@_inner
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


@_inner
def add_product(into: Array, left: Array, right: Array) -> None:
    """Into (m, n) += left (m, k) @ right (k, n). Rows of `into` and `right` are contiguous; `left` is as it may be."""
    _add_product_at(
        into.ctypes.data, into.strides[0], left.ctypes.data, left.strides[0], left.strides[1],
        right.ctypes.data, right.strides[0], into.shape[0], into.shape[1], left.shape[1],
    )  # fmt: skip


# Rows. ----------------------------------------------------------------------------------------------------------------


@_code
def _copy_floats(_: Any, into: Any, source: Any, count: Any) -> Any:
    """`count` floats from one address to another."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        to, of = (builder.inttoptr(address, ir.IntType(8).as_pointer()) for address in arguments[:2])
        cgutils.raw_memcpy(builder, to, of, arguments[2], 4)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 3), generate


@_inner
def _copy(into: Array, rows: Array) -> None:
    """Both contiguous."""
    _copy_floats(into.ctypes.data, rows.ctypes.data, into.size)


@_inner
def _repeat(into: Array, vector: Array) -> None:
    for row in range(len(into)):
        _copy_floats(into.ctypes.data + row * into.strides[0], vector.ctypes.data, len(vector))


@_inner
def _gather(into: Array, rows: Array, first: Array, offset: int) -> None:
    """Into row k: rows[first[k] + offset]."""
    to, of = into.ctypes.data, rows.ctypes.data
    for k in range(len(into)):
        _copy_floats(to + k * into.strides[0], of + (first[k] + offset) * rows.strides[0], into.shape[1])


@_inner
def _scatter(into: Array, rows: Array, first: Array, offset: int) -> None:
    """Into row first[k] + offset: rows[k]."""
    to, of = into.ctypes.data, rows.ctypes.data
    for k in range(len(rows)):
        _copy_floats(to + (first[k] + offset) * into.strides[0], of + k * rows.strides[0], rows.shape[1])


@_inner
def _turn(into: Array, rows: Array) -> None:
    """Into (m, n) = rows (n, m), transposed."""
    for k in range(len(into)):
        for j in range(into.shape[1]):
            into[k, j] = rows[j, k]


@_inner
def _add_rows(into: Array, rows: Array) -> None:
    """Into the vector: the sum of the rows."""
    for row in range(len(rows)):
        for k in range(len(into)):
            into[k] += rows[row, k]


# Functions of one number, without branches, so that LLVM computes a vector of them at a time. -------------------------


@_code
def _times_power_of_two(_: Any, value: Any, exponent: Any) -> Any:
    """Value * 2^n, where n are the lowest bits of the float `exponent`."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        bits, power = (builder.bitcast(argument, _INT) for argument in arguments)
        return builder.bitcast(builder.add(bits, builder.shl(power, _INT(23))), _FLOAT)

    return types.float32(types.float32, types.float32), generate


_ONE, _TWO, _HALF_OF_ONE = np.float32(1), np.float32(2), np.float32(0.5)
_LOWEST, _HIGHEST = np.float32(-87.0), np.float32(88.0)  # what the exponential of a float can take without denormals
_PER_LN2 = np.float32(1 / np.log(2))
_LN2_HIGH = np.float32(0.693359375)  # few bits, so that a product with a small whole number is exact
_LN2_LOW = np.float32(np.log(2) - 0.693359375)
_ROUNDER = np.float32(1.5 * 2**23)  # after adding it a float has no room for a fraction
_E2, _E3, _E4, _E5, _E6, _E7 = (np.float32(1 / f) for f in (2, 6, 24, 120, 720, 5040))
_T3, _T5, _T7, _T9, _T11, _T13 = (
    np.float32(c) for c in (-1 / 3, 2 / 15, -17 / 315, 62 / 2835, -1382 / 155925, 21844 / 6081075)
)


@_inner
def _exp(x: Any) -> Any:
    """e^x = 2^n e^f with |f| <= ln(2) / 2, whose Taylor series ends soon."""
    x = min(max(x, _LOWEST), _HIGHEST)
    rounded = x * _PER_LN2 + _ROUNDER
    n = rounded - _ROUNDER
    f = (x - n * _LN2_HIGH) - n * _LN2_LOW
    series = _E7 * f + _E6
    series = series * f + _E5
    series = series * f + _E4
    series = series * f + _E3
    series = series * f + _E2
    series = series * f + _ONE
    return _times_power_of_two(series * f + _ONE, rounded)


@_inner
def _sigmoid(x: Any) -> Any:
    return _ONE / (_ONE + _exp(-x))


@_inner
def _tanh(x: Any) -> Any:
    """Near zero its Taylor series, elsewhere from the exponential."""
    square = x * x
    series = _T13 * square + _T11
    series = series * square + _T9
    series = series * square + _T7
    series = series * square + _T5
    series = series * square + _T3
    near = x + x * square * series
    far = _ONE - _TWO / (_exp(_TWO * x) + _ONE)
    return near if square < np.float32(0.25) else far


@_entry
def functions_of(x: Array, exponentials: Array, sigmoids: Array, tangents: Array) -> None:
    """The three functions that the gates need, of every x: for the tests."""
    for k in range(len(x)):
        exponentials[k] = _exp(x[k])
    for k in range(len(x)):
        sigmoids[k] = _sigmoid(x[k])
    for k in range(len(x)):
        tangents[k] = _tanh(x[k])


# A layer: y = f(x W^T + b). -------------------------------------------------------------------------------------------

PLAIN, RELU, LEAKY_RELU = 0, 1, 2
_LEAK = np.float32(0.01)


@_entry
def layer(x: Array, turned: Array, bias: Array, function: int, y: Array) -> None:
    """Y (R, m) = function(x (R, k) @ turned (k, m) + bias (m,))."""
    near = np.empty((BLOCK, x.shape[1]), np.float32)
    for start in range(0, len(x), BLOCK):
        out = y[start : start + BLOCK]
        _repeat(out, bias)
        _copy(near[: len(out)], x[start : start + BLOCK])
        add_product(out, near[: len(out)], turned)
        if function != PLAIN:
            slope = np.float32(0.0) if function == RELU else _LEAK
            for row in range(len(out)):
                values = out[row]
                for k in range(len(values)):
                    values[k] = values[k] if values[k] > np.float32(0.0) else values[k] * slope


@_entry
def layer_gradients(
    x: Array, weight: Array, y: Array, function: int, grad_y: Array, grad_x: Array, grad_weight: Array, grad_bias: Array
) -> None:
    """Gradients of a layer: of x (R, k), or none if `grad_x` has no rows; of weight (m, k) and bias (m,), added."""
    work, near = np.empty((BLOCK, len(weight)), np.float32), np.empty((BLOCK, x.shape[1]), np.float32)
    for start in range(0, len(x), BLOCK):
        upstream = grad_y[start : start + BLOCK]
        before = work[: len(upstream)]  # gradient before the function
        if function == PLAIN:
            before[:] = upstream
        else:
            slope = np.float32(0.0) if function == RELU else _LEAK
            for row in range(len(before)):
                own, given, values = before[row], upstream[row], y[start + row]
                for k in range(len(own)):
                    own[k] = given[k] if values[k] > np.float32(0.0) else given[k] * slope
        if len(grad_x):
            out = grad_x[start : start + BLOCK]
            out[:] = np.float32(0.0)
            add_product(out, before, weight)
        _copy(near[: len(before)], x[start : start + BLOCK])
        add_product(grad_weight, before.T, near[: len(before)])
        _add_rows(grad_bias, before)


@_entry
def regression(
    x: Array, y: Array, first: Array, first_bias: Array, second: Array, second_bias: Array, scale: float,
    grad_first: Array, grad_first_bias: Array, grad_second: Array, grad_second_bias: Array,
) -> float:  # fmt: skip
    """Of error = second relu(first x + b) + c - y: its squares' sum; and `scale` times half of that sum's gradients.

    Args:
        x: (R, L).
        y: (R, Z).
        first: (H, L) weights, second (Z, H), each with its bias.
        scale: what the gradients, which are written, are multiplied by.
    """
    hidden, outputs = second.shape[1], len(second)
    turned, second_turned = np.empty((x.shape[1], hidden), np.float32), np.empty((hidden, outputs), np.float32)
    _turn(turned, first)
    _turn(second_turned, second)
    between, back = np.empty((BLOCK, hidden), np.float32), np.empty((BLOCK, hidden), np.float32)
    errors = np.empty((BLOCK, outputs), np.float32)
    zero, factor = np.float32(0.0), np.float32(scale)
    grad_first[:], grad_second[:], grad_first_bias[:], grad_second_bias[:] = zero, zero, zero, zero
    total = np.float64(0.0)
    for start in range(0, len(x), BLOCK):
        fed, wanted = x[start : start + BLOCK], y[start : start + BLOCK]
        passed, error, given = between[: len(fed)], errors[: len(fed)], back[: len(fed)]
        _repeat(passed, first_bias)
        add_product(passed, fed, turned)
        for row in range(len(fed)):
            for k in range(hidden):
                passed[row, k] = max(passed[row, k], zero)
        _repeat(error, second_bias)
        add_product(error, passed, second_turned)
        for row in range(len(fed)):
            squares = zero
            for k in range(outputs):
                error[row, k] -= wanted[row, k]
                squares += error[row, k] * error[row, k]
            total += np.float64(squares)
            for k in range(outputs):
                error[row, k] *= factor
        add_product(grad_second, error.T, passed)
        _add_rows(grad_second_bias, error)
        given[:] = zero
        add_product(given, error, second)
        for row in range(len(fed)):
            for k in range(hidden):
                given[row, k] = given[row, k] if passed[row, k] > zero else zero
        add_product(grad_first, given.T, fed)
        _add_rows(grad_first_bias, given)
    return total


# The recurrence of a GRU. Sequences lie end to end, a row per step and agent: the row of a stream (an agent in a
# sequence) at step t is first + t * stride. Streams are sorted, longer ones first; those alive are the first. ---------


@_inner
def _sums(sums: Array, fed: Array, old: Array, input_turned: Array, turned: Array, biases: Array) -> None:
    """The sums (4, r, H) of reset, update, new and recurrent part from inputs (r, I) and hiddens (r, H)."""
    size = old.shape[1]
    for gate in range(4):
        _repeat(sums[gate], biases[gate])
    for gate in range(3):
        own = slice(gate * size, (gate + 1) * size)
        add_product(sums[gate], fed, input_turned[:, own])
        add_product(sums[gate if gate < 2 else 3], old, turned[:, own])


@_inner
def _gates(sums: Array, hidden: Array) -> None:
    """From the sums (4, r, H) of reset, update, new and recurrent part to gates, and to the new hidden; in place."""
    reset, update, new, recurrent = sums[0].ravel(), sums[1].ravel(), sums[2].ravel(), sums[3].ravel()
    now = hidden.ravel()
    for k in range(len(now)):
        reset[k] = _sigmoid(reset[k])
    for k in range(len(now)):
        update[k] = _sigmoid(update[k])
    for k in range(len(now)):
        new[k] = _tanh(new[k] + reset[k] * recurrent[k])
    for k in range(len(now)):
        now[k] = new[k] + update[k] * (now[k] - new[k])


@_entry
def gru(
    x: Array,
    first: Array,
    steps: Array,
    stride: int,
    input_turned: Array,
    turned: Array,
    biases: Array,
    memory: Array,
    hidden: Array,
    kept: Array,
) -> None:
    """Hiddens (R, H) of inputs x (R, I).

    Args:
        x: (R, I).
        first, steps: (M,) int64, the first row and the number of steps of each stream, never rising.
        stride: rows from a stream's step to its next.
        input_turned, turned: (I, 3H), (H, 3H) weights, transposed.
        biases: (4, H) of the sums of reset, update, new and recurrent part.
        memory: (M, H) hiddens before the first steps; they become those after the last ones.
        hidden: (R, H), written.
        kept: (4R, H), written for `gru_gradients`: blocks in the order of the work. With no rows nothing is kept.
    """
    size = memory.shape[1]
    inputs, work = np.empty((BLOCK, x.shape[1]), np.float32), np.empty((4 * BLOCK, size), np.float32)
    alive, done = len(first), 0
    for t in range(steps[0]):
        while steps[alive - 1] <= t:
            alive -= 1
        for begin in range(0, alive, BLOCK):
            count = min(BLOCK, alive - begin)
            old, fed = memory[begin : begin + count], inputs[:count]
            sums = (kept[4 * done : 4 * (done + count)] if len(kept) else work[: 4 * count]).reshape((4, count, size))
            _gather(fed, x, first[begin:], t * stride)
            _sums(sums, fed, old, input_turned, turned, biases)
            _gates(sums, old)
            _scatter(hidden, old, first[begin:], t * stride)
            done += count


@_entry
def gru_step(x: Array, input_turned: Array, turned: Array, biases: Array, memory: Array) -> None:
    """One step of play: the hiddens `memory` (E, N, H) go on by the inputs x (E, N, I); the rest is as for `gru`."""
    size = memory.shape[2]
    rows, hiddens = x.reshape((-1, x.shape[2])), memory.reshape((-1, size))
    work = np.empty((4 * BLOCK, size), np.float32)
    for begin in range(0, len(rows), BLOCK):
        fed, old = rows[begin : begin + BLOCK], hiddens[begin : begin + BLOCK]
        sums = work[: 4 * len(fed)].reshape((4, len(fed), size))
        _sums(sums, fed, old, input_turned, turned, biases)
        _gates(sums, old)


@_inner
def _slopes(gates: Array, before: Array, upstream: Array, total: Array, sums: Array) -> None:
    """From the gradient of hiddens to that of the sums (4, r, H).

    Args:
        gates: (4, r, H) as `_gates` has left them.
        before, upstream: (r, H) hiddens before the step; gradient of those after it, from outside.
        total: (r, H) gradient of those after it, from the next step; becomes what passes by the gates.
        sums: written.
    """
    reset, update, new, recurrent = gates[0].ravel(), gates[1].ravel(), gates[2].ravel(), gates[3].ravel()
    of_reset, of_update, of_new, of_recurrent = sums[0].ravel(), sums[1].ravel(), sums[2].ravel(), sums[3].ravel()
    old, given, grad = before.ravel(), upstream.ravel(), total.ravel()
    for k in range(len(grad)):
        grad[k] += given[k]
    for k in range(len(grad)):
        of_new[k] = grad[k] * (_ONE - update[k]) * (_ONE - new[k] * new[k])
    for k in range(len(grad)):
        of_update[k] = grad[k] * (old[k] - new[k]) * update[k] * (_ONE - update[k])
    for k in range(len(grad)):
        of_recurrent[k] = of_new[k] * reset[k]
    for k in range(len(grad)):
        of_reset[k] = of_recurrent[k] * recurrent[k] * (_ONE - reset[k])
    for k in range(len(grad)):
        grad[k] *= update[k]


@_entry
def gru_gradients(
    x: Array,
    first: Array,
    steps: Array,
    stride: int,
    input_weight: Array,
    weight: Array,
    start: Array,
    hidden: Array,
    kept: Array,
    grad_hidden: Array,
    grad_x: Array,
    grad_input_weight: Array,
    grad_weight: Array,
    grad_biases: Array,
    grad_start: Array,
) -> None:
    """Back through time. Weights are (3H, I), (3H, H); those of the gradients hold zeros and are added to.

    Args:
        start: (M, H) the hiddens before the first steps.
        grad_hidden: (R, H).
        grad_x: (R, I), written.
        grad_biases: (4, H) zeros, added to.
        grad_start: (M, H) zeros; becomes the gradient of `start`.
    """
    size, width = start.shape[1], x.shape[1]
    inputs, out = np.empty((BLOCK, width), np.float32), np.empty((BLOCK, width), np.float32)
    befores, upstreams = np.empty((BLOCK, size), np.float32), np.empty((BLOCK, size), np.float32)
    work = np.empty((4 * BLOCK, size), np.float32)
    alive, done = 0, len(hidden)
    for t in range(steps[0] - 1, -1, -1):
        while alive < len(first) and steps[alive] > t:
            alive += 1
        done -= alive
        for begin in range(0, alive, BLOCK):
            count = min(BLOCK, alive - begin)
            fed, given, before, upstream = inputs[:count], out[:count], befores[:count], upstreams[:count]
            total = grad_start[begin : begin + count]
            gates = kept[4 * (done + begin) : 4 * (done + begin + count)].reshape((4, count, size))
            sums = work[: 4 * count].reshape((4, count, size))
            _gather(fed, x, first[begin:], t * stride)
            _gather(upstream, grad_hidden, first[begin:], t * stride)
            if t:
                _gather(before, hidden, first[begin:], (t - 1) * stride)
            else:
                _copy(before, start[begin : begin + count])
            _slopes(gates, before, upstream, total, sums)
            given[:] = np.float32(0.0)
            for gate in range(3):
                own = slice(gate * size, (gate + 1) * size)
                of_input, of_hidden = sums[gate], sums[gate if gate < 2 else 3]
                add_product(given, of_input, input_weight[own])
                add_product(total, of_hidden, weight[own])
                add_product(grad_input_weight[own], of_input.T, fed)
                add_product(grad_weight[own], of_hidden.T, before)
            _scatter(grad_x, given, first[begin:], t * stride)
            for gate in range(4):
                _add_rows(grad_biases[gate], sums[gate])


# Agent-specific weights: g = sum_k a_k (s . M_k), with s . M shared by the agents of a row. ---------------------------


@_entry
def contraction(state: Array, a: Array, m: Array, shared: Array, g: Array) -> None:
    """g[r, n, z] = sum_k a[r, n, k] sum_s state[r, s] m[s, k, z].

    Args:
        state: (R, S).
        a: (R, N, K).
        m: (S, K*Z + any number of columns that are not used).
        shared: (R, as m), written: state . m for `contraction_gradients`; or `BLOCK` rows of it, used again and again.
        g: (R, N, Z), written.
    """
    rows, _, factors = a.shape
    size = g.shape[2]
    for begin in range(0, rows, BLOCK):
        count = min(BLOCK, rows - begin)
        own = shared[begin : begin + count] if len(shared) >= rows else shared[:count]
        used = own[:, : factors * size]
        used[:] = np.float32(0.0)
        add_product(used, state[begin : begin + count], m[:, : factors * size])
        for k in range(count):
            mixed = g[begin + k]
            mixed[:] = np.float32(0.0)
            add_product(mixed, a[begin + k], own[k, : factors * size].reshape((factors, size)))


@_entry
def contraction_gradients(
    state: Array, a: Array, m: Array, shared: Array, grad_g: Array, grad_a: Array, grad_m: Array
) -> None:
    """Gradients of a, written, and of m, added. `shared` holds all rows; or room for a block, and is made anew."""
    rows, agents, factors = a.shape
    size, width = grad_g.shape[2], m.shape[1]
    given, turned = np.empty((BLOCK, width), np.float32), np.empty((factors, agents), np.float32)
    upstream = np.empty((size, agents), np.float32)
    for begin in range(0, rows, BLOCK):
        count = min(BLOCK, rows - begin)
        part, own = (
            state[begin : begin + count],
            shared[begin : begin + count] if len(shared) >= rows else shared[:count],
        )
        if len(shared) < rows:
            used = own[:, : factors * size]
            used[:] = np.float32(0.0)
            add_product(used, part, m[:, : factors * size])
        for k in range(count):
            _turn(upstream, grad_g[begin + k])
            turned[:] = np.float32(0.0)
            add_product(turned, own[k, : factors * size].reshape((factors, size)), upstream)
            _turn(grad_a[begin + k], turned)
            of_shared = given[k, : factors * size].reshape((factors, size))
            of_shared[:] = np.float32(0.0)
            add_product(of_shared, a[begin + k].T, grad_g[begin + k])
        add_product(grad_m[:, : factors * size], part.T, given[:count, : factors * size])


# QMIX's mixing of the agents' values, and the choice of actions. ------------------------------------------------------


@_entry
def mix(values: Array, first: Array, bias: Array, second: Array, offset: Array, hidden: Array, team: Array) -> None:
    """Team values (R,) from values (R, N): elu(values . |first| + bias) . |second| + offset.

    Args:
        first: (R, N, M).
        bias, second: (R, M).
        offset: (R,).
        hidden: (R, M), written: what elu is taken of.
    """
    rows, agents, width = first.shape
    for row in range(rows):
        sums = hidden[row]
        for k in range(width):
            sums[k] = bias[row, k]
        for agent in range(agents):
            value, weights = values[row, agent], first[row, agent]
            for k in range(width):
                sums[k] += value * abs(weights[k])
        total = offset[row]
        for k in range(width):
            x = sums[k]
            below = _exp(x) - _ONE
            total += (x if x > np.float32(0.0) else below) * abs(second[row, k])
        team[row] = total


@_entry
def mix_gradients(
    values: Array,
    first: Array,
    second: Array,
    hidden: Array,
    grad_team: Array,
    grad_values: Array,
    grad_first: Array,
    grad_bias: Array,
    grad_second: Array,
) -> None:
    """Gradients of all that `mix` takes; that of the offset is `grad_team` itself."""
    rows, agents, width = first.shape
    zero = np.float32(0.0)
    for row in range(rows):
        given, sums, own, of_second = grad_team[row], hidden[row], grad_bias[row], grad_second[row]
        for k in range(width):
            x, weight = sums[k], second[row, k]
            power = _exp(x)
            of_second[k] = given * (x if x > zero else power - _ONE) * np.sign(weight)
            own[k] = given * abs(weight) * (_ONE if x > zero else power)
        for agent in range(agents):
            value, weights, of_first = values[row, agent], first[row, agent], grad_first[row, agent]
            total = zero
            for k in range(width):
                of_first[k] = own[k] * value * np.sign(weights[k])
            for k in range(width):
                total += own[k] * abs(weights[k])
            grad_values[row, agent] = total


@_entry
def best_available(values: Array, available: Array, choice: Array, best: Array) -> None:
    """Of each row of values (R, A) the largest among the available ones and where it stands, the first of equals."""
    for row in range(len(values)):
        highest, place = np.float32(-np.inf), 0
        for k in range(values.shape[1]):
            if available[row, k] and values[row, k] > highest:
                highest, place = values[row, k], k
        choice[row], best[row] = place, highest


@_entry
def explore(actions: Array, available: Array, epsilon: Array, draws: Array) -> None:
    """See `policies.play.explore`, whose arguments these are."""
    for env in range(len(actions)):
        for agent in range(actions.shape[1]):
            if draws[env, 0, agent] < epsilon[env]:
                count = 0
                for action in range(available.shape[2]):
                    count += available[env, agent, action]
                left = np.int64(draws[env, 1, agent] * count)  # how many available ones stand before the chosen one
                for action in range(available.shape[2]):
                    if available[env, agent, action]:
                        if left == 0:
                            actions[env, agent] = action
                        left -= 1


# What lies around the networks in an update. --------------------------------------------------------------------------


@_entry
def local_inputs(obs: Array, actions: Array, lengths: Array, local: Array) -> None:
    """The agents' inputs at all views of a padded batch, end to end: observation, last action, identity.

    Args:
        obs: (B, T+1, N, O).
        actions: (B, T, N) int64.
        lengths: (B,) int64 real steps of each episode, which has one view more.
        local: (R, N, O+A+N), written.
    """
    agents, size, width = obs.shape[2], obs.shape[3], local.shape[2]
    row = 0
    for episode in range(len(lengths)):
        for t in range(lengths[episode] + 1):
            for agent in range(agents):
                own = local[row, agent]
                _copy_floats(own.ctypes.data, obs[episode, t, agent].ctypes.data, size)
                for k in range(size, width):
                    own[k] = np.float32(0.0)
                if t:
                    own[size + actions[episode, t - 1, agent]] = np.float32(1.0)
                own[width - agents + agent] = np.float32(1.0)
            row += 1


@_entry
def add_weighted(weights: Array, sums: Array) -> None:
    """Backwards in time, sums[:, t] += weights[:, t] * sums[:, t+1]: weights (B, T, M), sums (B, T+1, M)."""
    for row in range(len(sums)):
        for t in range(weights.shape[1] - 1, -1, -1):
            for k in range(weights.shape[2]):
                sums[row, t, k] += weights[row, t, k] * sums[row, t + 1, k]
