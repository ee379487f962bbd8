"""Whole training steps of the softmax head: the loop over batches of ``reference.head`` and ``reference.optimizers``.

The weights lie here as (C, F), the transpose of the file's ``ws``, so that each class is one run of memory as each
example is. Two ways to the same result: for few classes the kernel below, for many two matrix products a step.
"""

from __future__ import annotations

import math
from dataclasses import astuple
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.kernels.compile import REORDER, kernel
from tflite_transfer.reference.kernels.head_gemm import train_steps_gemm
from tflite_transfer.reference.optimizers import SGD, Adam

Array = NDArray[Any]

FUSED_CLASSES = 32
TILE = 4  # rows and classes of one inner loop
SLICE = 1024  # features of one inner loop: four slices of x and four of w or g are 32 kB, a first-level cache


class Head(NamedTuple):
    """The parameters, or a moment of each of them. float32, C-contiguous."""

    wt: Array  # (C, F)
    bs: Array  # (C,)


class AdamSlots(NamedTuple):
    """What Adam remembers."""

    mean: Head
    square: Head
    step: Array  # (1,), float32: the steps taken


def train_steps(
    x: Array,
    classes: Array,
    batches: Array,
    head: Head,
    rule: SGD | Adam,
    slots: AdamSlots | None = None,
    *,
    l2: float | None = None,
    divisor: float | None = None,
) -> Array:
    """Take one step for each row of ``batches``; return each batch's loss before its step, (K,) float32.

    ``head`` and ``slots`` are changed in place. One thread, without the GIL.

    Parameters
    ----------
    x : (N, F) float32, C-contiguous: all the samples. May be read-only.
    classes : (N,), the class index of each sample.
    batches : (K, B), the rows of x that make each step's batch.
    slots : for Adam only.
    l2, divisor : as in ``reference.head.gradients``.
    """
    batches = np.ascontiguousarray(batches, np.int64)
    _check(x, batches, head, rule, slots)
    labels = np.ascontiguousarray(classes[batches], np.int64)
    _check_labels(labels, len(head.bs))
    divisor = divisor or batches.shape[1]
    if len(head.bs) > FUSED_CLASSES:
        return train_steps_gemm(x, labels, batches, head, rule, slots, l2, divisor)
    frozen = x.view()
    frozen.flags.writeable = False  # so that both kinds of x are one type, which numba compiles once
    moments = None if slots is None else (*slots.mean, *slots.square, slots.step)
    return _train(
        frozen, labels, batches, *head, astuple(rule), moments, np.float32(l2 or 0), np.float32(2 * (l2 or 0)),
        np.float32(divisor),
    )
