"""Convolutions of stored integers as one product of matrices: see ``kernels/conv.py``.

Two numbers at a time: pixels less their zero point by filters, both as int16, which the machine multiplies and adds in
pairs. P pixels of the output, K = KH KW I numbers under a window, O outputs.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.kernels.arguments import WindowAxis, axis, flat, prepared_by
from tflite_transfer.reference.kernels.compile import kernel
from tflite_transfer.reference.kernels.quantized.bands import BAND, empty_band, least_band, most_lines, reach, widen
from tflite_transfer.reference.kernels.quantized.integers import copy, load, load_pairs, multiply_add, spread
from tflite_transfer.reference.kernels.quantized.scales import (
    PANEL,
    Scales,
    biases,
    finish,
    panels,
    scales,
    zero_of,
)
from tflite_transfer.reference.kernels.threads import Part, each
from tflite_transfer.reference.kernels.vector import WIDTH
from tflite_transfer.reference.ops.limit import paddable, within_limit
from tflite_transfer.reference.ops.quantized import conv
from tflite_transfer.reference.ops.quantized.affine import Tensors
from tflite_transfer.reference.ops.quantized.fixed_point import quantize_multiplier
from tflite_transfer.reference.tflite.graph import Tensor

Array = NDArray[Any]

TILE = 6  # pixels whose sums are in registers at one time, by PANEL outputs


class Filters(NamedTuple):
    """Filters as the kernel reads them."""

    numbers: Array
    zero: np.int16  # of the pixels
    scales: Scales

    @property
    def nbytes(self) -> int:
        """What they take."""
        return self.numbers.nbytes + self.scales.rows.nbytes


def pack(filters: Array, *, inputs: Tensors, outputs: tuple[Tensor, ...], activation: str = "NONE") -> Filters | None:
    """``in_pairs``, and the rest of what the kernel takes. None unless all is int8."""
    zero = zero_of(*inputs[:2])
    if zero is None or filters.dtype != np.int8 or outputs[0].type != "INT8":
        return None
    by = quantize_multiplier(conv.rescale(inputs, outputs[0], axis=0))
    scale = scales(by, len(filters), outputs[0], activation)
    return None if scale is None else Filters(in_pairs(filters), np.int16(zero), scale)


def in_pairs(filters: Array) -> Array:
    """(O, ...) -> (panels, K / 2, PANEL, 2): the order in which the kernel reads them; zeros fill up the last of each.

    As int8, though the kernel wants int16: twice the memory, and MobileNetV2's took 8.8 instead of 8.0 ms.
    """
    rows, count = filters.reshape(len(filters), -1), panels(len(filters))
    pairs = -(-rows.shape[1] // 2)
    packed = np.zeros(within_limit((count * PANEL, 2 * pairs), 1), np.int8)
    packed[: len(rows), : rows.shape[1]] = rows
    return flat(packed.reshape(count, PANEL, pairs, 2).transpose(0, 2, 1, 3))


@prepared_by(pack)
def conv_2d(
    x: Array,
    filters: Array,
    bias: Array | None = None,
    *,
    inputs: Tensors,
    outputs: tuple[Tensor, ...],
    padding: str,
    stride_h: int,
    stride_w: int,
    dilation_h_factor: int = 1,
    dilation_w_factor: int = 1,
    activation: str = "NONE",
    packed: Filters | None = None,
) -> Array:
    """``ops.quantized.conv.conv_2d``, if the filters were packed; groups are left to the definition."""
    if packed is None or not fits(x, filters, bias, len(filters)):
        return conv.conv_2d(
            x, filters, bias, inputs=inputs, outputs=outputs, padding=padding, stride_h=stride_h, stride_w=stride_w,
            dilation_h_factor=dilation_h_factor, dilation_w_factor=dilation_w_factor, activation=activation,
        )  # fmt: skip
    count, kh, kw, channels = filters.shape
    rows = axis(x.shape[1], kh, stride_h, dilation_h_factor, padding)
    columns = axis(x.shape[2], kw, stride_w, dilation_w_factor, padding)
    shape = len(x), rows.outputs, columns.outputs
    if kh == kw == stride_h == stride_w == 1:  # every pixel alone: one column of all of them
        rows, columns = axis(x.size // channels, 1, 1, 1, "VALID"), axis(1, 1, 1, 1, "VALID")
    paddable(least_band(rows, columns, channels), x.size, 2)
    y = np.empty(within_limit((*shape, count), 1), np.int8)
    pixels, row, numbers, (scale, limits) = flat(x), biases(bias, count), y.reshape(-1), packed.scales
    down, across = tuple(rows), tuple(columns)

    def work(lines: Part) -> None:
        _convolve(
            pixels, packed.zero, packed.numbers, row, scale, numbers, lines, channels, count, down, across, limits
        )

    each(y.size // count // columns.outputs, columns.outputs * packed.numbers.size, work)
    return y


def fits(x: Array, filters: Array, bias: Array | None, outputs: int) -> bool:
    """Whether the shapes are as the kernel takes them; what compiled code would read out of bounds must not pass."""
    return (
        x.dtype == np.int8
        and x.ndim == filters.ndim == 4
        and x.size > 0
        and filters.size > 0
        and x.shape[3] == filters.shape[3]
        and (bias is None or (bias.dtype == np.int32 and bias.size == outputs))
    )


@kernel()
def _convolve(
    x: Array, zero: np.int16, w: Array, bias: Array, scale: Array, y: Array, lines: tuple[int, int], channels: int,
    outputs: int, down: tuple[int, ...], across: tuple[int, ...], limits: Any,
) -> None:  # fmt: skip
    """A range of lines, a band at a time, whose windows are gathered, unless they are pixels of the band itself."""
    rows, columns = WindowAxis(*down), WindowAxis(*across)
    width, depth = reach(columns, columns.outputs), rows.kernel * columns.kernel * channels
    pairs, most = (depth + 1) // 2, most_lines(rows, width * channels)
    band = empty_band(reach(rows, most) * width * channels)
    count = min(max(BAND // depth // TILE * TILE, TILE), most * columns.outputs)
    gathers = depth > channels or depth % 2 == 1 or rows.stride > 1 or columns.stride > 1
    windows = empty_band(count * 2 * pairs if gathers else 0)
    line = lines[0]
    while line < lines[1]:
        some = min(most, lines[1] - line, rows.outputs - line % rows.outputs)
        widen(x, zero, line, some, channels, channels, rows, columns, band)
        last, to = some * columns.outputs, line * columns.outputs
        for p in range(0, last, count if gathers else last):
            n = min(count, last - p) if gathers else last
            if gathers:
                _gather(band, p, n, channels, rows, columns, windows)
            source = windows if gathers else band
            _multiply(source.view(np.int32), pairs, w, bias, scale, y, to + p, n, outputs, limits)
        line += some


@kernel()
def _gather(
    band: Array, first: int, count: int, channels: int, rows: WindowAxis, columns: WindowAxis, windows: Array
) -> None:
    """``windows[p] <-`` what the band's output pixel ``first + p`` sees. (rows, width, I) -> (P, K), K made even.

    Taps next to one another are copied as one run, in vectors that may write into the next one.
    """
    width, span = reach(columns, columns.outputs), columns.kernel if columns.dilation == 1 else 1
    run, r, c, to = span * channels, first // columns.outputs, first % columns.outputs, 0
    for _ in range(count):
        for i in range(rows.kernel):
            at = ((r * rows.stride + i * rows.dilation) * width + c * columns.stride) * channels
            for j in range(0, columns.kernel, span):
                for k in range(0, run, 2 * WIDTH):
                    copy(windows, to + k, band, at + j * columns.dilation * channels + k)
                to += run
        to += to % 2
        c += 1
        if c == columns.outputs:
            r, c = r + 1, 0


@kernel()
def _multiply(
    x: Array, depth: int, w: Array, bias: Array, scale: Array, y: Array, first: int, count: int, outputs: int,
    limits: Any,
) -> None:  # fmt: skip
    """``y[first : first + count] = x w + bias``, rescaled; a panel of filters stays in the cache meanwhile."""
    for o in range(0, outputs, PANEL):
        for p in range(0, count, TILE):
            last = min(TILE, count - p) - 1
            for n, sums in enumerate(tile(x, p, last, depth, w, bias, o)):
                finish(y, (first + p + min(n, last)) * outputs + o, sums, scale, o, outputs - o, limits)


@kernel(forceinline=True)
def tile(x: Array, row: int, last: int, depth: int, w: Array, bias: Array, o: int) -> Any:
    """The sums of 6 pixels by 2 vectors of outputs. There are always six: past pixel ``last``, that pixel again."""
    a, b, c = row * depth, (row + min(1, last)) * depth, (row + min(2, last)) * depth
    d, e, f = (row + min(3, last)) * depth, (row + min(4, last)) * depth, (row + min(5, last)) * depth
    a0 = b0 = c0 = d0 = e0 = f0 = load(bias, o)
    a1 = b1 = c1 = d1 = e1 = f1 = load(bias, o + WIDTH)
    for k in range(depth):
        at = 2 * (o * depth + k * PANEL)
        w0, w1 = load_pairs(w, at), load_pairs(w, at + 2 * WIDTH)
        xa, xb, xc, xd, xe, xf = (
            spread(x, a + k), spread(x, b + k), spread(x, c + k), spread(x, d + k), spread(x, e + k), spread(x, f + k)
        )  # fmt: skip
        a0, a1 = multiply_add(xa, w0, a0), multiply_add(xa, w1, a1)
        b0, b1 = multiply_add(xb, w0, b0), multiply_add(xb, w1, b1)
        c0, c1 = multiply_add(xc, w0, c0), multiply_add(xc, w1, c1)
        d0, d1 = multiply_add(xd, w0, d0), multiply_add(xd, w1, d1)
        e0, e1 = multiply_add(xe, w0, e0), multiply_add(xe, w1, e1)
        f0, f1 = multiply_add(xf, w0, f0), multiply_add(xf, w1, f1)
    return (a0, a1), (b0, b1), (c0, c1), (d0, d1), (e0, e1), (f0, f1)
