"""Convolutions as one product of matrices: pixels with all that their windows see, times filters.

No BLAS: OpenBLAS takes every core for each product, and in a pool of two Python threads that made an image ten times
slower. Each call here runs on one thread, without the GIL.

P pixels of the output, K = KH KW I numbers under a window, O outputs.
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
    prepared_by,
    scalars,
)
from tflite_transfer.reference.kernels.compile import kernel
from tflite_transfer.reference.kernels.threads import Part, each
from tflite_transfer.reference.kernels.vector import WIDTH, clamp, load, multiply_add, spread, store, store_first
from tflite_transfer.reference.ops import conv, linear
from tflite_transfer.reference.ops.limit import within_limit

Array = NDArray[Any]

TILE = 6  # pixels whose sums are in registers at one time, by
PANEL = 2 * WIDTH  # outputs: 12 vectors of sums, and two of filters. 4 pixels took 8 % more time, 8 took 6 % more
BAND = 2**16  # numbers under the windows of the pixels of one pass: 256 kB, which a second-level cache keeps
SPARE = 2**18  # numbers, 1 MB, that filters of few outputs may take packed


def pack(filters: Array) -> Array | None:
    """(O, ...) -> (panels, K, PANEL): in the order in which the kernel reads them; zeros fill up the last panel.

    None where most of it would be zeros, and it larger than 1 MB. Filters so deep meet few pixels, where the definition
    is as fast. On many it is not: 112 x 112 x 32 to 10 outputs took 1,210 us by the definition, packed 340 us.
    """
    rows = filters.reshape(len(filters), -1)
    if len(rows) < PANEL // 2 and rows.shape[1] * PANEL > SPARE:
        return None
    panels = -(-len(rows) // PANEL)
    packed = np.zeros(within_limit((panels * PANEL, rows.shape[1])), np.float32)
    packed[: len(rows)] = rows
    return packed.reshape(panels, PANEL, -1).transpose(0, 2, 1).copy()


def pack_weights(weights: Array) -> Array | None:
    """``pack``, but None for fewer outputs than half a panel, whatever their size.

    As matrices they are small enough for NumPy: 1 to 15 outputs of 1,280 features take it 7 to 13 us, packed 19 to 48.
    """
    return None if len(weights) < PANEL // 2 else pack(weights)


@prepared_by(pack)
def conv_2d(
    x: Array,
    filters: Array,
    bias: Array | None = None,
    *,
    padding: str,
    stride_h: int,
    stride_w: int,
    dilation_h_factor: int = 1,
    dilation_w_factor: int = 1,
    bounds: Bounds = UNBOUNDED,
    packed: Array | None = None,
) -> Array:
    """``ops.conv.conv_2d``, kept within ``bounds``.

    Groups, other types than float32, and filters that ``pack`` leaves are left to the definition.

    Parameters
    ----------
    packed : ``pack(filters)``, if at hand
    """
    fits = float32(x, filters, bias) and _fits(x, filters, bias)
    packed = pack(filters) if fits and packed is None else packed
    if not fits or packed is None:
        y = conv.conv_2d(
            x, filters, bias, padding=padding, stride_h=stride_h, stride_w=stride_w,
            dilation_h_factor=dilation_h_factor, dilation_w_factor=dilation_w_factor,
        )  # fmt: skip
        return bounded(y, bounds)
    outputs, kh, kw, channels = filters.shape
    rows = axis(x.shape[1], kh, stride_h, dilation_h_factor, padding)
    columns = axis(x.shape[2], kw, stride_w, dilation_w_factor, padding)
    y = empty(within_limit((len(x), rows.outputs, columns.outputs, outputs)))
    biases = np.zeros(packed.shape[0] * PANEL, np.float32)
    if bias is not None:
        biases[:outputs] = bias
    x, rows, columns = _padded(x, rows, columns)
    images, panels, limits = flat(x), flat(packed), scalars(bounds)
    numbers, down, across = y.reshape(-1), tuple(rows), tuple(columns)

    def work(pixels: Part) -> None:
        _conv(images, panels, biases, numbers, pixels, channels, outputs, down, across, limits)

    each(y.size // outputs, packed[0].size * len(packed), work)
    return y


def _padded(x: Array, rows: WindowAxis, columns: WindowAxis) -> tuple[Array, WindowAxis, WindowAxis]:
    """The images with zeros around them, so that every window lies within, and their axes. (B, H, W, I)."""
    height, width = (max(a.image + a.before, a.reach) for a in (rows, columns))
    if (height, width) == x.shape[1:3]:
        return x, rows, columns
    room = np.zeros(within_limit((len(x), height, width, x.shape[3])), np.float32)
    room[:, rows.before : rows.before + rows.image, columns.before : columns.before + columns.image] = x
    return room, rows._replace(image=height, before=0), columns._replace(image=width, before=0)


@prepared_by(pack_weights)
def fully_connected(
    x: Array,
    weights: Array,
    bias: Array | None = None,
    *,
    keep_num_dims: bool = False,
    bounds: Bounds = UNBOUNDED,
    packed: Array | None = None,
) -> Array:
    """``ops.linear.fully_connected``: a 1 x 1 convolution, if the weights were packed.

    To pack them at each call would take longer than the product: 4 ms for 1,000 classes of 1,280 features.
    """
    wrong = weights.ndim != 2 or (keep_num_dims and x.shape[-1] != weights.shape[1])
    if packed is None or wrong or x.size == 0:
        return bounded(linear.fully_connected(x, weights, bias, keep_num_dims=keep_num_dims), bounds)
    image = x.reshape(-1, 1, 1, x.shape[-1] if keep_num_dims else weights.shape[1])
    y = conv_2d(
        image, weights[:, None, None], bias, padding="VALID", stride_h=1, stride_w=1, bounds=bounds, packed=packed
    )
    return y.reshape(*(x.shape[:-1] if keep_num_dims else (-1,)), len(weights))


def _fits(x: Array, filters: Array, bias: Array | None) -> bool:
    """Whether the shapes are as the kernel takes them; what compiled code would read out of bounds must not pass."""
    return (
        x.ndim == filters.ndim == 4
        and x.size > 0
        and filters.size > 0
        and x.shape[3] == filters.shape[3]
        and (bias is None or bias.shape == filters.shape[:1])
    )


@kernel()
def _conv(
    x: Array,
    w: Array,
    bias: Array,
    y: Array,
    pixels: tuple[int, int],
    channels: int,
    outputs: int,
    down: tuple[int, ...],
    across: tuple[int, ...],
    bounds: Any,
) -> None:
    """A range of pixels, a band at a time; a panel of filters stays in the cache meanwhile."""
    rows, columns = WindowAxis(*down), WindowAxis(*across)
    depth = rows.kernel * columns.kernel * channels
    band = min(max(BAND // depth // TILE * TILE, TILE), -(-(pixels[1] - pixels[0]) // TILE) * TILE)
    windows = np.empty(band, np.int64)
    for p in range(pixels[0], pixels[1], band):
        count = min(band, pixels[1] - p)
        _find(p, count, channels, rows, columns, windows)
        for o in range(0, outputs, PANEL):
            for n in range(0, count, TILE):
                _tile(
                    x, windows, n, min(TILE, count - n), w, bias, y, p + n, o, channels, outputs, rows, columns, bounds
                )


@kernel()
def _find(first: int, count: int, channels: int, rows: WindowAxis, columns: WindowAxis, windows: Array) -> None:
    """Where in x the windows of output pixels ``first`` to ``first + count`` begin. Past the last, that one again."""
    c, lines = first % columns.outputs, first // columns.outputs
    example, r = lines // rows.outputs, lines % rows.outputs
    for n in range(-(-count // TILE) * TILE):
        at = ((example * rows.image + r * rows.stride) * columns.image + c * columns.stride) * channels
        windows[n] = at if n < count else windows[n - 1]
        c += 1
        if c == columns.outputs:
            c, r = 0, r + 1
        if r == rows.outputs:
            r, example = 0, example + 1


@kernel()
def _tile(
    x: Array, windows: Array, n: int, count: int, w: Array, bias: Array, y: Array, pixel: int, o: int, channels: int,
    outputs: int, rows: WindowAxis, columns: WindowAxis, bounds: Any,
) -> None:  # fmt: skip
    """The sums of 6 pixels by 2 vectors of outputs, of which the first ``count`` are kept.

    Taps next to one another in x are one run: a first layer's three channels alone would be a short loop.
    """
    span = columns.kernel if columns.dilation == 1 else 1
    at = o * rows.kernel * columns.kernel * channels
    a0 = b0 = c0 = d0 = e0 = f0 = load(bias, o)
    a1 = b1 = c1 = d1 = e1 = f1 = load(bias, o + WIDTH)
    for i in range(rows.kernel):
        for j in range(0, columns.kernel, span):
            tap = (i * rows.dilation * columns.image + j * columns.dilation) * channels
            a, b, c = windows[n] + tap, windows[n + 1] + tap, windows[n + 2] + tap
            d, e, f = windows[n + 3] + tap, windows[n + 4] + tap, windows[n + 5] + tap
            for k in range(span * channels):
                w0, w1 = load(w, at + k * PANEL), load(w, at + k * PANEL + WIDTH)
                xa, xb, xc, xd, xe, xf = (
                    spread(x, a + k), spread(x, b + k), spread(x, c + k), spread(x, d + k), spread(x, e + k),
                    spread(x, f + k),
                )  # fmt: skip
                a0, a1 = multiply_add(xa, w0, a0), multiply_add(xa, w1, a1)
                b0, b1 = multiply_add(xb, w0, b0), multiply_add(xb, w1, b1)
                c0, c1 = multiply_add(xc, w0, c0), multiply_add(xc, w1, c1)
                d0, d1 = multiply_add(xd, w0, d0), multiply_add(xd, w1, d1)
                e0, e1 = multiply_add(xe, w0, e0), multiply_add(xe, w1, e1)
                f0, f1 = multiply_add(xf, w0, f0), multiply_add(xf, w1, f1)
            at += span * channels * PANEL
    for m, (left, right) in enumerate(((a0, a1), (b0, b1), (c0, c1), (d0, d1), (e0, e1), (f0, f1))):
        to = (pixel + min(m, count - 1)) * outputs + o
        left, right = clamp(left, bounds), clamp(right, bounds)
        if o + PANEL <= outputs:
            store(y, to, left)
            store(y, to + WIDTH, right)
        else:  # slower: on some machines a masked store takes as long as twenty others
            store_first(y, to, left, outputs - o)
            store_first(y, to + WIDTH, right, outputs - o - WIDTH)
