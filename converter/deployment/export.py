"""A trained model -> an ordinary inference .tflite: no variables, no training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from tflite_transfer.converter.deployment.folding import folded
from tflite_transfer.converter.deployment.fusing import fused
from tflite_transfer.converter.deployment.labels import KEY, model_metadata, with_labels
from tflite_transfer.converter.expressions import Graph
from tflite_transfer.converter.networks.joining import joined
from tflite_transfer.converter.networks.network import Function
from tflite_transfer.reference.tflite.bundle import Bundle
from tflite_transfer.reference.tflite.graph import Array, Model, Signature, Subgraph
from tflite_transfer.reference.tflite.one_file import OneFile
from tflite_transfer.reference.tflite.trainable import Trainable
from tflite_transfer.reference.tflite.writer import write

SIGNATURE = "serving_default"


def exported_content(model: Trainable, params: Mapping[str, Array], names: Sequence[str] | None = None) -> bytes:
    """``exported`` as a file; an image classifier's says how images are taken, and has the class names as labels."""
    made = exported(model, params)
    if not classifies_images(model):
        return write(made)
    told = model_metadata(model.image_shape[2], model.input_range, labels=names is not None)
    content = write(replace(made, metadata={KEY: told}, description="tflite-transfer export"))
    return content if names is None else with_labels(content, names)


def classifies_images(model: Trainable) -> bool:
    """(B, H, W, D) -> probabilities (B, C): what the metadata of a classifier tells of."""
    if not isinstance(model, OneFile):
        return True
    probabilities = model.classifies and not model.binary and len(model.output.shape) == 2
    return probabilities and bool(model.image_shape) and len(model.x.shape) == 4


def exported(model: Trainable, params: Mapping[str, Array]) -> Model:
    """The model with these parameters as constants: ``image (1, H, W, D) -> output (1, C)``."""
    function = _of_five(model, params) if isinstance(model, Bundle) else _of_one(model, params)
    function = fused(folded(function))
    graph = function.graph
    name = "image" if model.image_shape else "x"
    for number, wanted in ((function.x, name), (function.output, "output")):
        graph.rename(number, wanted)
    main = Subgraph(tuple(graph.tensors), tuple(graph.operators), (function.x,), (function.output,), "main")
    return Model((main,), (Signature(SIGNATURE, {name: function.x}, {"output": function.output}),))


def _of_five(model: Bundle, params: Mapping[str, Array]) -> Function:
    """The base and inference.tflite behind it."""
    base, head = (model.models[role].main for role in ("bottleneck", "inference"))
    numbers = dict(zip(model.parameters, head.inputs[1:], strict=True))
    front = Function(Graph(base), base.inputs[0], {}, base.outputs[0])
    behind = _fixed(Function(Graph(head), head.inputs[0], numbers, head.outputs[0]), params)
    return joined(front, behind)


def _of_one(model: Trainable, values: Mapping[str, Array]) -> Function:
    """The signature infer, whose variables are read from what is given."""
    assert isinstance(model, OneFile)
    signature = model.signature("infer")
    subgraph = model.model.subgraphs[signature.subgraph]
    graph = Graph(subgraph)
    handles = {o.outputs[0]: o.options["shared_name"] for o in graph.operators if o.opcode == "VAR_HANDLE"}
    variables = {handles[o.inputs[0]]: o.outputs[0] for o in graph.operators if o.opcode == "READ_VARIABLE"}
    graph.operators = [o for o in graph.operators if o.opcode not in ("CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE")]
    result = model.roles.infer.result
    (x,) = signature.inputs.values()
    return _fixed(Function(graph, x, variables, signature.outputs[result]), values)


def _fixed(function: Function, values: Mapping[str, Array]) -> Function:
    """The function with its variables as constants."""
    graph = function.graph
    for name, number in function.variables.items():
        value = np.array(values[name])
        graph.tensors[number] = replace(graph.tensors[number], name=name, data=value, signature=None)
    graph.inputs = {"x": function.x}
    return replace(function, variables={})
