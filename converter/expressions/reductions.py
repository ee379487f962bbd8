"""Sums and their kind over axes, and the broadcasting that undoes them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tflite_transfer.converter.expressions.elementwise import cast, zeros_like
from tflite_transfer.converter.expressions.graph import Expression, Operand, Shape
from tflite_transfer.converter.expressions.movement import gather, reshape, shape_of


def _reduce(opcode: str, x: Expression, axes: Sequence[int], keep: bool) -> Expression:
    chosen = sorted(a % len(x.shape) for a in axes)
    shape = [1 if i in chosen else n for i, n in enumerate(x.shape) if keep or i not in chosen]
    numbers = x.graph.literal(np.array(chosen, np.int32))
    return x.graph.write(opcode, [x, numbers], shape, x.kind, keep_dims=keep)


def total(x: Expression, axes: Sequence[int], *, keep: bool = False) -> Expression:
    """The sum over axes; over none, x itself."""
    return _reduce("SUM", x, axes, keep) if axes else x


def mean(x: Expression, axes: Sequence[int], *, keep: bool = False) -> Expression:
    """The mean over axes."""
    return _reduce("MEAN", x, axes, keep)


def largest(x: Expression, axes: Sequence[int], *, keep: bool = False) -> Expression:
    """The largest value over axes."""
    return _reduce("REDUCE_MAX", x, axes, keep)


def count(x: Expression, axes: Sequence[int]) -> Operand:
    """How many elements axes have together: a number where the sizes are fixed, else a float32 scalar."""
    sizes = [x.shape[a] for a in axes]
    if -1 not in sizes:
        return float(math.prod(sizes))
    free = [a % len(x.shape) for a in axes if x.shape[a] == -1]
    if len(free) == 1:
        size = gather(shape_of(x), free[0])
    else:
        size = _reduce("REDUCE_PROD", gather(shape_of(x), np.array(free, np.int32)), [0], False)
    found, fixed = cast(size, "FLOAT32"), math.prod(n for n in sizes if n != -1)
    return found if fixed == 1 else found * float(fixed)


def sum_to(x: Expression, shape: Shape) -> Expression:
    """What broadcasting to x's shape has repeated, summed up again: x with the shape that it came from."""
    if x.shape == shape:
        return x
    new = len(x.shape) - len(shape)
    repeated = [i for i, n in enumerate((1,) * new + shape) if n == 1 and x.shape[i] != 1]
    return reshape(total(x, sorted({*range(new), *repeated})), shape)


def expand(x: Expression, like: Expression) -> Expression:
    """The elements of x, broadcast to the shape of another.

    BROADCAST_TO takes 14 ms where a product with ones takes 0.1 (LiteRT 2.3, 16 x 24 x 24 x 96); ones of a free size
    there are not, and a sum with zeros takes 0.3.
    """
    if x.shape == like.shape:
        return x
    padded = (1,) * (len(like.shape) - len(x.shape)) + x.shape
    wanted = [1 if n == m else m for n, m in zip(padded, like.shape, strict=True)]
    return zeros_like(like) + x if -1 in wanted else x * x.graph.literal(np.ones(wanted, np.float32))
