"""Instructions on sets of up to 64 things, one bit of a number each."""

# ruff: noqa: ARG001  (numba fixes the arguments)

from typing import Any

from llvmlite import ir
from numba import types

from ptde_core.kernels.compile import code


@code
def lowest_one(_: Any, bits: Any) -> Any:
    """The place of the lowest bit that is set in a uint64, as int64; one is."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), generate
