"""Compiled kernels that call others by their address.

A kernel that calls another by name is compiled with all of the other's code in it once more, which takes some 15
seconds for the simulator. One that is given an address calls what is there.
"""

# ruff: noqa: ARG001  (numba hands over what it likes)

from typing import Any

import numba as _numba
from llvmlite import ir
from numba import types as _types

from ptde_core.kernels.compile import code
from ptde_core.kernels.products import cgutils

numba: Any = _numba  # untyped, as its types
types: Any = _types


def address_of(entry: Any, *arguments: Any) -> int:
    """Where the machine code of an entry kernel is that takes arguments of these types; compiled if it is not yet."""
    found = entry.overloads[compiled_for(entry, *arguments)]
    address: int = found.library.get_pointer_to_function(found.fndesc.llvm_func_name)
    return address


def compiled_for(entry: Any, *arguments: Any) -> tuple[Any, ...]:
    """Compile an entry kernel for such arguments, if it is not yet; their types."""
    kinds = tuple(numba.typeof(argument) for argument in arguments)
    if kinds not in entry.overloads:
        entry.compile(kinds)
    return kinds


@code
def call(_: Any, address: Any, arguments: Any) -> Any:
    """Call the kernel at an address; it must have been compiled for just these types, and must return nothing.

    A number is an int64 or a float64. The arguments are a tuple.
    """
    kinds = [types.unliteral(kind) for kind in arguments]

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, given: Any) -> ir.Value:
        place, values = given
        convention = context.call_conv
        pointer = convention.get_function_type(types.none, kinds).as_pointer()
        callee = builder.inttoptr(place, pointer)
        unpacked = cgutils.unpack_tuple(builder, values)
        status, _ = convention.call_function(builder, callee, types.none, kinds, unpacked)
        with cgutils.if_unlikely(builder, status.is_error):
            convention.return_status_propagate(builder, status)
        return context.get_dummy_value()

    kind = types.Tuple(kinds)
    return types.void(types.int64, kind), generate
