"""Exponential, sigmoid, tanh and others of one float, without branches, so that LLVM can vectorize them."""

# ruff: noqa: ARG001  (numba fixes the arguments)

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from ptde_core.kernels.compile import Array, code, entry, inner
from ptde_core.kernels.products import FLOAT, INT


@code
def _times_power_of_two(_: Any, value: Any, exponent: Any) -> Any:
    """Value * 2^n, where n are the lowest bits of the float `exponent`."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        bits, power = (builder.bitcast(argument, INT) for argument in arguments)
        return builder.bitcast(builder.add(bits, builder.shl(power, INT(23))), FLOAT)

    return types.float32(types.float32, types.float32), generate


@code
def _bits(_: Any, value: Any) -> Any:
    """A float's bits as a whole number."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        return builder.bitcast(arguments[0], INT)

    return types.int32(types.float32), generate


@code
def _of_bits(_: Any, bits: Any) -> Any:
    """The float with these bits."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        return builder.bitcast(builder.trunc(arguments[0], INT), FLOAT)

    return types.float32(types.int64), generate


ONE, _TWO, _HALF = np.float32(1), np.float32(2), np.float32(0.5)
_LOWEST, _HIGHEST = np.float32(-87.0), np.float32(88.0)  # outside, exp is denormal or infinite
_PER_LN2 = np.float32(1 / np.log(2))
_LN2_HIGH = np.float32(0.693359375)  # few bits, so that its product with a small integer is exact
_LN2_LOW = np.float32(np.log(2) - 0.693359375)
_ROUNDER = np.float32(1.5 * 2**23)  # adding it rounds a float to an integer
_E2, _E3, _E4, _E5, _E6, _E7 = (np.float32(1 / f) for f in (2, 6, 24, 120, 720, 5040))
_T3, _T5, _T7, _T9, _T11, _T13 = (
    np.float32(c) for c in (-1 / 3, 2 / 15, -17 / 315, 62 / 2835, -1382 / 155925, 21844 / 6081075)
)


@inner
def exp(x: Any) -> Any:
    """e^x = 2^n e^f with |f| <= ln(2) / 2; e^f by its Taylor series."""
    x = min(max(x, _LOWEST), _HIGHEST)
    rounded = x * _PER_LN2 + _ROUNDER
    n = rounded - _ROUNDER
    f = (x - n * _LN2_HIGH) - n * _LN2_LOW
    series = _E7 * f + _E6
    series = series * f + _E5
    series = series * f + _E4
    series = series * f + _E3
    series = series * f + _E2
    series = series * f + ONE
    return _times_power_of_two(series * f + ONE, rounded)


@inner
def sigmoid(x: Any) -> Any:
    """1 / (1 + e^-x)."""
    return ONE / (ONE + exp(-x))


@inner
def tanh(x: Any) -> Any:
    """By its Taylor series near zero, by the exponential elsewhere."""
    square = x * x
    series = _T13 * square + _T11
    series = series * square + _T9
    series = series * square + _T7
    series = series * square + _T5
    series = series * square + _T3
    near = x + x * square * series
    far = ONE - _TWO / (exp(_TWO * x) + ONE)
    return near if square < np.float32(0.25) else far


_LN2, _ROOT_OF_TWO = np.float32(np.log(2)), np.float32(2**0.5)
_L3, _L5, _L7, _L9 = (np.float32(1 / n) for n in (3, 5, 7, 9))


@inner
def logarithm(x: Any) -> Any:
    """Ln(x) of a positive normal float m 2^n with sqrt(1/2) < m <= sqrt(2): n ln(2) + 2 artanh((m - 1) / (m + 1))."""
    bits = np.int64(_bits(x))
    n = np.float32((bits >> 23) - 127)
    m = _of_bits((bits & 0x7FFFFF) | 0x3F800000)  # from 1 to 2
    high = m > _ROOT_OF_TWO
    m, n = (m * _HALF if high else m), (n + ONE if high else n)
    s = (m - ONE) / (m + ONE)
    square = s * s
    series = _L9 * square + _L7
    series = series * square + _L5
    series = series * square + _L3
    return n * _LN2 + _TWO * (s + s * square * series)


_C2, _C4, _C6, _C8 = (np.float32(c) for c in (-1 / 2, 1 / 24, -1 / 720, 1 / 40320))
_S3, _S5, _S7, _S9 = (np.float32(c) for c in (-1 / 6, 1 / 120, -1 / 5040, 1 / 362880))


@inner
def cosine(x: Any) -> Any:
    """Taylor series, for angles of up to 45 degrees either way."""
    square = x * x
    series = _C8 * square + _C6
    series = series * square + _C4
    series = series * square + _C2
    return series * square + ONE


@inner
def sine(x: Any) -> Any:
    """Taylor series, for angles of up to 45 degrees either way."""
    square = x * x
    series = _S9 * square + _S7
    series = series * square + _S5
    series = series * square + _S3
    return x + x * square * series


@entry
def functions_of(x: Array, exponentials: Array, sigmoids: Array, tangents: Array) -> None:
    """Exponential, sigmoid and tanh of every x; the tests call it."""
    for k in range(len(x)):
        exponentials[k] = exp(x[k])
    for k in range(len(x)):
        sigmoids[k] = sigmoid(x[k])
    for k in range(len(x)):
        tangents[k] = tanh(x[k])
