"""Where threads that compute one thing together wait for each other, within compiled code.

A thread tells how far it has come, and looks until all others have come as far. Handing work to another thread by
Python takes 30 to 60 us; this 0.2 us, which a step of 100 us can pay.
"""

# ruff: noqa: ARG001 - what an intrinsic takes is for numba to say

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numpy.typing import NDArray

from tflite_transfer.reference.kernels.compile import part
from tflite_transfer.reference.kernels.vector import address, declared, intrinsic

Array = NDArray[Any]

LINE = 16  # int64: 128 bytes, two cache lines. Threads that write to one line wait for it in turn
LOOKS = 2000  # some 10 us; then another thread may have the core, which the awaited one may be waiting for
CAN_GIVE_WAY = sys.platform != "win32"  # there is no sched_yield


def gates(threads: int) -> Array:
    """How far each thread has come, a line apart: nowhere."""
    return np.zeros(threads * LINE, np.int64)


@part()
def meet(gates: Array, thread: int, count: int) -> None:
    """Wait until all threads have come to their ``count``-th meeting. What they wrote before is to be seen then."""
    _tell(gates, thread * LINE, count)
    for other in range(gates.size // LINE):
        looks = 0
        while _told(gates, other * LINE) < count:
            looks += 1
            if looks > LOOKS:
                _give_way()


@intrinsic
def _tell(context: Any, gates: Any, i: Any, count: Any) -> Any:
    """``gates[i] = count``, after all that was written before."""

    def build(target: Any, builder: Any, signature: Any, values: Any) -> Any:
        builder.store_atomic(values[2], address(target, builder, signature, values, ir.IntType(64)), "release", 8)
        return target.get_dummy_value()

    return types.void(gates, types.intp, types.intp), build


@intrinsic
def _told(context: Any, gates: Any, i: Any) -> Any:
    """``gates[i]``, before all that is read after."""

    def build(target: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.load_atomic(address(target, builder, signature, values, ir.IntType(64)), "acquire", 8)

    return types.intp(gates, types.intp), build


@intrinsic
def _give_way(context: Any) -> Any:
    """Let another thread have the core."""

    def build(target: Any, builder: Any, signature: Any, values: Any) -> Any:
        if CAN_GIVE_WAY:
            builder.call(declared(builder, "sched_yield", ir.IntType(32), []), [])
        return target.get_dummy_value()

    return types.void(), build
