"""The walk through one training step of a softmax head, in the order in which it is computed."""

from __future__ import annotations

from collections.abc import Iterator

from tflite_transfer.diagnostics.explain.forward import (
    dlogits_stage,
    each_sample_stage,
    gradients_stage,
    logits_stage,
    loss_stage,
    softmax_stage,
)
from tflite_transfer.diagnostics.explain.stage import Stage
from tflite_transfer.diagnostics.explain.step import Step
from tflite_transfer.diagnostics.explain.update import adam_stage, after_stage, sgd_stage
from tflite_transfer.reference.optimizers import Adam


def stages(step: Step, *, batch: bool = False) -> Iterator[Stage]:
    """From the features on, in the order in which they are computed. ``batch``: with each sample's own gradient."""
    for stage in (logits_stage, softmax_stage, loss_stage, dlogits_stage, gradients_stage):
        yield stage(step)
    if batch:
        yield each_sample_stage(step)
    yield adam_stage(step) if isinstance(step.head.rule, Adam) else sgd_stage(step)
    yield after_stage(step)
