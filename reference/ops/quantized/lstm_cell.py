"""One step of an LSTM in integers: inputs, outputs and weights of 8 bits, gates and what a cell remembers of 16.

B examples, I inputs, C cells, U outputs. Source: LiteRT's ``kernels/lstm_eval.cc``, LstmStepInteger8x8_16.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.ops.quantized.affine import Affine, centred
from tflite_transfer.reference.ops.quantized.fixed_point import (
    Multiplier,
    multiply,
    rounding_divide_by_power,
    wrap,
)
from tflite_transfer.reference.ops.quantized.transcendental import inverse_root, sigmoid, tanh
from tflite_transfer.reference.ops.recurrent import State, weighted

Array = NDArray[Any]


class Norm(NamedTuple):
    """What normalises a gate's sum, and the variance of those that have none."""

    scales: Array  # (C,)
    bias: Array  # (C,)
    by: Multiplier
    least: int

    def __call__(self, z: Array) -> Array:
        """``(z - mean) / deviation``, with 10 bits more, times the scales, plus the bias. (B, C) -> (B, C)."""
        n = z.shape[-1]
        mean = _towards_zero(z.sum(axis=-1, keepdims=True) * 1024, n)
        variance = (z * z).sum(axis=-1, keepdims=True) * (2**20 // n) - mean * mean
        variance = _towards_zero(variance, 2**20)
        inverse = inverse_root(np.where(variance < 1, self.least, variance))
        y = wrap(multiply(1024 * z - mean, inverse) * self.scales + self.bias)
        y = _towards_zero(y + np.where(y > 0, 512, -512), 1024)
        return multiply(y, Multiplier(self.by.mantissa, self.by.shift + 12))


class Sum(NamedTuple):
    """What a gate adds up: each part is brought to the gate's scale, and saturated before the next."""

    parts: tuple[tuple[Array, Array | int, Multiplier], ...]  # weights (C, I) and (C, U), biases
    peephole: tuple[Array, Multiplier] | None
    norm: Norm | None

    def __call__(self, x: Array, h: Array, c: Array) -> Array:
        """Q3.12. (B, I), (B, U), (B, C) -> (B, C)."""
        z = np.zeros(1, np.int64)
        for value, (weights, bias, by) in zip((x, h), self.parts, strict=True):
            z = _short(multiply(wrap(weighted(value, weights) + bias), by) + z)
        if self.peephole is not None:
            z = _short(multiply(c * self.peephole[0], self.peephole[1]) + z)
        return z if self.norm is None else _short(self.norm(z))


class Output(NamedTuple):
    """What becomes of ``o g(c)``: it is brought to its scale, and, if there is a projection, then to the output's."""

    hidden: Affine
    made: Affine
    by: Multiplier  # of the product of two numbers of Q0.15
    projection: tuple[Array, Array | int, Multiplier] | None  # (U, C), (U,)
    bound: int

    def __call__(self, y: Array) -> Array:
        """(B, C) -> (B, U)."""
        y = multiply(y, self.by)
        if self.projection is None:
            return np.clip(y + self.hidden.zero, -128, 127).astype(np.int8)
        weights, bias, by = self.projection
        stored = np.clip(y - self.hidden.zero, -128, 127)  # LiteRT's sign: what it saturates is off by twice the zero
        y = multiply(wrap(weighted(stored + self.hidden.zero, weights) + bias), by) + self.made.zero
        return _bounded(np.clip(y, -128, 127), self.bound).astype(np.int8)


class Integers(NamedTuple):
    """A cell. Without an input gate, what is forgotten is replaced."""

    input: Sum | None
    forget: Sum
    cell: Sum
    output: Sum
    result: Output
    given: int  # zero point of the inputs
    logarithm: int  # the cell state's scale is 2 to this
    bound: int

    def step(self, xs: Sequence[Array], h: Array, c: Array) -> State:
        """``c' = f c + i g(z)``, ``h' = o g(c')``. n times (B, I), (B, U), (B, C) -> (B, U), (B, C)."""
        x, h, c = centred(xs[0], self.given), centred(h, self.result.made.zero), c.astype(np.int64)
        forget = sigmoid(self.forget(x, h, c))
        take = 32767 - forget if self.input is None else sigmoid(self.input(x, h, c))
        new = rounding_divide_by_power(take * tanh(self.cell(x, h, c), 3), 30 + self.logarithm)
        c = _bounded(_short(rounding_divide_by_power(forget * c, 15) + new), self.bound)
        y = sigmoid(self.output(x, h, c)) * tanh(c, 15 + self.logarithm)
        return self.result(y), c.astype(np.int16)


def _short(x: Array) -> Array:
    return np.clip(x, -32768, 32767)


def _bounded(x: Array, bound: int) -> Array:
    """Within [-bound, bound]; 0 is no bound."""
    return np.clip(x, -bound, bound) if bound else x


def _towards_zero(x: Array, divisor: int) -> Array:
    """``x / divisor``, cut off, as C divides. (...) -> (...)."""
    return np.sign(x) * (np.abs(x) // divisor)
