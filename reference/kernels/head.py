"""Whole training steps of the softmax head: ``reference.head``, then ``reference.optimizers``, batch after batch."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.kernels.head_loop import AdamSlots, Head, room_for, train
from tflite_transfer.reference.kernels.head_products import ROWS
from tflite_transfer.reference.optimizers import SGD, Adam

Array = NDArray[Any]

__all__ = ["AdamSlots", "Head", "train_steps"]


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
    """Take a step for each row of ``batches``, changing ``head`` and ``slots`` in place. -> losses (K,) float32.

    A step's loss is the one before its update. One thread, and the GIL is free.

    Parameters
    ----------
    x : (N, F), all the samples, C-contiguous float32; may be read-only.
    classes : (N,), the number of each sample's class.
    batches : (K, B), the rows of x that make up each step's batch.
    slots : for Adam, and for nothing else.
    l2, divisor : as in ``reference.head.gradients``.
    """
    rows = np.ascontiguousarray(batches.astype(np.int64, casting="same_kind", copy=False))
    _check(x, classes, rows, head, slots)
    labels = classes.astype(np.int64, casting="same_kind", copy=False)[rows]
    if labels.size and not 0 <= labels.min() <= labels.max() < len(head.bs):
        raise ValueError(f"classes must be 0 to {len(head.bs) - 1}, but are {labels.min()} to {labels.max()}")
    if isinstance(rule, Adam) != (slots is not None):
        raise ValueError(f"slots go with Adam: there are {'none' if slots is None else 'some'} with {rule}")
    samples = x.view(np.ndarray).reshape(-1)
    samples.flags.writeable = False  # read-only is another type to numba: let there be only that one to compile
    examples = rows.shape[1]
    starts = np.empty((len(rows), -(-examples // ROWS) * ROWS), np.int64)
    starts[:, :examples], starts[:, examples:] = rows, rows[:, -1:]
    starts *= x.shape[1]
    flat_slots = None if slots is None else AdamSlots(_flat(slots.mean), _flat(slots.square), slots.step)
    numbers = tuple(np.float32(number) for number in astuple(rule))
    decay, mean_of = np.float32(l2 or 0), np.float32(divisor or examples)
    losses = np.empty(len(rows), np.float32)
    work = room_for(examples, starts.shape[1], *head.wt.shape)
    train(samples, labels, starts, _flat(head), flat_slots, numbers, decay, mean_of, work, losses)
    return losses


def _flat(head: Head) -> Head:
    return Head(head.wt.reshape(-1), head.bs)


def _check(x: Array, classes: Array, rows: Array, head: Head, slots: AdamSlots | None) -> None:
    """Refuse what would be read or written out of bounds: compiled code checks no index."""
    if x.ndim != 2 or rows.ndim != 2 or rows.shape[1] == 0 or classes.shape != x.shape[:1]:
        shapes = f"{x.shape}, {classes.shape}, {rows.shape}"
        raise ValueError(f"x must be (N, F), classes (N,) and batches (K, 1 or more), but are {shapes}")
    if rows.size and not 0 <= rows.min() <= rows.max() < len(x):
        raise ValueError(f"batches must be rows 0 to {len(x) - 1}, but are {rows.min()} to {rows.max()}")
    bias = head.bs.shape
    weights = (*bias, x.shape[1])
    needed = [("x", x, x.shape), ("wt", head.wt, weights), ("bs", head.bs, bias)]
    if slots is not None:
        for name, moment in ("mean", slots.mean), ("square", slots.square):
            needed += [(f"{name}.wt", moment.wt, weights), (f"{name}.bs", moment.bs, bias)]
        needed.append(("step", slots.step, (1,)))
    for name, a, shape in needed:
        if a.shape != shape or a.dtype != np.float32 or not a.flags.c_contiguous:
            order = "" if a.flags.c_contiguous else ", not C-contiguous"
            raise ValueError(f"{name} must be C-contiguous float32 {shape}, but is {a.dtype} {a.shape}{order}")
