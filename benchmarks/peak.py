"""The processor's own multiply-add peak: FLOP/s of chains of vector instructions that touch no memory."""

# ruff: noqa: ARG001  (numba hands over what it likes)

import os
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils as _cgutils

from ptde_core.kernels.compile import code, entry
from ptde_core.kernels.products import ADDRESS, FLOATS, LANES

cgutils: Any = _cgutils  # untyped
CHAINS = 12  # more than an instruction's latency times those begun in a cycle; fewer than there are registers
ROUNDS = 20_000_000


@code
def _multiply_and_add(_: Any, rounds: Any) -> Any:
    """So many rounds of x = x * a + b in each chain; the sum of their first numbers, so that all are computed."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        kind = ir.FunctionType(FLOATS, [FLOATS] * 3)
        fma = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{LANES}f32")
        factor, addend = (ir.Constant(FLOATS, [number] * LANES) for number in (0.5, 1.0))
        chains = [cgutils.alloca_once_value(builder, ir.Constant(FLOATS, [float(k)] * LANES)) for k in range(CHAINS)]
        with cgutils.for_range(builder, arguments[0], intp=ADDRESS):
            for chain in chains:
                builder.store(builder.call(fma, [builder.load(chain), factor, addend]), chain)
        total = ir.Constant(ir.FloatType(), 0.0)
        for chain in chains:
            total = builder.fadd(total, builder.extract_element(builder.load(chain), ir.IntType(32)(0)))
        return total

    return types.float32(types.int64), generate


@entry
def _chains(rounds: int) -> float:
    total: float = _multiply_and_add(rounds)
    return total


def multiply_add_peak(threads: int) -> float:
    """FLOP/s of so many threads at once, a multiplication and an addition counted as two: the best of three tries."""
    _chains(1)
    best = 0.0
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(3):
            began = perf_counter()
            list(pool.map(_chains, [ROUNDS] * threads))
            best = max(best, 2.0 * ROUNDS * CHAINS * LANES * threads / (perf_counter() - began))
    return best


if __name__ == "__main__":
    count = len(os.sched_getaffinity(0))
    print(f"{multiply_add_peak(1) / 1e9:.0f} GFLOP/s on one thread, {multiply_add_peak(count) / 1e9:.0f} on {count}")
