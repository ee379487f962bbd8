"""SIMD by hand for stored integers: a vector of int32 that a kernel keeps in a register, as ``kernels/vector.py`` does.

LLVM finds the machine's own instruction for each: 16 bit numbers multiplied and added in pairs are VPMADDWD with AVX2,
VPDPWSSD with AVX-512 VNNI, SMULL with NEON. Nothing checks an index.
"""

# ruff: noqa: ARG001 - what an intrinsic takes is for numba to say

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import models, register_model

from tflite_transfer.reference.kernels.vector import WIDTH, address, declared, element, in_lanes, intrinsic

_BYTE, _INT, _LONG = ir.IntType(8), ir.IntType(32), ir.IntType(64)
_INTS, _PAIRS = ir.VectorType(_INT, WIDTH), ir.VectorType(ir.IntType(16), 2 * WIDTH)


class Integers(types.Type):
    """``WIDTH`` int32."""

    def __init__(self) -> None:
        super().__init__(name=f"Integers{WIDTH}")


@register_model(Integers)
class _IntegersModel(models.PrimitiveModel):
    def __init__(self, manager: Any, of: Any) -> None:
        super().__init__(manager, of, _INTS)


_INTEGERS = Integers()


@intrinsic
def load(context: Any, row: Any, i: Any) -> Any:
    """``row[i : i + WIDTH]`` of signed integers of any size up to 32 bits."""

    def build(target: Any, builder: Any, signature: Any, values: Any) -> Any:
        bits = signature.args[0].dtype.bitwidth
        kind = ir.VectorType(ir.IntType(bits), WIDTH)
        found = builder.load(address(target, builder, signature, values, kind), align=bits // 8)
        return found if bits == 32 else builder.sext(found, _INTS)

    return _INTEGERS(row, types.intp), build


@intrinsic
def load_pairs(context: Any, row: Any, i: Any) -> Any:
    """``row[i : i + 2 WIDTH]`` of int8, each two of them as two int16."""

    def build(target: Any, builder: Any, signature: Any, values: Any) -> Any:
        kind = ir.VectorType(_BYTE, 2 * WIDTH)
        found = builder.load(address(target, builder, signature, values, kind), align=1)
        return builder.bitcast(builder.sext(found, _PAIRS), _INTS)

    return _INTEGERS(row, types.intp), build


@intrinsic
def spread(context: Any, row: Any, i: Any) -> Any:
    """``row[i]`` of int32, ``WIDTH`` times."""

    def build(target: Any, builder: Any, signature: Any, values: Any) -> Any:
        return in_lanes(builder, builder.load(address(target, builder, signature, values, _INT), align=4))

    return _INTEGERS(row, types.intp), build


@intrinsic
def add(context: Any, a: Any, b: Any) -> Any:
    """``a + b``, as integers overflow."""

    def build(target: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.add(*values)

    return _INTEGERS(_INTEGERS, _INTEGERS), build


@intrinsic
def multiply_add(context: Any, a: Any, b: Any, c: Any) -> Any:
    """``a b + c`` where each int32 of a and b is two int16, whose products are added."""

    def build(target: Any, builder: Any, signature: Any, values: Any) -> Any:
        wide = ir.VectorType(_INT, 2 * WIDTH)
        a, b = (builder.sext(builder.bitcast(v, _PAIRS), wide) for v in values[:2])
        products = builder.mul(a, b)
        first, second = (
            builder.shuffle_vector(products, products, ir.Constant(_INTS, list(range(n, 2 * WIDTH, 2)))) for n in (0, 1)
        )
        return builder.add(builder.add(first, second), values[2])

    return _INTEGERS(_INTEGERS, _INTEGERS, _INTEGERS), build


@intrinsic
def keep(context: Any, row: Any, i: Any, vector: Any) -> Any:
    """``row[i : i + WIDTH] = vector`` of int32."""

    def build(target: Any, builder: Any, signature: Any, values: Any) -> Any:
        builder.store(values[2], address(target, builder, signature, values, _INTS), align=4)
        return target.get_dummy_value()

    return types.void(row, types.intp, _INTEGERS), build


@intrinsic
def copy(context: Any, to: Any, i: Any, row: Any, j: Any) -> Any:
    """``to[i : i + 2 WIDTH] = row[j : j + 2 WIDTH]`` of int16."""

    def build(target: Any, builder: Any, signature: Any, values: Any) -> Any:
        here, there = (element(target, builder, signature.args[n], values[n], values[n + 1], _PAIRS) for n in (0, 2))
        builder.store(builder.load(there, align=2), here, align=2)
        return target.get_dummy_value()

    return types.void(to, types.intp, row, types.intp), build


@intrinsic
def rescaled(context: Any, x: Any, left: Any, mantissa: Any, right: Any, mask: Any, half: Any) -> Any:
    """``ops.quantized.fixed_point.multiply``: ``x 2^left`` times ``mantissa 2^-31``, then ``2^-right``.

    Halves are rounded upward first, then away from zero. ``mantissa`` is not negative, ``mask`` is ``2^right - 1``, and
    ``half`` is half of that.
    """

    def build(target: Any, builder: Any, signature: Any, values: Any) -> Any:
        x, left, mantissa, right, mask, half = values
        high = _high(builder, builder.shl(x, left), mantissa)
        least = builder.add(half, builder.lshr(high, ir.Constant(_INTS, [31] * WIDTH)))
        up = builder.icmp_signed(">", builder.and_(high, mask), least)
        return builder.add(builder.ashr(high, right), builder.zext(up, _INTS))

    return _INTEGERS(_INTEGERS, _INTEGERS, _INTEGERS, _INTEGERS, _INTEGERS, _INTEGERS), build


@intrinsic
def store(context: Any, row: Any, i: Any, first: Any, second: Any, count: Any, limits: Any) -> Any:
    """``row[i : i + count]`` of int8: two vectors, each ``min(max(vector + zero, low), high)`` for three ``limits``.

    All of them if ``count`` is more, nothing if it is negative. Sums that are too large stop at the end of a type.
    """

    def build(target: Any, builder: Any, signature: Any, values: Any) -> Any:
        to, (first, second, count, limits) = values[:2], values[2:]
        low, high, zero = (builder.extract_value(limits, n) for n in range(3))
        both = builder.shuffle_vector(
            first, second, ir.Constant(ir.VectorType(_INT, 2 * WIDTH), list(range(2 * WIDTH)))
        )
        moved = _binary(builder, "sadd.sat", _narrow(builder, both, 16), in_lanes(builder, zero, 2 * WIDTH))
        low, high = (in_lanes(builder, builder.trunc(n, _BYTE), 2 * WIDTH) for n in (low, high))
        numbers = _binary(builder, "smin", _binary(builder, "smax", _narrow(builder, moved, 8), low), high)
        at = address(target, builder, signature, to, numbers.type)
        with builder.if_else(builder.icmp_signed(">=", count, count.type(2 * WIDTH))) as (whole, part):
            with whole:
                builder.store(numbers, at, align=1)
            with part:
                room = cgutils.alloca_once(builder, numbers.type)
                builder.store(numbers, room)
                at, room = (builder.bitcast(p, _BYTE.as_pointer()) for p in (at, room))
                with cgutils.for_range(builder, count) as loop:
                    builder.store(builder.load(builder.gep(room, [loop.index])), builder.gep(at, [loop.index]))
        return target.get_dummy_value()

    return types.void(row, types.intp, _INTEGERS, _INTEGERS, types.intp, types.UniTuple(types.int16, 3)), build


def _narrow(builder: Any, vector: Any, bits: int) -> Any:
    """``vector`` in so many bits; what does not fit stops at the end."""
    last = 2 ** (bits - 1)
    low, high = (ir.Constant(vector.type, [n] * vector.type.count) for n in (-last, last - 1))
    kept = _binary(builder, "smin", _binary(builder, "smax", vector, low), high)
    return builder.trunc(kept, ir.VectorType(ir.IntType(bits), vector.type.count))


def _binary(builder: Any, name: str, a: Any, b: Any) -> Any:
    """One of LLVM's own functions of two vectors."""
    name = f"llvm.{name}.v{a.type.count}i{a.type.element.width}"
    return builder.call(declared(builder, name, a.type, [a.type, a.type]), [a, b])


def _high(builder: Any, a: Any, b: Any) -> Any:
    """``a b / 2^31`` rounded to nearest, halves upward: lanes of even numbers and of odd ones as 64 bits each."""
    longs = ir.VectorType(_LONG, WIDTH // 2)
    half, ones, places = (ir.Constant(longs, [n] * (WIDTH // 2)) for n in (2**30, 1, 32))

    def product(lanes: Any) -> Any:
        return builder.add(builder.mul(*(builder.ashr(v, places) for v in lanes)), half)

    odd = [builder.bitcast(v, longs) for v in (a, b)]
    even = [builder.shl(v, places) for v in odd]
    lower = builder.lshr(product(even), ir.Constant(longs, [31] * (WIDTH // 2)))
    upper = builder.shl(product(odd), ones)
    mixed = ir.Constant(_INTS, [n + n % 2 * WIDTH for n in range(WIDTH)])
    return builder.shuffle_vector(builder.bitcast(lower, _INTS), builder.bitcast(upper, _INTS), mixed)
