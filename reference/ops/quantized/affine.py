"""``real = scale * (stored - zero_point)``: what a tensor's description says, and results put back into its type."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.tflite.graph import Tensor

Array = NDArray[Any]
Tensors = tuple[Tensor | None, ...]

_TYPES = ("INT8", "UINT8", "INT16")
_BOUNDS = {"RELU": (0.0, None), "RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0), "RELU_0_TO_1": (0.0, 1.0)}


class Affine(NamedTuple):
    """One scale and one zero point."""

    scale: np.float32
    zero: int


def affine(tensor: Tensor | None, *types: str) -> Affine:
    """The scale and zero point of a tensor of one of ``types``. Raises ValueError if it is not quantised as a whole."""
    quantization = tensor.quantization if tensor is not None else None
    if tensor is None or tensor.type not in (types or _TYPES) or quantization is None or quantization.scale.size != 1:
        raise ValueError(f"{tensor.name if tensor else 'a missing input'!r} is not quantised with one scale")
    return Affine(quantization.scale.reshape(-1)[0], int(quantization.zero_point.reshape(-1)[0]))


def affines(*tensors: Tensor | None) -> list[Affine]:
    """Those of tensors of one type. Raises ValueError, also where an int16 has a zero point other than 0."""
    kind, found = same_type(*tensors), [affine(t) for t in tensors]
    if kind == "INT16" and any(t.zero for t in found):
        raise ValueError("int16 has zero points other than 0")
    return found


def same_type(*tensors: Tensor | None) -> str:
    """The type that the tensors share. Raises ValueError."""
    types = {t.type for t in tensors if t is not None}
    if len(types) != 1:
        raise ValueError(f"types {sorted(types)} meet")
    return types.pop()


def same_scale(*tensors: Tensor | None) -> Affine:
    """The scale and zero point that the tensors share. Raises ValueError."""
    found = set(affines(*tensors))
    if len(found) != 1:
        raise ValueError(f"scales and zero points {sorted(found)} meet")
    return found.pop()


def centred(x: Array, zero: int) -> Array:
    """``stored - zero_point`` in int64. (...) -> (...)."""
    return x.astype(np.int64) - zero


def whole_logarithm(scale: np.float32) -> int | None:
    """N where the scale is 2^n, or nearly."""
    logarithm = np.log2(scale, dtype=np.float32)
    return int(np.round(logarithm)) if abs(logarithm - np.round(logarithm)) < 1e-3 else None


def limits(output: Tensor, activation: str = "NONE") -> tuple[int, int]:
    """The least and the largest stored number: the type's, or those that the activation leaves."""
    info = np.iinfo(output.dtype)
    if activation == "NONE":
        return info.min, info.max
    low, high = _BOUNDS[activation]
    return max(info.min, stored(low, output)), info.max if high is None else min(info.max, stored(high, output))


def stored(value: float, tensor: Tensor) -> int:
    """``value`` as the tensor stores it, before clamping: in float32, halves away from zero."""
    scale, zero = affine(tensor)
    return zero + int(round_away(np.float32(value) / scale))


def finish(x: Array, output: Tensor, activation: str = "NONE") -> Array:
    """``x`` plus the zero point, clamped and in the output's type. (...) -> (...)."""
    return np.clip(x + affine(output).zero, *limits(output, activation)).astype(output.dtype)


def at_scale(x: Array, given: Tensor | None, made: Tensor) -> Array:
    """``x`` as ``made`` stores it, by way of float32; as it is where nothing has to change. (...) -> (...)."""
    a, b = affines(given, made)
    if a == b:
        return x
    scale = a.scale * (np.float32(1) / b.scale)
    y = x.astype(np.float32) * scale + np.float32(-a.zero) * scale
    return np.clip(round_away(y) + b.zero, *limits(made)).astype(made.dtype)


def round_away(x: Any) -> Any:
    """To the nearest integer, halves away from zero, as C++'s round. (...) -> (...)."""
    whole = np.trunc(x)
    return whole + np.copysign(np.abs(x - whole) >= 0.5, x)
