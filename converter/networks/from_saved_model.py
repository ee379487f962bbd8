"""A SavedModel as a network: its signature's function, frozen, and its variables' constants made arguments again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tflite_transfer.converter.networks.forward import Forward, converted, ready
from tflite_transfer.converter.networks.network import Network
from tflite_transfer.converter.networks.selection import ARGUMENTS, distinct, selected, weights_of
from tflite_transfer.converter.tensorflow import first_line, frozen, tensorflow
from tflite_transfer.reference.tflite.errors import ModelError

KEY = "serving_default"


def load_saved_model(folder: Path) -> Any:
    """A SavedModel with the signature ``serving_default``. Raises ModelError."""
    if not any((folder / name).is_file() for name in ("saved_model.pb", "saved_model.pbtxt")):
        raise ModelError(f"{folder} is no SavedModel: it holds no saved_model.pb.")
    tf = tensorflow("a SavedModel")
    try:
        loaded = tf.saved_model.load(str(folder))
        loaded.signatures[KEY]
    except Exception as e:
        raise ModelError(f"{folder} cannot be read as a SavedModel with {KEY}: {first_line(e)}") from e
    return loaded


def network_of(loaded: Any, trainable: str = "all", source: str = "the SavedModel") -> Network:
    """The signature's function of one input and one output. What is not chosen, or cannot train, stays constant.

    A SavedModel holds the function in use alone: batch norms use their moving means, and nothing is dropped.
    """
    function = loaded.signatures[KEY]
    given, results = function.structured_input_signature[1], function.structured_outputs
    if len(given) != 1 or len(results) != 1:
        raise ModelError(f"{source} must have one input and one output, not {sorted(given)}, {sorted(results)}.")
    names = _names(function.variables)
    values = {names[id(v)]: np.asarray(v).copy() for v in function.variables}
    # Of a frozen layer's variables Keras' export keeps only that list; they say themselves that they train.
    stay = {id(v) for v in getattr(loaded, "non_trainable_variables", ())}
    moving = [names[id(v)] for v in function.variables if v.trainable and id(v) not in stay]
    weights = weights_of({n: values[n] for n in moving})
    chosen = selected(weights, trainable)
    graph = converted(_forward(function, names), source)
    made = ready(graph, {n: v for n, v in values.items() if n not in chosen}, source)
    return Network(made, made, {n: weights[n] for n in chosen}, source)


def _names(variables: Any) -> dict[int, str]:
    """A name for each variable, by the object: its own without ``:0``."""
    return dict(
        zip(map(id, variables), distinct((v.name.partition(":")[0] for v in variables), ARGUMENTS), strict=True)
    )


def _forward(function: Any, names: dict[int, str]) -> Forward:
    """The frozen graph calls a constant what the function called the variable that it captured."""
    tf = tensorflow("a SavedModel")
    constant = frozen(function)
    definition, x = constant.graph.as_graph_def(), constant.inputs[0]
    captured = {id(outer): inner.name for outer, inner in function.graph.captures}
    places = [captured[id(v.handle)] for v in function.variables]

    def call(given: Any, *variables: Any) -> list[Any]:
        found = tf.graph_util.import_graph_def(
            definition,
            {x.name: given, **dict(zip(places, variables, strict=True))},
            [constant.outputs[0].name],
            name="",
        )
        return [found[0]]

    return Forward(call, x, {names[id(v)]: v for v in function.variables})
