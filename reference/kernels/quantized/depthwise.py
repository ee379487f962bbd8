"""Depthwise convolutions of stored integers: vectors of neighbouring channels, summed over the taps of the kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.kernels.arguments import WindowAxis, axis, flat, prepared_by
from tflite_transfer.reference.kernels.compile import kernel
from tflite_transfer.reference.kernels.quantized.bands import empty_band, least_band, most_lines, reach, widen
from tflite_transfer.reference.kernels.quantized.conv import Filters, fits
from tflite_transfer.reference.kernels.quantized.integers import load, multiply_add
from tflite_transfer.reference.kernels.quantized.scales import PANEL, biases, finish, panels, scales, zero_of
from tflite_transfer.reference.kernels.threads import Part, each
from tflite_transfer.reference.kernels.vector import WIDTH
from tflite_transfer.reference.ops.limit import paddable, within_limit
from tflite_transfer.reference.ops.quantized import conv
from tflite_transfer.reference.ops.quantized.affine import Tensors
from tflite_transfer.reference.ops.quantized.fixed_point import quantize_multiplier
from tflite_transfer.reference.tflite.graph import Tensor

Array = NDArray[Any]

RUN = 4  # neighbouring pixels at one time, so that each vector of filters is read once for four


def pack(filters: Array, *, inputs: Tensors, outputs: tuple[Tensor, ...], activation: str = "NONE") -> Filters | None:
    """(1, KH, KW, I) -> (KH KW, I up to whole panels) of int16, each with a 0 beside it. None unless all is int8."""
    zero = zero_of(*inputs[:2])
    if zero is None or filters.dtype != np.int8 or filters.ndim != 4 or outputs[0].type != "INT8":
        return None
    by = quantize_multiplier(conv.rescale(inputs, outputs[0], axis=3))
    channels = filters.shape[3]
    scale = scales(by, channels, outputs[0], activation)
    if scale is None:
        return None
    taps = filters.reshape(-1, channels)
    packed = np.zeros(within_limit((len(taps), panels(channels) * PANEL, 2), 2), np.int16)
    packed[:, :channels, 0] = taps
    return Filters(flat(packed).view(np.int32), np.int16(zero), scale)


@prepared_by(pack)
def depthwise_conv_2d(
    x: Array,
    filters: Array,
    bias: Array | None = None,
    *,
    inputs: Tensors,
    outputs: tuple[Tensor, ...],
    padding: str,
    stride_h: int,
    stride_w: int,
    depth_multiplier: int = 0,  # noqa: ARG001 - the shapes say it
    dilation_h_factor: int = 1,
    dilation_w_factor: int = 1,
    activation: str = "NONE",
    packed: Filters | None = None,
) -> Array:
    """``ops.quantized.conv.depthwise_conv_2d``, if the filters were packed.

    More than one output a channel are left to the definition.
    """
    if packed is None or len(filters) != 1 or not fits(x, filters, bias, x.shape[-1]):
        return conv.depthwise_conv_2d(
            x, filters, bias, inputs=inputs, outputs=outputs, padding=padding, stride_h=stride_h, stride_w=stride_w,
            dilation_h_factor=dilation_h_factor, dilation_w_factor=dilation_w_factor, activation=activation,
        )  # fmt: skip
    _, kh, kw, channels = filters.shape
    rows = axis(x.shape[1], kh, stride_h, dilation_h_factor, padding)
    columns = axis(x.shape[2], kw, stride_w, dilation_w_factor, padding)
    row, (scale, limits) = biases(bias, channels), packed.scales
    paddable(least_band(rows, columns, row.size), x.size, 2)
    y = np.empty(within_limit((len(x), rows.outputs, columns.outputs, channels), 1), np.int8)
    pixels, numbers, down, across = flat(x), y.reshape(-1), tuple(rows), tuple(columns)

    def work(lines: Part) -> None:
        _depthwise(pixels, packed.zero, packed.numbers, row, scale, numbers, lines, channels, down, across, limits)

    each(len(x) * rows.outputs, columns.outputs * packed.numbers.size, work)
    return y


@kernel()
def _depthwise(
    x: Array, zero: np.int16, w: Array, bias: Array, scale: Array, y: Array, lines: tuple[int, int], channels: int,
    down: tuple[int, ...], across: tuple[int, ...], limits: Any,
) -> None:  # fmt: skip
    """A range of lines, a band at a time, in runs of pixels."""
    rows, columns = WindowAxis(*down), WindowAxis(*across)
    width, room = reach(columns, columns.outputs), len(bias)
    most = most_lines(rows, width * room)
    band = empty_band(reach(rows, most) * width * room)
    line = lines[0]
    while line < lines[1]:
        some = min(most, lines[1] - line, rows.outputs - line % rows.outputs)
        widen(x, zero, line, some, channels, room, rows, columns, band)
        for r in range(some):
            for c in range(0, columns.outputs, RUN):
                last = min(RUN, columns.outputs - c) - 1
                at = (r * rows.stride * width + c * columns.stride) * room
                to = ((line + r) * columns.outputs + c) * channels
                for o in range(0, room, PANEL):
                    for n, sums in enumerate(_run(band, at + o, last, w, bias, o, rows, columns)):
                        finish(y, to + min(n, last) * channels + o, sums, scale, o, channels - o, limits)
        line += some


@kernel(forceinline=True)
def _run(
    band: Array, first: int, last: int, w: Array, bias: Array, o: int, rows: WindowAxis, columns: WindowAxis
) -> Any:
    """The sums of 4 pixels by 2 vectors of channels. There are always four: past pixel ``last``, that pixel again."""
    room = len(bias)
    line, step = reach(columns, columns.outputs) * room, columns.stride * room
    b, c, d = min(1, last) * step, min(2, last) * step, min(3, last) * step
    p0 = q0 = r0 = s0 = load(bias, o)
    p1 = q1 = r1 = s1 = load(bias, o + WIDTH)
    for i in range(rows.kernel):
        for j in range(columns.kernel):
            n = (i * columns.kernel + j) * room + o
            m = first + i * rows.dilation * line + j * columns.dilation * room
            w0, w1 = load(w, n), load(w, n + WIDTH)
            p0, p1 = multiply_add(load(band, m), w0, p0), multiply_add(load(band, m + WIDTH), w1, p1)
            q0, q1 = multiply_add(load(band, m + b), w0, q0), multiply_add(load(band, m + b + WIDTH), w1, q1)
            r0, r1 = multiply_add(load(band, m + c), w0, r0), multiply_add(load(band, m + c + WIDTH), w1, r1)
            s0, s1 = multiply_add(load(band, m + d), w0, s0), multiply_add(load(band, m + d + WIDTH), w1, s1)
    return (p0, p1), (q0, q1), (r0, r1), (s0, s1)
