"""Fourier transform and complex numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.ops.limit import numbers, within_limit

Array = NDArray[Any]


def rfft2d(x: Array, fft_length: Array) -> Array:
    """The two-dimensional Fourier transform of real numbers, in double. (..., H, W), (2,) -> (..., h, w / 2 + 1).

    x is cropped, or padded with zeros, to ``fft_length = (h, w)``, powers of two. The other half of the columns follows
    from ``y[h - i, w - j] = conj(y[i, j])``.
    """
    height, width = numbers(fft_length)
    if any(n < 1 or n & (n - 1) for n in (height, width)):
        raise ValueError(f"lengths {height} and {width} are not powers of two")
    complex_ = np.result_type(x.dtype, np.complex64)
    within_limit((*x.shape[:-2], height, width + 2), 8)
    return np.fft.rfft2(x[..., :height, :width].astype(np.float64), s=(height, width), axes=(-2, -1)).astype(complex_)


def real(x: Array) -> Array:
    """The real part. (...) -> (...)."""
    return np.real(x).copy()


def imag(x: Array) -> Array:
    """The imaginary part. (...) -> (...)."""
    return np.imag(x).copy()


def complex_abs(x: Array) -> Array:
    """``sqrt(re^2 + im^2)``, which does not overflow on the way. (...) -> (...)."""
    return np.abs(x)
