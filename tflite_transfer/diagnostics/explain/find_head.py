"""The last dense layer of a classifier, found in its files by operators and wiring, never by names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from tflite_transfer.backends.base import Array, Tree
from tflite_transfer.diagnostics.explain.places import Head, Places
from tflite_transfer.diagnostics.gradients.wiring import Wiring
from tflite_transfer.diagnostics.sides import Source
from tflite_transfer.reference.recognize import LastLayer, recognize_head, recognize_last_layer
from tflite_transfer.reference.recognize_update import match_update, rule_of
from tflite_transfer.reference.tflite.bundle import Bundle
from tflite_transfer.reference.tflite.errors import UnknownFormError
from tflite_transfer.reference.tflite.graph import Operator, Subgraph
from tflite_transfer.reference.tflite.one_file import OneFile
from tflite_transfer.reference.tflite.trainable import Trainable

NO_LOSS = "its loss is not the softmax cross-entropy of a dense layer whose weights and bias train"
NO_RULE = "its last layer moves by another rule than SGD, momentum and Adam"


def find_head(model: Trainable, slots: Tree) -> Head:
    """The softmax head of five files, or the last layer of a network in one file.

    ``slots`` hold a learning rate that is a variable. Raises UnknownFormError, which says what is other.
    """
    return _of_one_file(model, slots) if isinstance(model, OneFile) else _of_bundle(model)


def _of_bundle(model: Trainable) -> Head:
    assert isinstance(model, Bundle)
    step, update = model.models["train_head"].main, model.models["optimizer"].main
    found, names = recognize_head(step), list(model.parameters)
    if found is None:
        raise UnknownFormError(NO_LOSS)
    rule = match_update(update, update.outputs[:2], dict(zip(("w0", "w1"), update.inputs, strict=False)), 2)
    if rule is None:
        raise UnknownFormError(NO_RULE)
    step_places = dict(zip("xyWb", step.inputs, strict=True)) | dict(
        zip(("L", "g_W", "g_b"), step.outputs, strict=True)
    )
    new = dict(zip((*update.inputs[:2], *update.inputs[4:]), update.outputs, strict=True))
    places = _update(update, rule, new)
    slots = dict(zip(update.inputs[4:], model.slots, strict=True))
    told = {"W": names[0], "b": names[1], **{k: slots[t] for k, t in places.items() if t in slots}}
    return Head(
        found.l2, found.divisor, rule_of(rule),
        Places(_source(model, "train_head"), step, step_places | _inside(step, step_places["y"])),
        Places(_source(model, "optimizer"), update, places), told,
    )  # fmt: skip


def _source(model: Bundle, role: str) -> Source:
    return Source(model.contents[role], model.models[role])


def _of_one_file(model: OneFile, slots: Tree) -> Head:
    """Parameters are variables: what is read of them, and what is assigned to them, are the places."""
    train = model.signature(model.roles.train.key)
    graph, labels = model.model.subgraphs[train.subgraph], train.inputs[model.roles.labels]
    wiring = Wiring(graph, labels, train.outputs[model.roles.train.result])
    reads = (o for o in graph.operators if o.opcode == "READ_VARIABLE" and o.inputs[0] in wiring.handles)
    read = {wiring.handles[o.inputs[0]]: o.outputs[0] for o in reads}
    by_tensor = {t: n for n, t in read.items()}
    last = _last_layer(model, wiring, train.inputs[model.roles.train.argument])
    names = [by_tensor.get(t, "") for t in (last.ws, last.bs)]
    if not all(n in wiring.assigned for n in names):
        raise UnknownFormError(NO_LOSS)
    graph = _with_rates(graph, {t: slots[n] for n, t in read.items() if n not in wiring.assigned and n in slots})
    new = {read[n]: t for n, t in wiring.assigned.items() if n in read}
    rule = match_update(graph, [new[last.ws], new[last.bs]], {"w0": last.ws, "w1": last.bs}, 2)
    if rule is None:
        raise UnknownFormError(NO_RULE)
    l2 = last.l2(graph, rule["g0"], rule["g1"])
    if l2 is None:
        raise UnknownFormError("its last layer's gradients are not the cross-entropy's, with or without L2")
    step = {
        "x": last.x,
        "y": last.y,
        "W": last.ws,
        "b": last.bs,
        "L": wiring.loss,
        "g_W": rule["g0"],
        "g_b": rule["g1"],
    }
    step |= {} if last.penalty is None else {"R": last.penalty}
    places = _update(graph, rule, new)
    source = Source(model.content, model.model, train.key)
    return Head(
        l2 or None, None, rule_of(rule), Places(source, graph, step | _inside(graph, last.y), last.of_rows),
        Places(source, graph, places, last.of_rows), {k: by_tensor[t] for k, t in places.items() if t in by_tensor},
        {n: t for n, t in wiring.gradients.items() if n not in names},
    )  # fmt: skip


def _last_layer(model: OneFile, wiring: Wiring, argument: int) -> LastLayer:
    """Of a frozen base's own features where they go right into it; class numbers are made one-hot first."""
    one_hot = (o.outputs[0] for o in wiring.graph.operators if o.opcode == "ONE_HOT" and o.inputs[0] == wiring.labels)
    known = {"y": next(one_hot, wiring.labels)}
    for given in ([known | {"x": argument}] if model.roles.base is not None else []) + [known]:
        found = recognize_last_layer(wiring.graph, wiring.loss, given)
        if found is not None:
            return found
    raise UnknownFormError(NO_LOSS)


def _with_rates(graph: Subgraph, values: Mapping[int, Array]) -> Subgraph:
    """Variables that a step only reads, as the learning rate, as the constants that they are during one."""
    tensors = [replace(t, data=np.asarray(values[i])) if i in values else t for i, t in enumerate(graph.tensors)]
    return replace(graph, tensors=tuple(tensors))


def _inside(graph: Subgraph, labels: int) -> dict[str, int]:
    """What a recognised head computes between its inputs and outputs."""
    errors = {o.inputs[0]: o.outputs[0] for o in _users(graph, labels, "SUB") if o.inputs[1] == labels}
    p = next(o for o in graph.operators if o.opcode == "SOFTMAX" and o.outputs[0] in errors)
    log_p = next(_users(graph, p.inputs[0], "LOG_SOFTMAX"))
    error = errors[p.outputs[0]]
    found = {"z": p.inputs[0], "p": p.outputs[0], "log p": log_p.outputs[0], "e": error}
    mean = next(_users(graph, error, "DIV"), None)  # upstream divides the sum instead
    return found if mean is None else {**found, "d": mean.outputs[0]}


def _update(graph: Subgraph, found: Mapping[str, int], new: Mapping[int, int]) -> dict[str, int]:
    """The places of the rule: letters with W and b instead of 0 and 1. ``new``: what each tensor's new value is."""
    places = {f"{k[0]}_{'Wb'[int(k[1])]}": t for k, t in found.items() if k[:1] in "gmv" and k[1:].isdigit()}
    places |= {"W": found["w0"], "b": found["w1"]} | ({"t": found["t"]} if "t" in found else {})
    places |= {f"{letter}'": new[t] for letter, t in places.items() if t in new}
    for letter in (k for k in tuple(places) if k[0] in "mv" and k[-1] == "'"):
        unbiased = next(_users(graph, places[letter], "DIV"), None)  # Keras' form has none
        if unbiased is not None:
            places[f"{letter[0]}\u0302{letter[1:-1]}"] = unbiased.outputs[0]
    return places


def _users(graph: Subgraph, tensor: int, opcode: str) -> Iterator[Operator]:
    return (o for o in graph.operators if o.opcode == opcode and tensor in o.inputs)
