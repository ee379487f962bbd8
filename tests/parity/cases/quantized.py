"""Stored integers to make cases of."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.parity.operators import Given, Out
from tflite_transfer.diagnostics.bounds import ulps

I8, U8, I16, I32, I64 = np.int8, np.uint8, np.int16, np.int32, np.int64
ONE_OFF = {"reference": ulps(0), "default": ulps(1)}  # XNNPACK multiplies by floats


def stored(dtype: Any, *shape: int, scale: Any = 0.05, zero: Any = 0, seed: int = 0, **more: Any) -> Given:
    """Every number that the type has, in any order."""
    info = np.iinfo(dtype)
    values = np.random.default_rng([seed, *shape]).integers(info.min, info.max, shape, endpoint=True)
    return Given(values.astype(dtype), scale=scale, zero=zero, **more)


def every(dtype: Any, scale: float, zero: int = 0) -> Given:
    """Every number once; of int16, every 7th."""
    info = np.iinfo(dtype)
    step = 1 if np.dtype(dtype).itemsize == 1 else 7
    return Given(np.arange(info.min, info.max + 1, step).astype(dtype), scale=np.float32(scale), zero=zero)


def filters(dtype: Any, *shape: int, axis: int | None = None, scale: float = 0.02, zero: int = 0) -> Given:
    """Weights in the file, with one scale or one for each index of an axis."""
    scales = scale if axis is None else scale * np.linspace(0.3, 1.7, shape[axis])
    return stored(dtype, *shape, scale=scales, zero=zero, seed=1, in_file=True, axis=axis or 0)


def bias(x: Given, w: Given, outputs: int, dtype: Any = I32) -> Given:
    """One number for each output, at the scale of the products."""
    values = np.random.default_rng([2, outputs]).integers(-3000, 3000, outputs).astype(dtype)
    return Given(values, in_file=True, scale=np.float32(x.scale) * np.asarray(w.scale, np.float32), zero=0)


def out(dtype: Any, scale: float, zero: int = 0) -> Out:
    return Out({I8: "INT8", U8: "UINT8", I16: "INT16"}[dtype], scale, zero)
