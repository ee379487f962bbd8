"""Gradients of functions that cut arrays up, join them, and look rows up."""

from __future__ import annotations

from itertools import accumulate

import numpy as np

from tflite_transfer.converter.expressions import (
    Expression,
    cast,
    concatenate,
    dilate,
    gather,
    pack,
    pad,
    reshape,
    slice_,
    zeros_like,
)
from tflite_transfer.converter.gradients.movement import fixed
from tflite_transfer.converter.gradients.rule import Call, Pulled


def slice_of(call: Call, dy: Expression) -> Pulled:
    """SLICE: zeros for what was cut off."""
    x, begin, _ = call.operands
    return (lambda: _put(x, dy, fixed(call, begin)),)


def _put(x: Expression, dy: Expression, first: list[int]) -> Expression:
    """The gradient dy among zeros in x's shape, from place ``first`` on."""
    rest = [0 if n == -1 else n - f - m for n, f, m in zip(x.shape, first, dy.shape, strict=True)]
    return pad(dy, first, rest)


def strided_slice(call: Call, dy: Expression) -> Pulled:
    """STRIDED_SLICE forwards: dy spread by the strides, and zeros around it."""
    x, begin, _, strides = call.operands

    def pull() -> Expression:
        o, first, steps = call.options, fixed(call, begin), fixed(call, strides)
        if o.get("ellipsis_mask") or o.get("new_axis_mask") or min(steps) < 1:
            raise call.refused(
                "with an ellipsis, a new axis or a negative stride it has none; instead: reversed, then cut"
            )
        rank = len(x.shape)
        steps, first = steps + [1] * (rank - len(steps)), first + [0] * (rank - len(first))
        first = [
            0 if o.get("begin_mask", 0) >> i & 1 else f + n * (f < 0)
            for i, (f, n) in enumerate(zip(first, x.shape, strict=True))
        ]
        shape = _unshrunk(x, dy, o.get("shrink_axis_mask", 0))
        return _put(x, dilate(reshape(dy, shape), steps), first)

    return (pull,)


def _unshrunk(x: Expression, dy: Expression, mask: int) -> list[int]:
    """The shape of dy with the axes, of size 1, that the slice dropped."""
    sizes = iter(dy.shape)
    return [1 if mask >> i & 1 else next(sizes) for i in range(len(x.shape))]


def concatenation(call: Call, dy: Expression) -> Pulled:
    """To each part its part of dy."""
    parts = call.operands
    axis = call.options.get("axis", 0) % len(dy.shape)
    starts = [0, *accumulate(p.shape[axis] for p in parts)]

    def cut(part: Expression, start: int) -> Expression:
        begin = [start if i == axis else 0 for i in range(len(dy.shape))]
        return slice_(dy, begin, [n if i == axis else -1 for i, n in enumerate(part.shape)])

    return tuple(lambda p=p, s=s: cut(p, s) for p, s in zip(parts, starts, strict=False))


def pack_(call: Call, dy: Expression) -> Pulled:
    """PACK: to each part its place."""
    axis = call.options.get("axis", 0) % len(dy.shape)
    return tuple(lambda i=i: gather(dy, i, axis) for i in range(len(call.operands)))


def unpack(call: Call, *dys: Expression | None) -> Pulled:
    """UNPACK: the parts' gradients together."""
    (x,) = call.operands
    return (lambda: pack(_all(call, dys), call.options.get("axis", 0) % len(x.shape)),)


def split(call: Call, *dys: Expression | None) -> Pulled:
    """SPLIT: the parts' gradients one behind the other."""
    axis, x = call.operands
    return None, lambda: concatenate(_all(call, dys), fixed(call, axis)[0] % len(x.shape))


def split_v(call: Call, *dys: Expression | None) -> Pulled:
    """SPLIT_V: the same, for parts of several sizes."""
    x, _, axis = call.operands
    return (lambda: concatenate(_all(call, dys), fixed(call, axis)[0] % len(x.shape)),)


def _all(call: Call, dys: tuple[Expression | None, ...]) -> list[Expression]:
    """Zeros for a part that the loss does not depend on."""
    return [zeros_like(y) if dy is None else dy for y, dy in zip(call.results, dys, strict=True)]


def gather_(call: Call, dy: Expression) -> Pulled:
    """GATHER of rows, as an embedding: each row's gradients, summed up. (V, ...), places -> (*places, ...)."""
    table, places = call.operands
    if call.options.get("axis", 0) or call.options.get("batch_dims", 0):
        raise call.refused("along another axis than the first it has none; instead: transposed first")
    return (lambda: _summed_by_row(table, places, dy),)


def embedding_lookup(call: Call, dy: Expression) -> Pulled:
    """EMBEDDING_LOOKUP: GATHER with its operands the other way round."""
    places, table = call.operands
    return None, lambda: _summed_by_row(table, places, dy)


def _summed_by_row(table: Expression, places: Expression, dy: Expression) -> Expression:
    rows = reshape(dy, (-1, int(np.prod(table.shape[1:]))))
    numbers = cast(reshape(places, (-1,)), "INT32")  # LiteRT's sums take no other type
    count = table.graph.literal(table.shape[0], "INT32")
    sums = table.graph.write("UNSORTED_SEGMENT_SUM", [rows, numbers, count], (table.shape[0], rows.shape[1]))
    return reshape(sums, table.shape)
