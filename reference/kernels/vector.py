"""SIMD by hand: a vector of float32 that a kernel keeps in a register, as LLVM's own vector type.

Numba vectorises a loop, but keeps what the loop sums in memory. A product of matrices wants a tile of sums in
registers from its first term to its last: the 1 x 1 convolutions of MobileNetV2 (224 px) took 17 ms as loops over
output channels, and take 4 ms as tiles of these vectors.

These functions exist in kernels only. None checks an index.
"""

# ruff: noqa: ARG001 - what an intrinsic takes is for numba to say

from __future__ import annotations

from typing import Any

from llvmlite import binding, ir
from numba import types
from numba.extending import intrinsic as _intrinsic
from numba.extending import models, register_model

intrinsic: Any = _intrinsic  # it takes away the argument ``context``, which is more than a type can say

# A register of AVX-512. Elsewhere one of AVX or two of NEON, and the 12 vectors of a tile of sums fit again. LLVM's own
# choice with AVX-512 would be 8, for which the same convolutions took 1.4 times as long.
WIDTH = 16 if binding.get_host_cpu_features().get("avx512f") else 8

FLOATS = ir.VectorType(ir.FloatType(), WIDTH)
INTS = ir.VectorType(ir.IntType(32), WIDTH)
_BITS = ir.VectorType(ir.IntType(1), WIDTH)


class Vector(types.Type):
    """``WIDTH`` float32."""

    def __init__(self) -> None:
        super().__init__(name=f"Vector{WIDTH}")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, of: Any) -> None:
        super().__init__(manager, of, FLOATS)


VECTOR = Vector()


@intrinsic
def load(context: Any, row: Any, i: Any) -> Any:
    """``row[i : i + WIDTH]``."""

    def build(target: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.load(address(target, builder, signature, values, FLOATS), align=4)

    return VECTOR(row, types.intp), build


@intrinsic
def spread(context: Any, row: Any, i: Any) -> Any:
    """``row[i]``, ``WIDTH`` times."""

    def build(target: Any, builder: Any, signature: Any, values: Any) -> Any:
        return in_lanes(builder, builder.load(address(target, builder, signature, values, ir.FloatType()), align=4))

    return VECTOR(row, types.intp), build


@intrinsic
def store(context: Any, row: Any, i: Any, vector: Any) -> Any:
    """``row[i : i + WIDTH] = vector``."""

    def build(target: Any, builder: Any, signature: Any, values: Any) -> Any:
        builder.store(values[2], address(target, builder, signature, values, FLOATS), align=4)
        return target.get_dummy_value()

    return types.void(row, types.intp, VECTOR), build


@intrinsic
def store_first(context: Any, row: Any, i: Any, vector: Any, count: Any) -> Any:
    """``row[i : i + count] = vector[:count]``; all of the vector if ``count`` is more, nothing if it is negative."""

    def build(target: Any, builder: Any, signature: Any, values: Any) -> Any:
        at, pointer = address(target, builder, signature, values, FLOATS), FLOATS.as_pointer()
        lanes = ir.Constant(INTS, list(range(WIDTH)))
        mask = builder.icmp_signed("<", lanes, in_lanes(builder, builder.trunc(values[3], ir.IntType(32))))
        kinds = [FLOATS, pointer, ir.IntType(32), _BITS]
        function = declared(builder, f"llvm.masked.store.v{WIDTH}f32.p0", ir.VoidType(), kinds)
        builder.call(function, [values[2], at, ir.IntType(32)(4), mask])
        return target.get_dummy_value()

    return types.void(row, types.intp, VECTOR, types.intp), build


@intrinsic
def prefetch(context: Any, row: Any, i: Any) -> Any:
    """Bring the cache line of ``row[i]`` into the second-level cache, while the machine goes on."""

    def build(target: Any, builder: Any, signature: Any, values: Any) -> Any:
        at = address(target, builder, signature, values, ir.FloatType())
        word = ir.IntType(32)
        function = declared(builder, "llvm.prefetch.p0", ir.VoidType(), [at.type, word, word, word])
        builder.call(function, [at, word(0), word(2), word(1)])  # to be read; second level; data
        return target.get_dummy_value()

    return types.void(row, types.intp), build


@intrinsic
def zeros(context: Any) -> Any:
    """``WIDTH`` times 0."""

    def build(target: Any, builder: Any, signature: Any, values: Any) -> Any:
        return ir.Constant(FLOATS, [0.0] * WIDTH)

    return VECTOR(), build


@intrinsic
def total(context: Any, vector: Any) -> Any:
    """The sum of a vector's numbers, by halves."""

    def build(target: Any, builder: Any, signature: Any, values: Any) -> Any:
        number = ir.FloatType()
        function = declared(builder, f"llvm.vector.reduce.fadd.v{WIDTH}f32", number, [number, FLOATS])
        return builder.call(function, [number(-0.0), values[0]], fastmath=("reassoc",))

    return types.float32(VECTOR), build


@intrinsic
def multiply_add(context: Any, a: Any, b: Any, c: Any) -> Any:
    """``a b + c``, rounded once where the machine can."""

    def build(target: Any, builder: Any, signature: Any, values: Any) -> Any:
        return fused(builder, *values)

    return VECTOR(VECTOR, VECTOR, VECTOR), build


@intrinsic
def minus(context: Any, a: Any, b: Any) -> Any:
    """``a - b``."""

    def build(target: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.fsub(*values)

    return VECTOR(VECTOR, VECTOR), build


@intrinsic
def times(context: Any, a: Any, b: Any) -> Any:
    """``a b``."""

    def build(target: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.fmul(*values)

    return VECTOR(VECTOR, VECTOR), build


@intrinsic
def larger(context: Any, a: Any, b: Any) -> Any:
    """The larger of each pair; b where either is NaN."""

    def build(target: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", *values), *values)

    return VECTOR(VECTOR, VECTOR), build


@intrinsic
def most(context: Any, vector: Any) -> Any:
    """The largest of a vector's numbers that are not NaN."""

    def build(target: Any, builder: Any, signature: Any, values: Any) -> Any:
        function = declared(builder, f"llvm.vector.reduce.fmax.v{WIDTH}f32", ir.FloatType(), [FLOATS])
        return builder.call(function, [values[0]])

    return types.float32(VECTOR), build


@intrinsic
def lanes(context: Any, x: Any) -> Any:
    """A number, ``WIDTH`` times."""

    def build(target: Any, builder: Any, signature: Any, values: Any) -> Any:
        return in_lanes(builder, values[0])

    return VECTOR(types.float32), build


@intrinsic
def first(context: Any, vector: Any) -> Any:
    """A vector's first number."""

    def build(target: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.extract_element(values[0], ir.IntType(32)(0))

    return types.float32(VECTOR), build


@intrinsic
def clamp(context: Any, vector: Any, bounds: Any) -> Any:
    """``min(max(vector, low), high)`` with (low, high) float32; NaN stays NaN, as in NumPy."""

    def build(target: Any, builder: Any, signature: Any, values: Any) -> Any:
        low, high = (in_lanes(builder, builder.extract_value(values[1], i)) for i in range(2))
        return within(builder, values[0], low, high)

    return VECTOR(VECTOR, types.UniTuple(types.float32, 2)), build


def fused(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """``a b + c``, rounded once where the machine can."""
    return builder.fadd(builder.fmul(a, b, flags=("contract",)), c, flags=("contract",))


def within(builder: Any, x: Any, low: Any, high: Any) -> Any:
    """``min(max(x, low), high)``; NaN stays NaN."""
    above = builder.select(builder.fcmp_ordered("<", x, low), low, x)
    return builder.select(builder.fcmp_ordered(">", above, high), high, above)


def address(target: Any, builder: Any, signature: Any, values: Any, kind: Any) -> Any:
    """Where element ``values[1]`` of the array ``values[0]`` is, as a pointer to ``kind``."""
    return element(target, builder, signature.args[0], values[0], values[1], kind)


def element(target: Any, builder: Any, array: Any, value: Any, i: Any, kind: Any) -> Any:
    """Where element i of an array is, as a pointer to ``kind``."""
    data = target.make_array(array)(target, builder, value).data
    return builder.bitcast(builder.gep(data, [i]), kind.as_pointer())


def declared(builder: Any, name: str, result: Any, kinds: list[Any]) -> Any:
    """One of LLVM's own functions, which a module may declare once."""
    return builder.module.globals.get(name) or ir.Function(builder.module, ir.FunctionType(result, kinds), name)


def in_lanes(builder: Any, value: Any, count: int = WIDTH) -> Any:
    """A scalar in every lane."""
    empty, word = ir.Constant(ir.VectorType(value.type, count), ir.Undefined), ir.IntType(32)
    lanes = ir.Constant(ir.VectorType(word, count), [0] * count)
    return builder.shuffle_vector(builder.insert_element(empty, value, word(0)), empty, lanes)
