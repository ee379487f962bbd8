"""What a window sees as it moves over an image, tap by tap, and the way back. B examples, H W image, C channels.

A window of KH x KW taps at stride s and dilation d sees, at place p of an axis, the pixels ``s p + d i - before`` for
its taps i. Convolutions, pooling and their gradients are sums over taps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from tflite_transfer.converter.expressions.elementwise import zeros_like
from tflite_transfer.converter.expressions.graph import Expression
from tflite_transfer.converter.expressions.movement import dilate, pad, slice_
from tflite_transfer.converter.expressions.products import SAME

Pair = tuple[int, int]


@dataclass(frozen=True)
class Window:
    """Two axes of a window: rows, columns."""

    image: Pair
    kernel: Pair
    strides: Pair
    dilations: Pair
    padding: int  # of the schema

    @property
    def reach(self) -> Pair:
        """How many pixels lie between the first tap's and the last one's, those two included."""
        return _pair((k - 1) * d + 1 for k, d in zip(self.kernel, self.dilations, strict=True))

    @property
    def places(self) -> Pair:
        """Where the window stops: the size of the output."""
        if self.padding == SAME:
            return _pair(-(-n // s) for n, s in zip(self.image, self.strides, strict=True))
        return _pair((n - r) // s + 1 for n, r, s in zip(self.image, self.reach, self.strides, strict=True))

    @property
    def span(self) -> Pair:
        """The pixels, padding included, from the first tap at the first place to the last tap at the last."""
        return _pair((p - 1) * s + r for p, s, r in zip(self.places, self.strides, self.reach, strict=True))

    @property
    def before(self) -> Pair:
        """Zeros that padding puts before the image. Where their number is odd, one more comes behind."""
        if self.padding != SAME:
            return 0, 0
        return _pair(max(s - n, 0) // 2 for s, n in zip(self.span, self.image, strict=True))

    def taps(self) -> Iterator[Pair]:
        """Rows and columns of the kernel."""
        return ((i, j) for i in range(self.kernel[0]) for j in range(self.kernel[1]))


def window_of(options: Mapping[str, Any], x: Expression, kernel: Sequence[int]) -> Window:
    """The window of a convolution or a pooling over images x (B, H, W, C)."""
    return Window(
        _pair(x.shape[1:3]),
        _pair(kernel),
        (options["stride_h"], options["stride_w"]),
        (options.get("dilation_h_factor", 1), options.get("dilation_w_factor", 1)),
        options.get("padding", SAME),
    )


def seen(x: Expression, window: Window, outside: float = 0.0) -> dict[Pair, Expression]:
    """The pixels (B, H', W', C) that each tap sees, over all places; ``outside`` is what lies beyond the image.

    At stride s > 1 by SPACE_TO_DEPTH, which sorts pixels by what they leave over after division by s, and slices: 5 ms
    where STRIDED_SLICE takes 40 (LiteRT 2.3, 16 x 48 x 48 x 96, stride 2).
    """
    step = window.strides[0]
    if window.strides[1] != step:
        return _strided(x, window, outside)
    far = _pair((r - 1) // step + p for r, p in zip(window.reach, window.places, strict=True))  # in steps
    padded = _around(x, window, _pair(step * f for f in far), outside)
    sorted_ = padded if step == 1 else _space_to_depth(padded, step)
    channels = x.shape[3]
    found = {}
    for tap in window.taps():
        (row, top), (column, left) = (divmod(t * d, step) for t, d in zip(tap, window.dilations, strict=True))
        begin = (0, row, column, (top * step + left) * channels)
        found[tap] = slice_(sorted_, begin, (-1, *window.places, channels))
    return found


def placed(parts: Mapping[Pair, Expression], window: Window) -> Expression:
    """The adjoint of ``seen``: what taps give at their places (B, H', W', C) -> its sum at each pixel (B, H, W, C).

    A tap that sees no pixel at any place gives nothing: there are some where a kernel is larger than the image.
    """
    size = _pair((p - 1) * s + 1 for p, s in zip(window.places, window.strides, strict=True))

    def at(part: Expression, first: Pair) -> Expression:
        rest = (n - f - m for n, f, m in zip(window.image, first, size, strict=True))
        return pad(dilate(part, (1, *window.strides, 1)), (0, *first, 0), (0, *rest, 0))

    firsts = {
        tap: _pair(t * d - b for t, d, b in zip(tap, window.dilations, window.before, strict=True)) for tap in parts
    }
    found = [
        at(parts[tap], first)
        for tap, first in firsts.items()
        if all(-m < f < n for f, m, n in zip(first, size, window.image, strict=True))
    ]
    return reduce(lambda a, b: a + b, found or [at(zeros_like(next(iter(parts.values()))), (0, 0))])


def _around(x: Expression, window: Window, size: Pair, outside: float) -> Expression:
    """Around x what lies before and behind it, or cut off behind, to this size."""
    rest = (s - b - n for s, b, n in zip(size, window.before, window.image, strict=True))
    return pad(x, (0, *window.before, 0), (0, *rest, 0), outside)


def _space_to_depth(x: Expression, block: int) -> Expression:
    batch, height, width, channels = x.shape
    shape = (batch, height // block, width // block, channels * block * block)
    return x.graph.write("SPACE_TO_DEPTH", [x], shape, x.kind, block_size=block)


def _strided(x: Expression, window: Window, outside: float) -> dict[Pair, Expression]:
    """``seen`` where rows and columns have other strides."""
    padded = _around(x, window, window.span, outside)
    found = {}
    for tap in window.taps():
        first = _pair(t * d for t, d in zip(tap, window.dilations, strict=True))
        last = _pair(f + (p - 1) * s + 1 for f, p, s in zip(first, window.places, window.strides, strict=True))
        ends = (np.array(e, np.int32) for e in ((0, *first, 0), (0, *last, 0), (1, *window.strides, 1)))
        found[tap] = x.graph.write(
            "STRIDED_SLICE", [padded, *map(x.graph.literal, ends)], (x.shape[0], *window.places, x.shape[3]), x.kind,
            begin_mask=0b1001, end_mask=0b1001,
        )  # fmt: skip
    return found


def _pair(values: Iterable[int]) -> Pair:
    first, second = values
    return first, second
