"""``reference.optimizers`` in place, equal to it bit for bit.

That takes float32 scalars, the order of operations of the NumPy formula, and no fastmath.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.kernels.compile import kernel

Array = NDArray[Any]
Scalars = tuple[np.float32, ...]


@kernel()
def sgd(w: Array, g: Array, rule: Scalars) -> None:
    """``w <- w - rate g``, in place. (n,), (n,), (rate,)."""
    for f in range(w.size):
        w[f] = w[f] - rule[0] * g[f]


@kernel()
def adam(w: Array, g: Array, m: Array, v: Array, rule: Scalars, corrections: Scalars) -> None:
    """One step of Adam that changes w, m and v in place. (n,) each; ``rule`` is the fields of an ``Adam`` in order."""
    rate, beta1, beta2, complement1, complement2, epsilon = rule
    correction1, correction2 = corrections
    for f in range(w.size):
        m[f] = complement1 * g[f] + beta1 * m[f]
        v[f] = complement2 * (g[f] * g[f]) + beta2 * v[f]
        w[f] = w[f] - rate * (m[f] / correction1) / (math.sqrt(v[f] / correction2) + epsilon)


@kernel()
def bias_corrections(rule: Scalars, step: np.float32) -> tuple[np.float32, np.float32]:
    """``reference.optimizers.bias_corrections``."""
    t = float(step) + 1.0
    power1, power2 = np.float32(float(rule[1]) ** t), np.float32(float(rule[2]) ** t)
    return np.float32(1) - power1, np.float32(1) - power2
