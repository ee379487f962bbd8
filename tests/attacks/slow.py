"""Operators that would go on for many seconds, on arrays of 64 MB at the most, which take no memory themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.attacks.giants import F32, I32, WINDOW
from tests.parity.operators import Array, Case, Given, Out, case, fixed, state

BIT8 = Out("INT8", 0.1)


def ones(*shape: int, dtype: Any = F32) -> Array:
    """One number, broadcast."""
    return np.broadcast_to(dtype(1), shape)


def stored(*shape: int, in_file: bool = False) -> Given:
    return Given(ones(*shape, dtype=np.int8), in_file, np.array(0.1, F32), np.array(0))


def cases() -> Iterator[Case]:
    """Each would take 2 seconds or more on one core."""
    whole = ones(2**10, 2**10, dtype=I32)
    yield case("FULLY_CONNECTED", ones(4096, 4096), ones(4096, 4096), None)
    yield case("FULLY_CONNECTED", ones(4096, 4096), Given(ones(4096, 4096), in_file=True), None)
    yield case("BATCH_MATMUL", whole, whole)
    yield case("BATCH_MATMUL", ones(4096, 64, 64, dtype=I32), ones(4096, 64, 64, dtype=I32))
    yield case("BATCH_MATMUL", stored(4096, 4096), stored(4096, 4096), out=BIT8)
    yield case("CONV_2D", ones(1, 64, 64, 4096), ones(4096, 1, 1, 4096), None, **WINDOW)  # one tap
    yield case("CONV_2D", ones(1, 1024, 1024, 4), ones(4, 63, 63, 4), None, **WINDOW)
    yield case("CONV_2D", ones(1, 1, 1, 2**19), ones(2**19, 1, 1, 1), None, **WINDOW)  # as many groups
    yield case("CONV_2D", stored(1, 64, 64, 4096), stored(4096, 1, 1, 4096), None, out=BIT8, **WINDOW)
    filters = stored(1, 99, 99, 16, in_file=True)
    yield case("DEPTHWISE_CONV_2D", stored(1, 512, 512, 16), filters, None, out=BIT8, **WINDOW)
    yield case("DEPTHWISE_CONV_2D", ones(1, 1024, 1024, 16), ones(1, 99, 99, 16), None, **WINDOW)
    yield case("CONV_3D", ones(1, 64, 128, 128, 16), ones(9, 9, 9, 16, 16), None, **WINDOW, stride_d=1)
    up = {**WINDOW, "kind": "FLOAT32"}
    yield case("TRANSPOSE_CONV", fixed([1, 512, 512, 16]), ones(16, 63, 63, 16), ones(1, 512, 512, 16), **up)
    taps = ones(1, 2000, 2000, 1, 1)
    yield case("CONV_3D_TRANSPOSE", fixed([1] * 5), taps, ones(1, 1, 1, 1, 1), **up, stride_d=1)
    yield case("AVERAGE_POOL_2D", ones(1, 1024, 1024, 16), filter_height=127, filter_width=127, **WINDOW)
    yield case("LOCAL_RESPONSE_NORMALIZATION", ones(1, 1, 1, 2**19), radius=65536, bias=1.0, alpha=1.0, beta=0.5)
    yield case("GELU", ones(2**24))
    yield case("ADD", stored(2**12, 1), stored(1, 2**12), out=BIT8)  # compiled, 2^24 sums of two arrays take 30 ms
    yield case("TOPK_V2", ones(2**24), fixed(4), out=[Out("FLOAT32"), Out("INT32")])
    yield case("RANDOM_STANDARD_NORMAL", fixed([2**24]), kind="FLOAT32", seed=1)
    yield case("MULTINOMIAL", ones(2**20, 1), fixed(1), kind="INT32", seed=1)
    square, bias, states = ones(2048, 2048), ones(2048), [state(64, 2048)] * 2
    cell = [*[square] * 8, *[None] * 3, *[bias] * 4, *[None] * 2, *states, *[None] * 4]
    yield case("UNIDIRECTIONAL_SEQUENCE_LSTM", ones(64, 64, 2048), *cell, fused_activation_function=4)
