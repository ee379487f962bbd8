"""Gradients of images in another size. B examples, H W image in, H' W' out, C channels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tflite_transfer.converter.expressions import Expression, matmul, reshape
from tflite_transfer.converter.gradients.rule import Call, Pulled, Rule
from tflite_transfer.reference.ops import resize
from tflite_transfer.reference.tflite.graph import Array


def resize_(function: Callable[..., Array]) -> Rule:
    """The rule of a function that resizes: rows by a matrix R, columns by S, so ``y = R x Sᵀ`` and ``dx = Rᵀ dy S``."""

    def rule(call: Call, dy: Expression) -> Pulled:
        return (lambda: _pull(function, call, call.operands[0], dy),)

    rule.__doc__ = "``y = R x Sᵀ``, R and S the matrices that resize rows and columns: ``dx = Rᵀ dy S``."
    return rule


def _pull(function: Callable[..., Array], call: Call, x: Expression, dy: Expression) -> Expression:
    _, height, width, channels = x.shape
    _, rows, columns, _ = dy.shape
    r, s = (_matrix(function, call, n, m) for n, m in ((height, rows), (width, columns)))
    by_rows = matmul(x.graph.literal(r.T.copy()), reshape(dy, (-1, rows, columns * channels)))
    by_columns = matmul(x.graph.literal(s.T.copy()), reshape(by_rows, (-1, columns, channels)))
    return reshape(by_columns, x.shape)


def _matrix(function: Callable[..., Array], call: Call, size: int, new: int) -> Array:
    """(new, size): what resizing along one axis makes of each unit vector."""
    units = np.eye(size, dtype=np.float32)[None, :, None]  # (1, size, 1, size): one channel each
    return function(units, np.array([new, 1], np.int32), **call.options)[0, :, 0]


nearest = resize_(resize.resize_nearest_neighbor)
bilinear = resize_(resize.resize_bilinear)
