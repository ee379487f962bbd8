"""The walk through one training step of a last layer, in the order in which it is computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

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
from tflite_transfer.diagnostics.explain.update import adam_stage, after_stage, momentum_stage, rmsprop_stage, sgd_stage
from tflite_transfer.reference.optimizers import (
    SGD,
    Adam,
    AdamW,
    KerasAdam,
    Momentum,
    Nesterov,
    RMSprop,
    RMSpropMomentum,
    Rule,
)

RULES: Mapping[type[Rule], Callable[[Step], Stage]] = {
    SGD: sgd_stage, Momentum: momentum_stage, Nesterov: momentum_stage,
    Adam: adam_stage, KerasAdam: adam_stage, AdamW: adam_stage,
    RMSprop: rmsprop_stage, RMSpropMomentum: rmsprop_stage,
}  # fmt: skip


def stages(step: Step, *, batch: bool = False) -> Iterator[Stage]:
    """From the features on, in the order in which they are computed. ``batch``: with each sample's own gradient."""
    for stage in (logits_stage, softmax_stage, loss_stage, dlogits_stage, gradients_stage):
        yield stage(step)
    if batch:
        yield each_sample_stage(step)
    yield RULES[type(step.head.rule)](step)
    yield after_stage(step)
