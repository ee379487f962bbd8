"""Matrix products."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.ops.limit import in_time, unchecked_by, within_limit
from tflite_transfer.reference.ops.pieces import pieces

Array = NDArray[Any]

_TERMS = 2**30  # of one piece of a product of floats: 30 ms by OpenBLAS on one core; NumPy's own product of integers
_OTHER_TERMS = 2**25  # takes 1.8 ns a term, 60 ms


def fully_connected(x: Array, weights: Array, bias: Array | None = None, *, keep_num_dims: bool = False) -> Array:
    """``x w^T + b``. (..., I), (O, I), (O,)? -> (B, O), or (..., O) with ``keep_num_dims``.

    TFLite keeps the weights with outputs first, the transpose of a Keras kernel, and flattens x to rows of I.
    """
    y = product(x.reshape(-1, x.shape[-1] if keep_num_dims else weights.shape[1]), weights.T)
    y = y if bias is None else y + one_each(bias, len(weights))
    return y.reshape(*x.shape[:-1], len(weights)) if keep_num_dims else y


def one_each(bias: Array, outputs: int) -> Array:
    """``bias``, which must hold one number for each output. Raises ValueError."""
    if bias.size != outputs:
        raise ValueError(f"a bias of shape {bias.shape} for {outputs} outputs")
    return bias.reshape(-1)


def _batch_matmul(a: Array, b: Array, *, adj_x: bool = False, adj_y: bool = False) -> Array:
    """``batch_matmul`` of shapes that were checked."""
    a, b = _turned(a, b, adj_x, adj_y)
    return a @ b if a.size * b.shape[-1] <= _TERMS else product(a, b)


@unchecked_by(_batch_matmul)
def batch_matmul(a: Array, b: Array, *, adj_x: bool = False, adj_y: bool = False) -> Array:
    """``a b`` over the last two axes, either transposed first. (..., I, J), (..., J, K) -> (..., I, K)."""
    return product(*_turned(a, b, adj_x, adj_y))


def _turned(a: Array, b: Array, adj_x: bool, adj_y: bool) -> tuple[Array, Array]:
    return np.swapaxes(a, -1, -2) if adj_x else a, np.swapaxes(b, -1, -2) if adj_y else b


def product(a: Array, b: Array) -> Array:
    """``a b``, a large one in pieces, between which the clock is looked at. (..., I, J), (..., J, K) -> (..., I, K)."""
    in_time()
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2]) if a.ndim > 2 or b.ndim > 2 else ()
    shape = within_limit((*batch, a.shape[-2], b.shape[-1]), a.itemsize)
    terms = (_TERMS if a.dtype.char in "fd" else _OTHER_TERMS) // max(a.shape[-1] * b.shape[-1], 1)
    if math.prod(shape[:-1]) <= terms:
        return a @ b
    a, b = (np.broadcast_to(x, (*batch, *x.shape[-2:])) for x in (a, b))
    y = np.empty(shape, np.result_type(a, b))
    for piece in pieces(shape[:-1], max(terms, 1)):
        in_time()
        y[piece] = a[piece] @ b[piece[:-1]]
    return y
