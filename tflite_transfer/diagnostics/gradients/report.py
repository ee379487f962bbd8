"""The gradient check of a whole file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tflite_transfer.diagnostics.gradients.check import GradientCheck, Losses, check_each, losses_at
from tflite_transfer.diagnostics.gradients.examples import beside, given_batch, random_batch
from tflite_transfer.diagnostics.gradients.fault import Fault
from tflite_transfer.diagnostics.gradients.five_files import FiveFiles
from tflite_transfer.diagnostics.gradients.gradient_faults import factor, gradient_fault
from tflite_transfer.diagnostics.gradients.loss_faults import loss_faults
from tflite_transfer.diagnostics.gradients.state_faults import state_faults
from tflite_transfer.diagnostics.gradients.steps import TrainingStep
from tflite_transfer.diagnostics.gradients.taken import settled
from tflite_transfer.diagnostics.gradients.train_signature import TrainSignature
from tflite_transfer.diagnostics.gradients.update_faults import update_faults
from tflite_transfer.reference.tflite.any import load_trainable
from tflite_transfer.reference.tflite.bundle import Bundle
from tflite_transfer.reference.tflite.one_file import OneFile
from tflite_transfer.reference.tflite.trainable import Trainable


@dataclass(frozen=True)
class GradientReport:
    """What was found in a file. ``checks`` has every parameter that learns, ``faults`` what has a name.

    ``unknown`` are parameters that learn, and whose gradient no tensor of the file is.
    """

    source: str
    examples: int
    loss: float
    checks: tuple[GradientCheck, ...]
    faults: tuple[Fault, ...]
    unknown: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """Is there nothing wrong, as far as it was seen?"""
        return not self.faults


def check_gradients(
    model: str | Path | Trainable, inputs: Mapping[str, Any] | None = None, *, seed: int = 0
) -> GradientReport:
    """Hold a file's gradients against central differences of its own loss, and name what is wrong with its training.

    Parameters
    ----------
    model : a folder of five files, a training model in one file, or either as it was read
    inputs : ``x`` and ``y``, as ``compare`` takes them, of which a batch is used; random ones if None
    seed : of random examples, values and directions
    """
    found = model if isinstance(model, Trainable) else load_trainable(model)
    rng, training = np.random.default_rng(seed), training_step(found)
    values = beside(training.first(), training.parameters, rng)
    batch = random_batch(found, training, rng) if inputs is None else given_batch(found, inputs, seed)
    with np.errstate(all="ignore"):  # NaN and infinity are what is looked for
        losses = _without_rate(losses_at(training, values, batch), rng)
        if not math.isfinite(losses.loss):
            return GradientReport(training.source, len(batch.y), losses.loss, (), (_not_finite(losses.loss),))
        checks = settled(losses, check_each(losses, rng), rng)
        faults = [gradient_fault(losses, c, rng) for c in checks if c.verdict == "differ"]
        faults += [*loss_faults(losses), *update_faults(losses), *state_faults(losses)]
    unknown = training.unknown
    return GradientReport(training.source, len(batch.y), losses.loss, checks, tuple(faults), unknown)


def training_step(model: Trainable) -> TrainingStep:
    """The step of either kind of file."""
    if isinstance(model, Bundle):
        return FiveFiles(model)
    assert isinstance(model, OneFile)  # there are no others
    return TrainSignature(model)


def _not_finite(loss: float) -> Fault:
    advice = "Look for log 0 or a division by 0 in train, and for weights that are NaN."
    return Fault("loss not finite", "loss", loss, f"it is {loss}, so that nothing else can be told.", advice)


def _without_rate(losses: Losses, rng: np.random.Generator) -> Losses:
    """Where the learning rate is a constant, the gradients are found behind it: it is the factor that most have."""
    if losses.training.knows_rate:
        return losses
    factors = sorted(k for p in losses.training.parameters if (k := factor(losses, p, rng)))
    return replace(losses, rate=factors[(len(factors) - 1) // 2]) if factors else losses
