"""Large arrays in pieces: what an operator needs on the way is in the cache then, and its time can be looked at."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.ops.limit import in_time, within_limit

Array = NDArray[Any]
Slices = tuple[slice, ...]

ROOM = 2**22  # bytes on the way for one piece: 4 MB


class Pieces(NamedTuple):
    """How an operator's arrays may be cut."""

    bytes: int  # that each value takes on the way
    whole: int = 0  # axes at the end that stay whole


def pieces(shape: Sequence[int], most: int) -> Iterator[Slices]:
    """Cut an array into parts of at most ``most`` values, at least one: leading axes first, last axes stay whole."""
    axis, tail = len(shape), 1
    while axis > 0 and tail * shape[axis - 1] <= most:
        axis -= 1
        tail *= shape[axis]
    if axis == 0:
        yield tuple(slice(n) for n in shape)
        return
    step = max(most // tail, 1)
    for place in np.ndindex(*shape[: axis - 1]):
        for start in range(0, shape[axis - 1], step):
            yield (*(slice(i, i + 1) for i in place), slice(start, start + step), *(slice(n) for n in shape[axis:]))


def is_large(arrays: Sequence[Array], how: Pieces) -> bool:
    """May what they are broadcast to be more than one piece?"""
    values = arrays[0].size
    for array in arrays[1:]:
        if array.shape != arrays[0].shape:
            values *= array.size
    return values * how.bytes > ROOM


def in_pieces(
    function: Callable[..., Array], arrays: Sequence[Array], how: Pieces, dtype: np.dtype[Any] | None = None
) -> Array:
    """``function(*arrays)``, which looks at each element alone, or at each row of the last axes.

    Arrays are broadcast, as the function itself does it. (...), (...) -> (...), of type ``dtype``, if that is known.
    """
    shape = np.broadcast_shapes(*(a.shape for a in arrays))
    cut = len(shape) - how.whole
    row = math.prod(shape[cut:])
    within_limit((row,), how.bytes)
    most = max(ROOM // how.bytes // max(row, 1), 1)
    if dtype is None:
        dtype = function(*(a[(*[slice(2)] * a.ndim, ...)] for a in arrays)).dtype  # it may refuse the shapes, too
    result = np.empty(within_limit(shape, dtype.itemsize), dtype)
    for piece in pieces(shape[:cut], most):
        in_time()
        result[piece] = function(*(_part(a, piece, len(shape)) for a in arrays))
    return result


def _part(array: Array, piece: Slices, rank: int) -> Array:
    """What of an array is broadcast to a piece of an array of ``rank`` axes."""
    own = piece[rank - array.ndim :]
    return array[(*(s if n != 1 else slice(1) for s, n in zip(own, array.shape, strict=False)), ...)]
