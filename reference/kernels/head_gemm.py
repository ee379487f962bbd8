"""The training steps for many classes: two matrix products a step by NumPy's BLAS, then the compiled optimizers."""

from __future__ import annotations

from dataclasses import astuple
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.head import log_softmax, softmax
from tflite_transfer.reference.kernels import optimizers
from tflite_transfer.reference.optimizers import SGD, Adam, bias_corrections

if TYPE_CHECKING:
    from tflite_transfer.reference.kernels.head import AdamSlots, Head

Array = NDArray[Any]

BLOCK = 64


def train_steps_gemm(
    x: Array,
    labels: Array,
    batches: Array,
    head: Head,
    rule: SGD | Adam,
    slots: AdamSlots | None,
    l2: float,
    divisor: float,
) -> Array:
    """As ``kernels.head.train_steps``, of arguments it has checked; labels (K, B), l2 0 for none."""
