"""A Keras model as a network: names, layouts and first values of its variables are Keras'."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tflite_transfer.converter.networks.forward import Forward, converted, ready
from tflite_transfer.converter.networks.network import Network, Weight
from tflite_transfer.converter.networks.selection import ARGUMENTS, distinct, selected, weights_of
from tflite_transfer.converter.tensorflow import first_line, tensorflow
from tflite_transfer.reference.tflite.errors import ModelError


def load_keras(path: Path) -> Any:
    """A .keras or .h5 file. Custom layers with code in the file are refused (safe mode). Raises ModelError."""
    keras = tensorflow("a Keras model").keras
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as e:
        raise ModelError(f"{path} cannot be read as a Keras model: {first_line(e)}") from e


def network_of(
    model: Any, trainable: str = "all", source: str = "the Keras model", *, stateless: bool = False
) -> Network:
    """A Keras model with one input and one output; the caller's is not changed.

    What is not chosen is frozen: it stays constant, and a batch norm without a chosen weight uses its moving means.
    Variables that the model moves itself, such as those means, move; if it is to be ``stateless``, they stay, batch
    norms use them, and nothing is dropped. Raises ModelError, OptionError.
    """
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ModelError(f"{source} must have one input and one output, not {len(model.inputs)}, {len(model.outputs)}.")
    # Keras lets two variables have one path, of layers within models within the model.
    names = dict(zip(map(id, model.variables), distinct((v.path for v in model.variables), ARGUMENTS), strict=True))
    values = {names[id(v)]: np.asarray(v).copy() for v in model.variables}
    weights = weights_of({names[id(v)]: values[names[id(v)]] for v in model.trainable_variables})
    chosen = selected(weights, trainable)
    picked = {id(v) for v in model.trainable_variables if names[id(v)] in chosen}
    _check_constraints(model, picked, source)
    before = _frozen(model, picked)
    try:
        infer = converted(_forward(model, names, training=False, penalty=False), source)
        train = converted(_forward(model, names, training=not stateless, penalty=True), source)
    finally:
        for thing, flag in before:
            thing.trainable = flag
    if stateless:
        train = replace(train, updates={})
    moved = {*chosen, *train.updates}
    fixed = {n: v for n, v in values.items() if n not in moved}
    kept = {n: weights.get(n) or Weight(v, -1, trainable=False) for n, v in values.items() if n in moved}
    return Network(ready(infer, fixed, source), ready(train, fixed, source), kept, source)


def _check_constraints(model: Any, chosen: Collection[int], source: str) -> None:
    """Refuse what Keras' optimizers do to weights after each step, and those of the file do not."""
    constrained = [v.path for v in model.trainable_variables if id(v) in chosen and v.constraint is not None]
    if constrained:
        raise ModelError(
            f"{source} has constraints on {', '.join(constrained)}, which no training file keeps: freeze these weights "
            "(--trainable), or make the layers without, with a regularizer instead."
        )


def _frozen(model: Any, chosen: Collection[int]) -> list[tuple[Any, bool]]:
    """Let only these weights train, by their ids; returns every flag as it was."""
    layers = model._flatten_layers()  # those within layers too, which nothing public lists
    things = [model, *layers, *model.trainable_variables]
    before = [(thing, thing.trainable) for thing in things]
    for layer in layers:
        if layer.trainable_variables and not any(id(v) in chosen for v in layer.trainable_variables):
            layer.trainable = False
    for v in model.trainable_variables:
        v.trainable = id(v) in chosen
    return before


def _forward(model: Any, names: Mapping[int, str], *, training: bool, penalty: bool) -> Forward:
    tf = tensorflow("a Keras model")
    trained, others = list(model.trainable_variables), list(model.non_trainable_variables)
    count = len(trained)

    def call(x: Any, *values: Any) -> list[Any]:
        y, new, losses = model.stateless_call(
            list(values[:count]), list(values[count:]), x, training=training, return_losses=True
        )
        extra = [tf.add_n([tf.reduce_sum(loss) for loss in losses])] if losses and penalty else []
        return [y, *(tf.identity(v) for v in new), *extra]

    variables = {names[id(v)]: v for v in (*trained, *others)}
    return Forward(call, model.inputs[0], variables, [names[id(v)] for v in others])
