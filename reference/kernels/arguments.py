"""What the convolution kernels share outside compiled code: windows as numbers, and arrays as kernels take them."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.kernels.compile import kernel
from tflite_transfer.reference.ops.windows import window_axis

Array = NDArray[Any]
Bounds = tuple[float, float]
Function = TypeVar("Function", bound=Callable[..., Any])

UNBOUNDED: Bounds = (-math.inf, math.inf)


class WindowAxis(NamedTuple):
    """A window and the axis of the image along which it slides, in pixels.

    To a kernel it is handed as ``tuple(axis)``: to see that a named tuple is of a type it knows takes numba 5 us.
    """

    image: int
    outputs: int
    before: int  # padding
    kernel: int
    stride: int
    dilation: int

    @property
    def reach(self) -> int:
        """Pixels from the first window's first to the last window's last, padding included."""
        return (self.outputs - 1) * self.stride + (self.kernel - 1) * self.dilation + 1


@functools.lru_cache(1024)  # this and ``scalars`` are 3 of the 18 us that a small convolution takes
def axis(image: int, kernel: int, stride: int, dilation: int, padding: str) -> WindowAxis:
    """The axis with what ``window_axis`` makes of it."""
    outputs, before, _ = window_axis(image, kernel, stride, dilation, padding)
    return WindowAxis(image, outputs, before, kernel, stride, dilation)


def float32(*arrays: Array | None) -> bool:
    """Whether all that is there is float32, the one type for which there are kernels."""
    return all(a is None or a.dtype == np.float32 for a in arrays)


def flat(x: Array) -> Array:
    """Give x in one dimension, contiguous and read-only: one type for numba, so that nothing is compiled twice."""
    row = np.ascontiguousarray(x).reshape(-1)
    row.flags.writeable = False
    return row


def empty(shape: tuple[int, ...]) -> Array:
    """A new float32 array that begins with a cache line. Unaligned, the depthwise kernel is a quarter slower."""
    size = math.prod(shape)
    room = np.empty(size + 16, np.float32)
    start = _aligned(room)
    return room[start : start + size].reshape(shape)


@kernel()
def _aligned(room: Array) -> int:
    """Its first number at the beginning of a cache line: compiled, as NumPy takes 4 us to give an address."""
    return -room.ctypes.data % 64 // 4


@functools.lru_cache(1024)
def scalars(bounds: Bounds) -> tuple[np.float32, np.float32]:
    """``bounds`` as a kernel takes them."""
    return np.float32(bounds[0]), np.float32(bounds[1])


def bounded(y: Array, bounds: Bounds) -> Array:
    """``min(max(y, low), high)`` of what a plain operator computed."""
    return y if bounds == UNBOUNDED else np.clip(y, y.dtype.type(bounds[0]), y.dtype.type(bounds[1]))


def prepared_by(prepare: Callable[..., Any]) -> Callable[[Function], Function]:
    """Mark a kernel whose second input may come as ``packed=prepare(input)`` too, made once (see ``plan.prepared``).

    ``prepare`` is given those of the operator's options that it takes.
    """

    def decorate(function: Function) -> Function:
        function.__dict__["prepare"] = prepare
        return function

    return decorate
