"""A forward function of TensorFlow's, with its variables as arguments, as a graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tflite_transfer.converter.expressions import Graph
from tflite_transfer.converter.networks import dropout
from tflite_transfer.converter.networks.measure import measured
from tflite_transfer.converter.networks.network import Function
from tflite_transfer.converter.networks.rewriting import rewritten
from tflite_transfer.converter.networks.training_form import RULES
from tflite_transfer.converter.tensorflow import converting, tensorflow
from tflite_transfer.reference.tflite.graph import Array
from tflite_transfer.reference.tflite.reader import read


@dataclass(frozen=True)
class Forward:
    """``call(x, *variables) -> [output, the new values of those that are updated, a penalty if there is one]``.

    ``x`` is TensorFlow's description of it, ``variables`` are the variables by name, in order, and ``updated`` names.
    """

    call: Callable[..., list[Any]]
    x: Any
    variables: Mapping[str, Any]
    updated: Sequence[str] = ()


def converted(forward: Forward, source: str) -> Function:
    """The graph that TensorFlow's converter makes of it, random numbers by builtin operators. Raises ModelError."""
    tf = tensorflow(source)
    with converting(source):
        specs = [tf.TensorSpec([None, *forward.x.shape[1:]], forward.x.dtype, name="x")]
        for n, v in enumerate(forward.variables.values()):
            specs.append(tf.TensorSpec(v.shape, v.dtype, name=f"variable_{n}"))
        function = tf.function(forward.call, input_signature=specs).get_concrete_function()
        # An empty module: nothing is captured, and without one TensorFlow takes a way that it has deprecated.
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function], tf.Module())
        # For the random numbers of dropout, which are replaced.
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
        content = converter.convert()
    model = read(content, source)
    graph, signature = Graph(model.main), model.signatures[0]
    x, variables = (
        signature.inputs["x"],
        {name: signature.inputs[f"variable_{n}"] for n, name in enumerate(forward.variables)},
    )
    graph.inputs = {"x": x, **variables}
    for name, number in graph.inputs.items():
        graph.rename(number, name)
    output, *rest = (signature.outputs[f"output_{n}"] for n in range(len(signature.outputs)))
    updates = {name: i for name, i in zip(forward.updated, rest, strict=False) if i != variables[name]}
    penalty = rest[len(forward.updated)] if len(rest) > len(forward.updated) else None
    return dropout.replaced(Function(graph, x, variables, output, updates, penalty))


def ready(function: Function, fixed: Mapping[str, Array], source: str) -> Function:
    """The function in training form, with these variables as constants."""
    graph = function.graph
    for name, value in fixed.items():
        number = function.variables[name]
        graph.tensors[number] = replace(graph.tensors[number], data=value)
        graph.inputs.pop(name)
    left = {name: i for name, i in function.variables.items() if name not in fixed}
    return rewritten(measured(replace(function, variables=left), source), RULES)
