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

    ``variables`` and ``updated`` are names; ``specs`` are TensorFlow's of x and of each variable.
    """

    call: Callable[..., list[Any]]
    specs: Sequence[Any]
    variables: Sequence[str]
    updated: Sequence[str] = ()


def converted(forward: Forward, source: str) -> Function:
    """The graph that TensorFlow's converter makes of it, random numbers by builtin operators. Raises ModelError."""
    tf = tensorflow(source)
    with converting(source):
        function = tf.function(forward.call, input_signature=forward.specs).get_concrete_function()
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
        # For the random numbers of dropout, which are replaced.
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
        content = converter.convert()
    main = read(content, source).main
    graph = Graph(main)
    x, *given = main.inputs
    variables = dict(zip(forward.variables, given, strict=True))
    graph.inputs = {"x": x, **variables}
    for name, number in graph.inputs.items():
        graph.rename(number, name)
    output, *rest = main.outputs
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
