"""A Keras model as a network: TensorFlow converts its forward function, with the weights as inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tflite_transfer.converter.expressions import Graph
from tflite_transfer.converter.networks import dropout
from tflite_transfer.converter.networks.measure import measured
from tflite_transfer.converter.networks.network import Function, Network, Weight
from tflite_transfer.converter.networks.rewriting import rewritten
from tflite_transfer.converter.networks.selection import selected
from tflite_transfer.converter.networks.training_form import RULES
from tflite_transfer.converter.tensorflow import converting, first_line, tensorflow
from tflite_transfer.reference.tflite.errors import ModelError
from tflite_transfer.reference.tflite.reader import read

BIASES = ("bias", "beta")


def load_keras(path: Path) -> Any:
    """A .keras or .h5 file. Custom layers with code in the file are refused (safe mode). Raises ModelError."""
    keras = tensorflow("a Keras model").keras
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as e:
        raise ModelError(f"{path} cannot be read as a Keras model: {first_line(e)}") from e


def network_of(model: Any, trainable: str = "all", source: str = "the Keras model") -> Network:
    """A Keras model with one input and one output; names, layouts and first values are Keras'.

    What is not chosen is frozen: it stays constant, and a batch norm without a chosen weight uses its moving means.
    Variables that the model moves itself, such as those means, move. Raises ModelError, OptionError.
    """
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ModelError(f"{source} must have one input and one output, not {len(model.inputs)}, {len(model.outputs)}.")
    weights = _weights(model)
    chosen = selected(weights, trainable)
    _freeze(model, chosen)
    infer, train = (_converted(model, source, training=training) for training in (False, True))
    moved = {*chosen, *train.updates}
    values = {v.path: np.array(v) for v in model.variables}
    infer, train = (_with_constants(f, {n: v for n, v in values.items() if n not in moved}) for f in (infer, train))
    functions = [rewritten(measured(f, source), RULES) for f in (infer, train)]
    kept = {n: weights.get(n) or Weight(values[n], -1, trainable=False) for n in values if n in moved}
    return Network(functions[0], functions[1], kept, source)


def _weights(model: Any) -> dict[str, Weight]:
    """What can train, layer by layer."""
    found: dict[str, Weight] = {}
    layers: list[str] = []
    for v in model.trainable_variables:
        layer, _, name = v.path.rpartition("/")
        if layer not in layers:
            layers.append(layer)
        found[v.path] = Weight(np.array(v), layers.index(layer), name in BIASES)
    return found


def _freeze(model: Any, chosen: Sequence[str]) -> None:
    """Let only these weights train."""
    for layer in model._flatten_layers():  # those within layers too, which nothing public lists
        if layer.trainable_variables and not any(v.path in chosen for v in layer.trainable_variables):
            layer.trainable = False
    for v in model.trainable_variables:
        v.trainable = v.path in chosen


def _converted(model: Any, source: str, *, training: bool) -> Function:
    """The forward function as a graph: x and all variables in, output, the variables' new values and penalties out."""
    tf = tensorflow("a Keras model")
    trained, others = list(model.trainable_variables), list(model.non_trainable_variables)
    x = model.inputs[0]

    def forward(x: Any, *values: Any) -> list[Any]:
        y, new, losses = model.stateless_call(
            list(values[: len(trained)]), list(values[len(trained) :]), x, training=training, return_losses=True
        )
        penalty = [tf.add_n([tf.reduce_sum(loss) for loss in losses])] if losses and training else []
        return [y, *(tf.identity(v) for v in new), *penalty]

    specs = [tf.TensorSpec([None, *x.shape[1:]], x.dtype, name="x")]
    specs += [tf.TensorSpec(v.shape, v.dtype, name=f"variable_{n}") for n, v in enumerate([*trained, *others])]
    with converting(source):
        function = tf.function(forward, input_signature=specs).get_concrete_function()
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
        # For the random numbers of dropout, which are replaced.
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
        content = converter.convert()
    return dropout.replaced(_function(content, source, [v.path for v in trained], [v.path for v in others]))


def _function(content: bytes, source: str, trained: list[str], others: list[str]) -> Function:
    main = read(content, source).main
    graph = Graph(main)
    x, *given = main.inputs
    variables = dict(zip([*trained, *others], given, strict=True))
    graph.inputs = {"x": x, **variables}
    output, *rest = main.outputs
    updates = dict(zip(others, rest, strict=False))
    penalty = rest[len(others)] if len(rest) > len(others) else None
    for name, number in graph.inputs.items():
        graph.rename(number, name)
    moved = {name: i for name, i in updates.items() if i != variables[name]}
    return Function(graph, x, variables, output, moved, penalty)


def _with_constants(function: Function, values: dict[str, Any]) -> Function:
    """The function with these variables fixed."""
    graph = function.graph
    for name, value in values.items():
        number = function.variables[name]
        graph.tensors[number] = replace(graph.tensors[number], data=value)
        graph.inputs.pop(name)
    left = {name: i for name, i in function.variables.items() if name not in values}
    return replace(function, variables=left)
