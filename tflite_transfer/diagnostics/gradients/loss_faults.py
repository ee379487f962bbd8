"""A loss whose arguments are swapped: Keras takes (y_true, y_pred), and was given (prediction, label)."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from tflite_transfer.backends.base import Array
from tflite_transfer.diagnostics.gradients.check import Losses
from tflite_transfer.diagnostics.gradients.fault import Fault

CLASSES = 64  # at most: each is a run
MIXED = 4  # labels half of a class, half of all
FITS = 1e-5


def loss_faults(losses: Losses) -> Iterator[Fault]:
    """What the loss makes of other labels for the same examples.

    Swapped, it is ``-Σ p log y``: of labels 1/C it is log C, whatever p is; of a class c it is ``K (1 - p_c)``, with K
    the -log of the number that Keras keeps from 0. A cross-entropy is linear in its labels, and has no such K.
    """
    y = losses.batch.y
    classes = max(2, y.shape[-1]) if y.ndim == 2 else 0
    if y.dtype.kind != "f" or not 2 <= classes <= CLASSES:
        return
    uniform = np.full(classes, 1 / classes)
    mixed = (np.eye(classes)[:MIXED] + uniform) / 2
    ends = [_loss(losses, row) for row in (uniform, np.eye(classes)[0])]
    if abs(_loss(losses, mixed[0]) - sum(ends) / 2) <= FITS * abs(sum(ends)):
        return
    beside = ends[0] - math.log(classes)  # a regulariser's share
    each = np.array([_loss(losses, row) for row in np.eye(classes)]) - beside
    k = float(each.sum() / (classes - 1))
    p = 1 - each / k
    found = np.array([_loss(losses, row) for row in mixed]) - beside
    expected = -np.log(mixed) @ p
    if np.ptp(p) > FITS and np.abs(found - expected).max() <= FITS * np.abs(expected).max():
        told = f"it is {k:.4g} (1 - p) of the true class's probability p, linear, and of labels 1/{classes} it is"
        told += f" log {classes} whatever the network says: label and prediction have changed places."
        advice = "Keras' losses take (y_true, y_pred): call loss_fn(label, prediction), and convert again."
        yield Fault("swapped loss arguments", "loss", k, told, advice)


def _loss(losses: Losses, row: Array) -> float:
    """Of these labels for every example; one number of two classes stands for the second."""
    y = losses.batch.y
    label = row[-1:] if y.shape[-1] == 1 else row
    return losses.training.loss(losses.values, losses.batch._replace(y=np.tile(label, (len(y), 1))))
