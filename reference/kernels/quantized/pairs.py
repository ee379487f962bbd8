"""Functions of two arrays of stored integers, element by element."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.cost import pieces_of
from tflite_transfer.reference.kernels.arguments import flat
from tflite_transfer.reference.kernels.compile import kernel
from tflite_transfer.reference.kernels.quantized.integers import add as plus
from tflite_transfer.reference.kernels.quantized.integers import load, rescaled, spread, store
from tflite_transfer.reference.kernels.quantized.scales import PANEL, bounds, parts
from tflite_transfer.reference.kernels.threads import each
from tflite_transfer.reference.kernels.vector import WIDTH
from tflite_transfer.reference.ops.limit import within_limit
from tflite_transfer.reference.ops.pieces import in_pieces, is_large
from tflite_transfer.reference.ops.quantized import pairs
from tflite_transfer.reference.ops.quantized.affine import Affine, Tensors, affines
from tflite_transfer.reference.tflite.graph import Tensor

Array = NDArray[Any]

TERMS = 8  # multiply-adds that one sum takes as long as


def add(
    a: Array,
    b: Array,
    *,
    inputs: Tensors,
    outputs: tuple[Tensor, ...],
    activation: str = "NONE",
    pot_scale_int16: bool = True,
) -> Array:
    """``ops.quantized.pairs.add`` of two int8 of one shape; what is broadcast is left to the definition."""
    limits = bounds(outputs[0], activation)
    if limits is None or not (a.dtype == b.dtype == np.int8 and a.shape == b.shape and a.size >= PANEL):
        how, options = pieces_of("ADD", stored=True), {"activation": activation, "pot_scale_int16": pot_scale_int16}
        plain = partial(pairs.add, inputs=inputs, outputs=outputs, **options)
        return in_pieces(plain, (a, b), how) if how is not None and is_large((a, b), how) else plain(a, b)
    scales = _scales(*affines(*inputs, outputs[0]))
    y = np.empty(within_limit(a.shape, 1), np.int8)
    first, second, numbers = flat(a), flat(b), y.reshape(-1)
    each(y.size, TERMS, lambda some: _add(first, second, scales, numbers, some, limits))
    return y


@lru_cache(1024)
def _scales(one: Affine, two: Affine, y: Affine) -> Array:
    """For the first input, the other and the sum: what is added, and what multiplies that, in ``parts``. (18,)."""
    by = pairs.sum_scales(one, two, y, pairs.BITS)
    rows = np.array([[-zero, *parts(m)] for zero, m in zip((one.zero, two.zero, 0), by, strict=True)], np.int32)
    rows[:2, 1] += pairs.BITS
    return flat(rows)


@kernel()
def _add(a: Array, b: Array, scales: Array, y: Array, some: tuple[int, int], limits: Any) -> None:
    """A range of sums. The last vectors may cover numbers of those before them again."""
    for i in range(some[0], some[1], PANEL):
        at = min(i, y.size - PANEL)
        store(y, at, _sum(a, b, at, scales), _sum(a, b, at + WIDTH, scales), PANEL, limits)


@kernel(forceinline=True)
def _sum(a: Array, b: Array, i: int, scales: Array) -> Any:
    """A vector of sums, at the scale of the output."""
    return _rescaled(plus(_centred(a, i, scales, 0), _centred(b, i, scales, 6)), scales, 12)


@kernel(forceinline=True)
def _centred(x: Array, i: int, scales: Array, n: int) -> Any:
    return _rescaled(plus(load(x, i), spread(scales, n)), scales, n)


@kernel(forceinline=True)
def _rescaled(x: Any, scales: Array, n: int) -> Any:
    return rescaled(
        x, spread(scales, n + 1), spread(scales, n + 2), spread(scales, n + 3), spread(scales, n + 4),
        spread(scales, n + 5),
    )  # fmt: skip
