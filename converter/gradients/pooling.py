"""Gradients of pooling. B examples, H W image, C channels."""

from __future__ import annotations

import numpy as np

from tflite_transfer.converter.expressions import Expression, equal, indicator
from tflite_transfer.converter.expressions.windows import placed, seen, window_of
from tflite_transfer.converter.gradients.convolution import depthwise_image_gradient
from tflite_transfer.converter.gradients.rule import Call, Pulled

LOWEST = float(np.finfo(np.float32).min)


def average_pool_2d(call: Call, dy: Expression) -> Pulled:
    """``y = Σ x / n``, n the pixels of the image in the window: each of them gets ``dy / n``."""
    (x,) = call.operands
    window = window_of(call.options, x, (call.options["filter_height"], call.options["filter_width"]))

    def pull() -> Expression:
        sizes = [_inside(n, k, s, b, p) for n, k, s, b, p in zip(
            window.image, window.kernel, window.strides, window.before, window.places, strict=True
        )]  # fmt: skip
        share = (1 / (sizes[0][:, None] * sizes[1])).astype(np.float32)[None, :, :, None]
        ones = np.ones((1, *window.kernel, x.shape[3]), np.float32)
        return depthwise_image_gradient(x, call.graph.literal(ones), dy * call.graph.literal(share), window)

    return (pull,)


def _inside(image: int, kernel: int, stride: int, before: int, places: int) -> np.ndarray:
    """How many pixels of the image a window sees at each place of one axis."""
    first = np.arange(places) * stride - before
    return np.minimum(first + kernel, image) - np.maximum(first, 0)


def max_pool_2d(call: Call, dy: Expression) -> Pulled:
    """``y = max x``: dy to the pixel that it is; of several to the first, row by row, as TensorFlow's kernels do."""
    (x,), y = call.operands, call.result
    window = window_of(call.options, x, (call.options["filter_height"], call.options["filter_width"]))

    def pull() -> Expression:
        left, parts = dy, {}  # what of dy no tap has taken yet
        for tap, pixel in seen(x, window, LOWEST).items():
            parts[tap] = left * indicator(equal(pixel, y))
            left = left - parts[tap]
        return placed(parts, window)

    return (pull,)
