"""Whole training steps of the softmax head: ``reference.head``, then ``reference.optimizers``, batch after batch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.kernels.gate import CAN_GIVE_WAY
from tflite_transfer.reference.kernels.head_loop import train
from tflite_transfer.reference.kernels.head_products import ROWS
from tflite_transfer.reference.kernels.head_room import AdamSlots, Head, Share, room_for, shares, slices
from tflite_transfer.reference.kernels.threads import together
from tflite_transfer.reference.optimizers import SGD, Adam

Array = NDArray[Any]

__all__ = ["AdamSlots", "Head", "train_steps"]

# Examples x weights of a step that are worth a thread: 60 us, and threads wait for one another 1 us.
WORTH = 2**20


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
    num_threads: int = 1,
) -> Array:
    """Take a step for each row of ``batches``, changing ``head`` and ``slots`` in place. -> losses (K,) float32.

    A step's loss is the one before its update. The GIL is free.

    Parameters
    ----------
    x : (N, F), all the samples, C-contiguous float32; may be read-only.
    classes : (N,), the number of each sample's class.
    batches : (K, B), the rows of x that make up each step's batch.
    slots : for Adam, and for nothing else.
    l2, divisor : as in ``reference.head.gradients``.
    num_threads : at most so many share the features of a step, if it is large; the results are the same.
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
    examples, features = rows.shape[1], x.shape[1]
    starts = np.empty((len(rows), -(-examples // ROWS) * ROWS), np.int64)
    starts[:, :examples], starts[:, examples:] = rows, rows[:, -1:]
    starts *= features
    numbers = tuple(np.float32(number) for number in vars(rule).values())  # astuple, which copies each, takes 30 us
    decay, mean_of = np.float32(l2 or 0), np.float32(divisor or examples)
    losses, squares = np.empty(len(rows), np.float32), np.zeros((len(rows), slices(features)))

    def work(share: Share) -> Callable[[], None]:
        own = share.thread > 0  # all threads compute the biases and the losses, and one of them for good
        weights, moments = _flat(head, own=own), None if slots is None else _flat_slots(slots, own=own)
        room, told = room_for(examples, starts.shape[1], *head.wt.shape), np.empty_like(losses) if own else losses
        return partial(
            train, samples, labels, starts, weights, moments, numbers, decay, mean_of, room, share, told, squares
        )

    sums = starts.shape[1], len(head.bs), features
    team = min(num_threads, slices(features), examples * head.wt.size // WORTH) if CAN_GIVE_WAY else 1
    if team < 2 or not together([work(share) for share in shares(*sums, team)]):
        work(shares(*sums, 1)[0])()
    return losses + decay * squares.sum(axis=1).astype(np.float32) if decay else losses


def _flat(head: Head, *, own: bool) -> Head:
    """The weights in a row; ``own``: with a copy of the biases."""
    return Head(head.wt.reshape(-1), head.bs.copy() if own else head.bs)


def _flat_slots(slots: AdamSlots, *, own: bool) -> AdamSlots:
    step = slots.step.copy() if own else slots.step
    return AdamSlots(_flat(slots.mean, own=own), _flat(slots.square, own=own), step)


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
