"""An inference .tflite as a network: its constants become variables. No TensorFlow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tflite_transfer.converter.expressions import Expression, Graph, concatenate, shape_of, slice_
from tflite_transfer.converter.gradients.rule import Call
from tflite_transfer.converter.networks.biases import add_biases
from tflite_transfer.converter.networks.constants import check_floats, lift, weights
from tflite_transfer.converter.networks.measure import check_apart, measured
from tflite_transfer.converter.networks.network import Function, Network
from tflite_transfer.converter.networks.rewriting import rewritten
from tflite_transfer.converter.networks.selection import selected
from tflite_transfer.converter.networks.training_form import RULES
from tflite_transfer.reference.tflite.errors import ModelError
from tflite_transfer.reference.tflite.graph import Model
from tflite_transfer.reference.tflite.verify import verify


def network_of(model: Model, trainable: str = "all", *, biases: bool = True) -> Network:
    """Make variables of the chosen weights (see ``selected``); the others stay constants.

    ``biases``: give layers without a bias one of zeros. Raises ModelError for a model that is no network of one
    input and one output of floats, OptionError for weights that are not there.
    """
    verify(model)
    function = with_free_batch(_function(model), model.source)
    if biases:
        add_biases(function.graph)
    found = weights(function.graph)
    if not found:
        raise ModelError(f"{model.source} has no weights that could train.")
    chosen = {n: found[n] for n in selected({n: c.weight for n, c in found.items()}, trainable)}
    check_floats(chosen, model.source)
    variables = {name: lift(function.graph, name, constant) for name, constant in chosen.items()}
    trained = rewritten(replace(function, variables=variables), RULES)
    return Network(trained, trained, {name: c.weight for name, c in chosen.items()}, model.source)


def _function(model: Model) -> Function:
    """The main graph, whose one input is x."""
    main = model.main
    for side, numbers in (("input", main.inputs), ("output", main.outputs)):
        found = [main.tensors[i] for i in numbers]
        if len(found) != 1 or (side == "output" and found[0].type != "FLOAT32") or not found[0].free_shape:
            listed = ", ".join(f"{t.name} {t.type.lower()} {t.free_shape}" for t in found) or "nothing"
            raise ModelError(f"{model.source} must have one {side} of floats for each example, but has {listed}.")
    graph = Graph(main)
    graph.inputs["x"] = main.inputs[0]
    return Function(graph, main.inputs[0], {}, main.outputs[0])


def with_free_batch(function: Function, source: str) -> Function:
    """The function ``measured``, for any number of examples also where the file fixes how many. Raises ModelError."""
    graph = function.graph
    x = graph[function.x]
    if x.shape[0] == -1:
        return measured(function, source)
    graph.tensors[function.x] = replace(graph.tensors[function.x], signature=(-1, *x.shape[1:]))

    def of_rows(call: Call) -> Expression | None:
        """As many rows as there are; where that was no number of examples, it is the same as before."""
        given, shape = call.operands[0], call.result.shape
        if given.value is not None or not shape:
            return None
        target = (-1, *shape[1:])
        numbers = call.graph.literal(np.array(target, np.int32))
        return call.graph.write("RESHAPE", [given, numbers], shape, given.kind, new_shape=target)

    def of_images(call: Call) -> Expression | None:
        """As many images as it is given."""
        size, *_, given = call.operands[:3]
        if size.value is None:
            return None
        images = slice_(shape_of(given), (0,), (1,))
        numbers = concatenate([images, call.graph.literal(np.array(size.value[1:], np.int32))], 0)
        taken = [numbers, *(call.graph[i] for i in call.operator.inputs[1:])]
        o, shape = call.operator, call.result.shape
        return call.graph.write(o.opcode, taken, shape, given.kind, version=o.version, **o.options)

    freed = measured(rewritten(function, {"RESHAPE": of_rows, "TRANSPOSE_CONV": of_images}), source)
    check_apart(freed, source)
    return freed
