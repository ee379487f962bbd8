"""Stored integers put where indices say, among others that the operator makes.

What is made is the real number 0, or a value at the output's scale. LiteRT takes the stored number as it is, which is
another value where the zero point is not 0 or the scales differ: tests/parity/test_quantized_operators.py shows it.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from tflite_transfer.reference.ops import generate, scatter, search
from tflite_transfer.reference.ops.quantized.affine import Tensors, at_scale, centred, finish, same_scale
from tflite_transfer.reference.tflite.graph import Tensor

Array = NDArray[Any]


def scatter_nd(indices: Array, updates: Array, shape: Array, *, inputs: Tensors, outputs: tuple[Tensor, ...]) -> Array:
    """Zeros, with ``updates`` added at ``indices``. (..., K), (..., rest) -> shape."""
    zero = same_scale(inputs[1], outputs[0]).zero
    return finish(scatter.scatter_nd(indices, centred(updates, zero), shape), outputs[0])


def sparse_to_dense(
    indices: Array,
    shape: Array,
    values: Array,
    default: Array,
    *,
    inputs: Tensors,
    outputs: tuple[Tensor, ...],
    validate_indices: bool = False,
) -> Array:
    """``default``, with ``values`` at ``indices``. Shapes as in ``ops/scatter.py``."""
    values, default = (at_scale(v, t, outputs[0]) for v, t in zip((values, default), inputs[2:], strict=True))
    return scatter.sparse_to_dense(indices, shape, values, default)


def one_hot(
    indices: Array,
    depth: Array,
    on: Array,
    off: Array,
    *,
    inputs: Tensors,
    outputs: tuple[Tensor, ...],
    axis: int = -1,
) -> Array:
    """``on`` where the new axis has the index, ``off`` elsewhere. (...), () -> (..., depth, ...)."""
    on, off = (at_scale(v, t, outputs[0]) for v, t in zip((on, off), inputs[2:], strict=True))
    return search.one_hot(indices, depth, on, off, axis=axis)


def matrix_diag(x: Array, *, inputs: Tensors, outputs: tuple[Tensor, ...]) -> Array:
    """Matrices that are 0 outside of their diagonal x. (..., n) -> (..., n, n)."""
    zero = same_scale(inputs[0], outputs[0]).zero
    return finish(generate.matrix_diag(centred(x, zero)), outputs[0])
