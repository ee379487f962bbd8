"""Moving stored integers, where scales or zero points matter."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.ops import blocks, shape
from tflite_transfer.reference.ops.quantized.affine import (
    Tensors,
    affine,
    affines,
    at_scale,
    centred,
    finish,
    same_scale,
    same_type,
)
from tflite_transfer.reference.tflite.graph import Tensor

Array = NDArray[Any]


def pad(
    x: Array, paddings: Array, value: Array | None = None, *, inputs: Tensors, outputs: tuple[Tensor, ...]
) -> Array:
    """With the real number 0, or PADV2's ``value`` of the same scale, around it. (...), (rank, 2) -> (...)."""
    same_type(inputs[0], outputs[0])
    zero = affine(outputs[0]).zero
    if value is not None and affine(inputs[2]) != affine(outputs[0]):
        raise ValueError(f"{inputs[2].name if inputs[2] else ''!r} has another scale or zero point than the output")
    return shape.pad(x, paddings, np.array(zero, x.dtype) if value is None else value)


def concatenation(*values: Array, inputs: Tensors, outputs: tuple[Tensor, ...], axis: int = 0) -> Array:
    """The inputs one after the other along an axis, uint8 at the output's scale. (..., n, ...) -> (..., N, ...).

    int8 inputs must have the output's scale and zero point; LiteRT looks at no scale of int16.
    """
    *given, made = affines(*inputs, outputs[0])
    if outputs[0].type == "INT8" and any(t != made for t in given):
        raise ValueError("int8 inputs have other scales or zero points than the output")
    if outputs[0].type == "UINT8":
        values = tuple(at_scale(v, t, outputs[0]) for v, t in zip(values, inputs, strict=True))
    return shape.concatenation(*values, axis=axis)


def fill(dims: Array, value: Array, *, inputs: Tensors, outputs: tuple[Tensor, ...]) -> Array:
    """``value``, whose scale stays, everywhere. (rank,), () -> dims."""
    same_scale(inputs[1], outputs[0])
    return shape.fill(dims, value)


def space_to_batch_nd(
    x: Array, block: Array, paddings: Array, *, inputs: Tensors, outputs: tuple[Tensor, ...]
) -> Array:
    """Pad with the real number 0; then as in ``ops/blocks.py``. (B, n_i.., ...) -> (B prod s, n_i / s_i.., ...)."""
    zero = same_scale(inputs[0], outputs[0]).zero
    return finish(blocks.space_to_batch_nd(centred(x, zero), block, paddings), outputs[0])
