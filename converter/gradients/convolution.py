"""Gradients of convolutions. B examples, H W image, I channels in, O out, KH KW kernel, M outputs a channel."""

from __future__ import annotations

from tflite_transfer.converter.expressions import (
    Expression,
    concatenate,
    conv_2d,
    depthwise_conv_2d,
    dilate,
    matmul,
    pad,
    reshape,
    reverse,
    shape_of,
    slice_,
    total,
    transpose,
    transpose_conv,
)
from tflite_transfer.converter.expressions.windows import Window, placed, seen, window_of
from tflite_transfer.converter.gradients.rule import Call, Pulled

FEW = 8  # channels: below, the taps are laid side by side and multiplied at once; above, that copy costs more


def conv_2d_(call: Call, dy: Expression) -> Pulled:
    """``dx``: dy by the transposed convolution; ``dW``: for each tap ``Σ dy x`` of what it sees; ``db = Σ dy``.

    (B, H, W, I), (O, KH, KW, I), (O,): see ``filter_gradient`` and ``image_gradient``.
    """
    x, filters = call.operands[0], call.operands[1]
    window = window_of(call.options, x, filters.shape[1:3])
    if filters.shape[3] != x.shape[3]:
        raise call.refused("in groups it has none; instead: one convolution for each group, concatenated")
    return (
        lambda: image_gradient(x, filters, dy, window),
        lambda: filter_gradient(x, dy, window),
        lambda: total(dy, [0, 1, 2]),
    )


def image_gradient(x: Expression, filters: Expression, dy: Expression, window: Window) -> Expression:
    """``dx``: what the transposed convolution makes of dy, (B, H', W', O) -> (B, H, W, I).

    TRANSPOSE_CONV knows no dilation: there each tap's share is a product of its own.
    """
    if window.dilations == (1, 1):
        turned = transpose(filters, (3, 1, 2, 0))
        return transpose_conv(shape_of(x), x.shape, turned, dy, padding=window.padding, strides=window.strides)
    outputs, _, _, channels = filters.shape
    rows = reshape(dy, (-1, outputs))
    parts = {}
    for i, j in window.taps():
        begin, size = (0, i, j, 0), (outputs, 1, 1, channels)
        tap = reshape(slice_(filters, begin, size), (outputs, channels))
        parts[i, j] = reshape(matmul(rows, tap), (*dy.shape[:3], channels))
    return placed(parts, window)


def filter_gradient(x: Expression, dy: Expression, window: Window) -> Expression:
    """``dW[o, i, j] = Σ dy[o] x``, over all places, of the pixel that tap (i, j) sees there: (O, KH, KW, I)."""
    outputs, channels = dy.shape[3], x.shape[3]
    rows = reshape(dy, (-1, outputs))
    taps = seen(x, window).values()
    if channels < FEW:
        side_by_side = concatenate(list(taps), 3)
        product = matmul(rows, reshape(side_by_side, (-1, side_by_side.shape[3])), adj_x=True)
    else:
        product = concatenate([matmul(rows, reshape(t, (-1, channels)), adj_x=True) for t in taps], 1)
    return reshape(product, (outputs, *window.kernel, channels))


def depthwise_conv_2d_(call: Call, dy: Expression) -> Pulled:
    """As a convolution, each channel by itself. (B, H, W, I), (1, KH, KW, I M), (I M,)."""
    x, filters = call.operands[0], call.operands[1]
    window = window_of(call.options, x, filters.shape[1:3])
    return (
        lambda: depthwise_image_gradient(x, filters, dy, window),
        lambda: depthwise_filter_gradient(x, dy, window),
        lambda: total(dy, [0, 1, 2]),
    )


def depthwise_image_gradient(x: Expression, filters: Expression, dy: Expression, window: Window) -> Expression:
    """``dx``: dy with zeros between its places, seen through the filters turned round."""
    spread = dilate(dy, (1, *window.strides, 1))
    before = [r - 1 - b for r, b in zip(window.reach, window.before, strict=True)]
    after = [
        n + r - 1 - b - m for n, r, b, m in zip(window.image, window.reach, before, spread.shape[1:3], strict=True)
    ]
    padded = pad(spread, (0, *before, 0), (0, *after, 0))
    y = depthwise_conv_2d(padded, reverse(filters, [1, 2]), dilations=window.dilations)
    channels, multiplier = x.shape[3], dy.shape[3] // x.shape[3]
    if multiplier == 1:
        return y
    return reshape(total(reshape(y, (-1, channels, multiplier)), [2]), x.shape)


def depthwise_filter_gradient(x: Expression, dy: Expression, window: Window) -> Expression:
    """``dW[i, j] = Σ dy x``, over all places, of the pixel that tap (i, j) sees there: (1, KH, KW, I M)."""
    channels, multiplier = x.shape[3], dy.shape[3] // x.shape[3]
    sums = []
    for tap in seen(x, window).values():
        if multiplier == 1:
            sums.append(total(dy * tap, [0, 1, 2]))
        else:
            by_channel = reshape(dy, (-1, channels, multiplier)) * reshape(tap, (-1, channels, 1))
            sums.append(reshape(total(by_channel, [0]), (channels * multiplier,)))
    return reshape(concatenate(sums, 0), (1, *window.kernel, channels * multiplier))


def transpose_conv_(call: Call, dy: Expression) -> Pulled:
    """The adjoint of a convolution, whose gradient that is. The shape, filters (O, KH, KW, I), x (B, H', W', I)."""
    filters, x = call.operands[1], call.operands[2]
    window = window_of(call.options, dy, filters.shape[1:3])

    def image() -> Expression:
        after = [s - b - n for s, b, n in zip(window.span, window.before, window.image, strict=True)]
        padded = pad(dy, (0, *window.before, 0), (0, *after, 0))
        return conv_2d(padded, transpose(filters, (3, 1, 2, 0)), strides=window.strides)

    return None, lambda: transpose(filter_gradient(dy, x, window), (3, 1, 2, 0)), image, lambda: total(dy, [0, 1, 2])
