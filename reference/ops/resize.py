"""Images in another size: B batch, H W before, h w after, C channels.

A pixel's place i after the change lies at ``i H / h`` before it; ``align_corners`` puts the corner pixels onto each
other, ``i (H - 1) / (h - 1)``; ``half_pixel_centers`` counts from the pixels' centres, ``(i + 1/2) H / h - 1/2``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.ops.limit import numbers, within_limit

Array = NDArray[Any]


def resize_bilinear(x: Array, size: Array, *, align_corners: bool = False, half_pixel_centers: bool = False) -> Array:
    """Each pixel from the four around its place, the nearer the more. (B, H, W, C), (2,) -> (B, h, w, C)."""
    if align_corners and half_pixel_centers:
        raise ValueError("align_corners and half_pixel_centers exclude each other")
    h, w = _size(x, size)
    if x.dtype.kind in "iu":
        return _resized_integers(x, h, w, align_corners, half_pixel_centers)
    (top, bottom, y), (left, right, z) = (
        _neighbours(n, m, x.dtype, align_corners, half_pixel_centers) for n, m in ((x.shape[1], h), (x.shape[2], w))
    )
    y, z = y[:, None, None], z[:, None]
    upper, lower = x[:, top], x[:, bottom]
    return (upper[:, :, left] * (1 - z) + upper[:, :, right] * z) * (1 - y) + (
        lower[:, :, left] * (1 - z) + lower[:, :, right] * z
    ) * y


def _resized_integers(x: Array, h: int, w: int, align_corners: bool, half: bool) -> Array:
    """Places are whole multiples of 1/1024; of uint8, float32 numbers. (B, H, W, C) -> (B, h, w, C).

    Source: LiteRT's ``kernels/internal/reference/resize_bilinear.h``.
    """
    places, one = (_float_places, 1) if x.dtype == np.uint8 else (_places, 1024)
    top, bottom, y = places(x.shape[1], h, align_corners, half)
    left, right, z = places(x.shape[2], w, align_corners, half)
    y, z = y[:, None, None], z[:, None]
    wide, one = x.astype(y.dtype), y.dtype.type(one)
    corners = (
        (top, left, one - y, one - z),
        (bottom, left, y, one - z),
        (top, right, one - y, z),
        (bottom, right, y, z),
    )
    parts = [wide[:, i][:, :, j] * u * v for i, j, u, v in corners]
    total = parts[0] + parts[1] + parts[2] + parts[3]
    if x.dtype == np.uint8:
        return (total + np.float32(0.5)).astype(x.dtype)
    return (np.sign(total) * ((np.abs(total) + (1 << 19)) >> 20)).astype(x.dtype)


def resize_nearest_neighbor(
    x: Array, size: Array, *, align_corners: bool = False, half_pixel_centers: bool = False
) -> Array:
    """Each pixel from the one at its place, rounded down, or to the nearest. (B, H, W, C), (2,) -> (B, h, w, C)."""
    h, w = _size(x, size)
    rows, columns = (_nearest(n, m, align_corners, half_pixel_centers) for n, m in ((x.shape[1], h), (x.shape[2], w)))
    return x[:, rows][:, :, columns]


def _size(x: Array, size: Array) -> tuple[int, int]:
    b, _, _, c = x.shape
    h, w = numbers(size)
    if min(h, w, *x.shape[1:3]) < 1:
        raise ValueError(f"an image of {x.shape[1:3]} pixels is to have {h} x {w}")
    on_the_way = 64 if x.dtype.kind in "iu" else 8 * x.itemsize
    within_limit((b, h, max(w, x.shape[2]), c), on_the_way)
    return h, w


def _scale(before: int, after: int, dtype: Any, align_corners: bool) -> Any:
    aligned = align_corners and after > 1
    return dtype((before - aligned) / (after - aligned))


def _neighbours(before: int, after: int, dtype: Any, align_corners: bool, half: bool) -> tuple[Array, Array, Array]:
    """For each pixel the two around its place, and how far it is from the first. Beyond the edge the edge goes on."""
    i = np.arange(after, dtype=dtype)
    scale = _scale(before, after, dtype.type, align_corners)
    place = np.clip((i + dtype.type(0.5)) * scale - dtype.type(0.5) if half else i * scale, 0, before - 1)
    first = np.floor(place)
    return first.astype(int), np.ceil(place).astype(int), place - first


def _nearest(before: int, after: int, align_corners: bool, half: bool) -> Array:
    """For each pixel the one at its place, in float32 whatever the pixels are: another rounding, another pixel."""
    place = (np.arange(after, dtype=np.float32) + np.float32(0.5 if half else 0)) * _scale(
        before, after, np.float32, align_corners
    )
    return np.minimum(np.floor(place + 0.5 if align_corners else place).astype(int), before - 1)


def _places(before: int, after: int, align_corners: bool, half: bool) -> tuple[Array, Array, Array]:
    """For each pixel the two around its place, and how many 1024ths it is from the first."""
    gaps = (before - 1, after - 1) if align_corners and after > 1 else (before, after)
    scale = (1024 * gaps[0] + gaps[1] // 2) // gaps[1]
    place = np.arange(after, dtype=np.int64) * scale + (scale // 2 - 512 if half else 0)
    first = np.maximum(place, 0) >> 10
    return first, np.minimum((place + 1023) >> 10, before - 1), place - (first << 10)


def _float_places(before: int, after: int, align_corners: bool, half: bool) -> tuple[Array, Array, Array]:
    gaps = (before - 1, after - 1) if align_corners and after > 1 else (before, after)
    scale, i = np.float32(gaps[0]) / np.float32(gaps[1]), np.arange(after, dtype=np.float32)
    place = (i + np.float32(0.5)) * scale - np.float32(0.5) if half else i * scale
    first = np.maximum(np.floor(place), np.float32(0))
    return first.astype(int), np.minimum(np.ceil(place).astype(int), before - 1), place - first
