"""Products of matrices, and convolutions. B examples, H W image, I channels in, O channels out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tflite_transfer.converter.expressions.graph import Expression, Shape, broadcast

SAME, VALID = 0, 1  # of the schema's Padding


def matmul(a: Expression, b: Expression, *, adj_x: bool = False, adj_y: bool = False) -> Expression:
    """(..., N, K), (..., K, M) -> (..., N, M); ``adj_x`` and ``adj_y`` transpose an operand's last two axes first."""
    rows, columns = a.shape[-1 if adj_x else -2], b.shape[-2 if adj_y else -1]
    shape = (*broadcast(a.shape[:-2], b.shape[:-2]), rows, columns)
    return a.graph.write("BATCH_MATMUL", [a, b], shape, adj_x=adj_x, adj_y=adj_y)


def conv_2d(
    x: Expression, filters: Expression, bias: Expression | None = None, *, strides: Sequence[int] = (1, 1),
    dilations: Sequence[int] = (1, 1),
) -> Expression:  # fmt: skip
    """(B, H, W, I), (O, KH, KW, I), (O,) -> (B, H', W', O), without padding."""
    return _conv("CONV_2D", x, filters, bias, strides, dilations)


def depthwise_conv_2d(
    x: Expression, filters: Expression, bias: Expression | None = None, *, strides: Sequence[int] = (1, 1),
    dilations: Sequence[int] = (1, 1),
) -> Expression:  # fmt: skip
    """(B, H, W, I), (1, KH, KW, I M), (I M,) -> (B, H', W', I M), each channel by itself, without padding."""
    multiplier = filters.shape[3] // x.shape[3]
    return _conv("DEPTHWISE_CONV_2D", x, filters, bias, strides, dilations, depth_multiplier=multiplier)


def _conv(
    opcode: str, x: Expression, filters: Expression, bias: Expression | None, strides: Sequence[int],
    dilations: Sequence[int], **options: Any,
) -> Expression:  # fmt: skip
    outputs = filters.shape[0] if opcode == "CONV_2D" else filters.shape[3]
    zeros = x.graph.literal(np.zeros(outputs, np.float32)) if bias is None else bias  # LiteRT wants one
    sizes = (
        (n - (k - 1) * d - 1) // s + 1
        for n, k, s, d in zip(x.shape[1:3], filters.shape[1:3], strides, dilations, strict=True)
    )
    return x.graph.write(
        opcode, [x, filters, zeros], (x.shape[0], *sizes, outputs), padding=VALID, stride_h=strides[0],
        stride_w=strides[1], dilation_h_factor=dilations[0], dilation_w_factor=dilations[1], **options,
    )  # fmt: skip


def transpose_conv(
    shape: Expression, free_shape: Shape, filters: Expression, x: Expression, *, padding: int, strides: Sequence[int]
) -> Expression:
    """The adjoint of a convolution: (B, H', W', O), filters (I, KH, KW, O) -> ``shape``, which is (B, H, W, I)."""
    return x.graph.write(
        "TRANSPOSE_CONV", [shape, filters, x], free_shape, padding=padding, stride_h=strides[0], stride_w=strides[1]
    )
