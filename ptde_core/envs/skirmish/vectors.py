"""Instructions that numba has no names for: on sets of units, one bit each, and on several numbers at once."""

# ruff: noqa: ARG001  (numba fixes the arguments)

from typing import Any

from llvmlite import ir
from numba import types

from ptde_core.envs.skirmish.scratch import BENDS
from ptde_core.kernels.compile import code
from ptde_core.kernels.products import ADDRESS, FLOAT, FLOATS, LANES, cgutils, repeated

WORD = 64  # bits of a set of units in one number


@code
def bits_within(_: Any, xs: Any, ys: Any, squares: Any, x: Any, y: Any) -> Any:
    """Which of `LANES` points are nearer to (x, y) than the root of their square: a bit of an int64 each.

    The points are float32 numbers at three addresses; one with an infinite coordinate is never near.
    """

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        *places, x, y = arguments
        xs, ys, squares = (builder.load(builder.inttoptr(p, FLOATS.as_pointer()), align=4) for p in places)
        dx, dy = (builder.fsub(of, repeated(builder, FLOATS, one)) for of, one in ((xs, x), (ys, y)))
        distance = builder.fadd(builder.fmul(dx, dx), builder.fmul(dy, dy))
        near = builder.fcmp_ordered("<", distance, squares)
        return builder.zext(builder.bitcast(near, ir.IntType(LANES)), ADDRESS)

    return types.int64(*[types.int64] * 3, *[types.float32] * 2), generate


@code
def worst_excesses(
    _: Any, xs: Any, ys: Any, enough: Any, count: Any, dx: Any, dy: Any, turn: Any, cosines: Any, sines: Any, into: Any
) -> Any:
    """Of `BENDS` directions, by how much the worst of `count` blockers at (x, y) lies farther along it than `enough`.

        max over blockers of along * cosine + across * sine - enough,
        along = x dx + y dy,  across = turn (y dx - x dy)

    All but `count`, `dx`, `dy` and `turn` are addresses of float32 numbers.
    """
    kind = ir.VectorType(FLOAT, BENDS)

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        xs, ys, enough, count, dx, dy, turn, *vectors = arguments
        cosines, sines, into = (builder.inttoptr(place, kind.as_pointer()) for place in vectors)
        bends = [builder.load(place, align=4) for place in (cosines, sines)]
        worst = cgutils.alloca_once_value(builder, ir.Constant(kind, [float("-inf")] * BENDS))  # kept in a register
        with cgutils.for_range(builder, count, intp=ADDRESS) as loop:
            offset = builder.mul(loop.index, ADDRESS(4))
            places = (builder.inttoptr(builder.add(place, offset), FLOAT.as_pointer()) for place in (xs, ys, enough))
            x, y, least = (builder.load(place) for place in places)
            along = builder.fadd(builder.fmul(x, dx), builder.fmul(y, dy))
            across = builder.fmul(turn, builder.fsub(builder.fmul(y, dx), builder.fmul(x, dy)))
            parts = [builder.fmul(repeated(builder, kind, x), b) for x, b in zip((along, across), bends, strict=True)]
            excess = builder.fsub(builder.fadd(*parts), repeated(builder, kind, least))
            so_far = builder.load(worst)
            builder.store(builder.select(builder.fcmp_ordered(">", excess, so_far), excess, so_far), worst)
        builder.store(builder.load(worst), into, align=4)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 4, *[types.float32] * 3, *[types.int64] * 3), generate
