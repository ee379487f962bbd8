"""The walk through one training step of a last layer, in the order in which it is computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from tflite_transfer.diagnostics.explain.backward import chain_stage, each_sample_stage, gradients_stage
from tflite_transfer.diagnostics.explain.forward import (
    dlogits_stage,
    logits_stage,
    loss_stage,
    softmax_stage,
)
from tflite_transfer.diagnostics.explain.own_rule import own_rule_stage
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


class Told(NamedTuple):
    """How a rule is told: its name, and the stage that its update is."""

    name: str
    stage: Callable[[Step], Stage]


RULES: Mapping[type[Rule], Told] = {
    SGD: Told("SGD", sgd_stage),
    Momentum: Told("SGD with momentum", momentum_stage),
    Nesterov: Told("SGD with Nesterov's momentum", momentum_stage),
    Adam: Told("Adam", adam_stage),
    KerasAdam: Told("Adam in Keras' form", adam_stage),
    AdamW: Told("AdamW", adam_stage),
    RMSprop: Told("RMSprop", rmsprop_stage),
    RMSpropMomentum: Told("RMSprop with momentum", rmsprop_stage),
}


def stages(step: Step, *, batch: bool = False) -> Iterator[Stage]:
    """From the features on, in the order in which they are computed. ``batch``: with each sample's own gradient."""
    if step.head.dense:
        yield logits_stage(step)
    for stage in (softmax_stage, loss_stage, dlogits_stage, gradients_stage if step.head.dense else chain_stage):
        yield stage(step)
    if batch:
        yield each_sample_stage(step)
    yield own_rule_stage(step) if step.head.rule is None else RULES[type(step.head.rule)].stage(step)
    yield after_stage(step)
