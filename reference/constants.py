"""The values that a file fixes, as the float kernels take them."""

from __future__ import annotations

import numpy as np

from tflite_transfer.reference.tflite.graph import DTYPES, Array, Quantization, Tensor

NARROW = frozenset({"INT8", "UINT8", "INT16", "INT4"})


def constant(tensor: Tensor) -> Array:
    """A constant's value as the float kernels take it: quantised weights widened, ``scale * (stored - zero)``."""
    if tensor.data is None:
        return np.zeros(tensor.shape, DTYPES[tensor.type])  # without elements: the file has nothing to hold
    if tensor.quantization is None or tensor.quantization.scale.size == 0 or tensor.type not in NARROW:
        return tensor.data
    return widen(tensor.data, tensor.quantization)


def widen(stored: Array, quantization: Quantization) -> Array:
    """``scale * (stored - zero_point)`` in float32, per tensor or per index of the quantised axis. (...) -> (...)."""
    along = [1] * stored.ndim
    if quantization.scale.size > 1:
        along[quantization.axis] = -1
    else:
        along = []
    scale = quantization.scale.reshape(along)
    zero = quantization.zero_point.astype(np.float32).reshape(along)
    return (stored.astype(np.float32) - zero) * scale
