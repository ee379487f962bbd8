"""Depthwise convolutions: vectors of neighbouring channels, summed over the taps of the kernel.

H W image, C channels, KH KW kernel.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.kernels.arguments import (
    UNBOUNDED,
    Bounds,
    WindowAxis,
    axis,
    bounded,
    empty,
    flat,
    float32,
    scalars,
)
from tflite_transfer.reference.kernels.compile import kernel
from tflite_transfer.reference.kernels.threads import Part, each
from tflite_transfer.reference.kernels.vector import WIDTH, clamp, load, multiply_add, store
from tflite_transfer.reference.ops import conv
from tflite_transfer.reference.ops.limit import within_limit

Array = NDArray[Any]

RUN = 4  # neighbouring pixels at one time, so that each vector of filters is read once for four
# The square kernels and strides, without dilation, for which there is machine code of its own: see ``_whole_run``.
OWN = {(kernel, stride): ((0,) * kernel, (0,) * stride) for kernel in (3, 5) for stride in (1, 2)}
NONE = (), ()


def depthwise_conv_2d(
    x: Array,
    filters: Array,
    bias: Array | None = None,
    *,
    padding: str,
    stride_h: int,
    stride_w: int,
    depth_multiplier: int = 0,  # noqa: ARG001 - the shapes say it
    dilation_h_factor: int = 1,
    dilation_w_factor: int = 1,
    bounds: Bounds = UNBOUNDED,
) -> Array:
    """``ops.conv.depthwise_conv_2d``, kept within ``bounds``.

    More than one output a channel, and other types than float32, are left to the definition.
    """
    if not (float32(x, filters, bias) and _fits(x, filters, bias)):
        y = conv.depthwise_conv_2d(
            x, filters, bias, padding=padding, stride_h=stride_h, stride_w=stride_w,
            dilation_h_factor=dilation_h_factor, dilation_w_factor=dilation_w_factor,
        )  # fmt: skip
        return bounded(y, bounds)
    rows = axis(x.shape[1], filters.shape[1], stride_h, dilation_h_factor, padding)
    columns = axis(x.shape[2], filters.shape[2], stride_w, dilation_w_factor, padding)
    channels = x.shape[3]
    bias = np.zeros(channels, np.float32) if bias is None else bias
    if channels < WIDTH:
        within_limit((*x.shape[:3], WIDTH))
        x, filters, bias = (np.pad(a, [(0, 0)] * (a.ndim - 1) + [(0, WIDTH - channels)]) for a in (x, filters, bias))
    y = empty(within_limit((len(x), rows.outputs, columns.outputs, x.shape[3])))
    images, taps, biases, limits = flat(x), flat(filters), flat(bias), scalars(bounds)
    square = rows[3:] == columns[3:] and columns.dilation == 1
    own = OWN.get((columns.kernel, columns.stride), NONE) if square else NONE
    numbers, depth, down, across = y.reshape(-1), x.shape[3], tuple(rows), tuple(columns)

    def work(lines: Part) -> None:
        _depthwise(images, taps, biases, numbers, lines, depth, down, across, own, limits)

    each(len(x) * rows.outputs, columns.outputs * filters.size, work)
    return y[..., :channels]


def _fits(x: Array, filters: Array, bias: Array | None) -> bool:
    """Whether the shapes are as the kernel takes them; what compiled code would read out of bounds must not pass."""
    return (
        x.ndim == filters.ndim == 4
        and x.size > 0
        and filters.size > 0
        and filters.shape[0] == 1
        and x.shape[3] == filters.shape[3]
        and (bias is None or bias.shape == filters.shape[3:])
    )


@kernel()
def _depthwise(
    x: Array, w: Array, bias: Array, y: Array, lines: tuple[int, int], channels: int, down: tuple[int, ...],
    across: tuple[int, ...], own: Any, bounds: Any,
) -> None:  # fmt: skip
    """A range of rows: runs of pixels whose windows lie within the image's columns, then the pixels on either side."""
    rows, columns = WindowAxis(*down), WindowAxis(*across)
    start = min(-(-columns.before // columns.stride), columns.outputs)
    reach = (columns.kernel - 1) * columns.dilation
    stop = (columns.image - 1 - reach + columns.before) // columns.stride + 1
    runs = max(min(stop, columns.outputs) - start, 0) // RUN
    rest = start + runs * RUN
    for n in range(lines[0], lines[1]):
        example, r = n // rows.outputs, n % rows.outputs
        top = r * rows.stride - rows.before
        image = (example * rows.image + top) * columns.image * channels
        i = _inside(top, rows)
        whole = len(own[0]) > 0 and i == (0, rows.kernel)
        for c in range(start, rest, RUN):
            to, left = (n * columns.outputs + c) * channels, image + (c * columns.stride - columns.before) * channels
            if whole:
                _whole_run(x, left, w, bias, y, to, channels, columns.image * channels, own, bounds)
            else:
                _run(x, left, w, bias, y, to, channels, i, rows, columns, bounds)
        for m in range(start + columns.outputs - rest):
            c = m if m < start else m - start + rest
            _pixel(x, image, w, bias, y, (n * columns.outputs + c) * channels, channels, c, i, rows, columns, bounds)


@kernel()
def _inside(first: int, axis: WindowAxis) -> tuple[int, int]:
    """Which taps meet the image, as a range, for a window that begins at pixel ``first``."""
    return max(-(first // axis.dilation), 0), min((axis.image - 1 - first) // axis.dilation + 1, axis.kernel)


@kernel()
def _run(
    x: Array, left: int, w: Array, bias: Array, y: Array, to: int, channels: int, taps: tuple[int, int],
    rows: WindowAxis, columns: WindowAxis, bounds: Any,
) -> None:  # fmt: skip
    """Four pixels whose windows begin at ``left``, and lie within the image's columns."""
    step = columns.stride * channels
    for vector in range(0, channels, WIDTH):
        o = min(vector, channels - WIDTH)  # the last vector covers channels of the one before it again
        p = q = r = s = load(bias, o)
        for i in range(taps[0], taps[1]):
            for j in range(columns.kernel):
                at = left + (i * rows.dilation * columns.image + j * columns.dilation) * channels + o
                f = load(w, (i * columns.kernel + j) * channels + o)
                p, q = multiply_add(load(x, at), f, p), multiply_add(load(x, at + step), f, q)
                r, s = multiply_add(load(x, at + 2 * step), f, r), multiply_add(load(x, at + 3 * step), f, s)
        store(y, to + o, clamp(p, bounds))
        store(y, to + channels + o, clamp(q, bounds))
        store(y, to + 2 * channels + o, clamp(r, bounds))
        store(y, to + 3 * channels + o, clamp(s, bounds))


@kernel()
def _whole_run(
    x: Array, left: int, w: Array, bias: Array, y: Array, to: int, channels: int, line: int, own: Any, bounds: Any
) -> None:
    """``_run`` of windows that lie within the image, ``line`` its numbers a row.

    ``own`` is two tuples, as long as the kernel and the stride: lengths are part of a type, so the compiler knows both.
    It unrolls the loops over the taps, and reads a pixel that windows share once.
    """
    size, stride = len(own[0]), len(own[1])
    for vector in range(0, channels, WIDTH):
        o = min(vector, channels - WIDTH)
        p = q = r = s = load(bias, o)
        for i in range(size):
            for j in range(size):
                at = left + i * line + o
                f = load(w, (i * size + j) * channels + o)
                p = multiply_add(load(x, at + j * channels), f, p)
                q = multiply_add(load(x, at + (stride + j) * channels), f, q)
                r = multiply_add(load(x, at + (2 * stride + j) * channels), f, r)
                s = multiply_add(load(x, at + (3 * stride + j) * channels), f, s)
        store(y, to + o, clamp(p, bounds))
        store(y, to + channels + o, clamp(q, bounds))
        store(y, to + 2 * channels + o, clamp(r, bounds))
        store(y, to + 3 * channels + o, clamp(s, bounds))


@kernel()
def _pixel(
    x: Array, image: int, w: Array, bias: Array, y: Array, to: int, channels: int, c: int, taps: tuple[int, int],
    rows: WindowAxis, columns: WindowAxis, bounds: Any,
) -> None:  # fmt: skip
    """One pixel, of which taps may be outside."""
    first = c * columns.stride - columns.before
    start, stop = _inside(first, columns)
    for vector in range(0, channels, WIDTH):
        o = min(vector, channels - WIDTH)
        p = load(bias, o)
        for i in range(taps[0], taps[1]):
            for j in range(start, stop):
                at = image + (i * rows.dilation * columns.image + first + j * columns.dilation) * channels + o
                p = multiply_add(load(x, at), load(w, (i * columns.kernel + j) * channels + o), p)
        store(y, to + o, clamp(p, bounds))
