"""The values that a file fixes, as the kernels take them."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from tflite_transfer.reference.tflite.graph import DTYPES, Array, Quantization, Tensor
from tflite_transfer.reference.tflite.texts import unpacked

NARROW = frozenset({"INT8", "UINT8", "INT16", "INT4"})


def is_widened(tensor: Tensor) -> bool:
    """Is it a constant of a quantised type, which a float kernel takes as ``scale * (stored - zero)``?"""
    quantised = tensor.quantization is not None and tensor.quantization.scale.size > 0
    return tensor.data is not None and quantised and tensor.type in NARROW


def constant(tensor: Tensor, *, wide: bool = False) -> Array:
    """A constant's value, as it is stored or widened to float32; texts as an array of bytes. Raises ValueError."""
    if tensor.data is None:
        dtype = DTYPES.get(tensor.type, np.dtype(object))
        return np.zeros(tensor.shape, dtype)  # without elements: the file has nothing to hold
    if tensor.type == "STRING":
        return unpacked(tensor.data, tensor.shape)
    if wide and tensor.quantization is not None:
        return widen(tensor.data, tensor.quantization)
    return tensor.data


def zeros(tensor: Tensor) -> Array:
    """The number 0 in a tensor's shape, as it is stored."""
    zero = np.zeros(1, tensor.dtype)
    if tensor.type in NARROW and tensor.quantization is not None and tensor.quantization.zero_point.size:
        zero = tensor.quantization.zero_point[:1].astype(tensor.dtype)
    return np.full(tensor.shape, zero[0])


def widen(stored: Array, quantization: Quantization, dtype: DTypeLike = np.float32) -> Array:
    """``scale * (stored - zero_point)``, per tensor or per index of the quantised axis. (...) -> (...)."""
    scale, zero = along_axis(quantization, stored.ndim)
    return (stored.astype(dtype) - zero.astype(dtype)) * scale.astype(dtype)


def along_axis(quantization: Quantization, rank: int) -> tuple[Array, Array]:
    """Scale and zero point, shaped to be broadcast against a tensor of that rank."""
    shape = [1] * rank
    if quantization.scale.size > 1:
        shape[quantization.axis] = -1
    else:
        shape = []
    return quantization.scale.reshape(shape), quantization.zero_point.reshape(shape)
