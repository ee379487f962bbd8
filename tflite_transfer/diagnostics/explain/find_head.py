"""The last dense layer of a classifier, found in its files by operators and wiring, never by names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import replace

import numpy as np

from tflite_transfer.backends.base import Array, Tree
from tflite_transfer.diagnostics.explain.places import Head, Places
from tflite_transfer.diagnostics.gradients.wiring import Wiring
from tflite_transfer.diagnostics.sides import Source
from tflite_transfer.reference.matching import Bindings
from tflite_transfer.reference.recognize import LastLayer, recognize_head, recognize_last_layer
from tflite_transfer.reference.recognize_update import match_update, rule_of
from tflite_transfer.reference.tflite.bundle import Bundle
from tflite_transfer.reference.tflite.errors import UnknownFormError
from tflite_transfer.reference.tflite.graph import Operator, Subgraph
from tflite_transfer.reference.tflite.one_file import OneFile
from tflite_transfer.reference.tflite.trainable import Trainable

NO_LOSS = "its loss is not the softmax cross-entropy of a dense layer whose weights and bias train"


def find_head(model: Trainable, slots: Tree) -> Head:
    """The softmax head of five files, or the last layer of a network in one file.

    ``slots`` hold a learning rate that is a variable. Raises UnknownFormError, which says what is other.
    """
    return _of_one_file(model, slots) if isinstance(model, OneFile) else _of_bundle(model)


def _of_bundle(model: Trainable) -> Head:
    """Parameters and slots are arguments and results, by their places in train_head and optimizer."""
    assert isinstance(model, Bundle)
    step, update, n = model.models["train_head"].main, model.models["optimizer"].main, len(model.parameters)
    (x, y, *given), (loss, *grads), known = step.inputs, step.outputs, recognize_head(step)
    if known is None:
        last = _last_layer(step, loss, {"y": y}, x)
    else:  # a form of either converter's
        last = LastLayer(y, x, given[0], given[1], of_rows=False, penalty=None)
    if last.ws not in given or last.bs not in given:
        raise UnknownFormError(NO_LOSS)
    w, b = given.index(last.ws), given.index(last.bs)
    l2 = _l2(last, step, grads[w], grads[b]) if known is None else known.l2
    moved = {"w0": w, "w1": b, "g0": n + w, "g1": n + b}
    state = (*update.inputs[:n], *update.inputs[2 * n :])
    given_as = {k: update.inputs[i] for k, i in moved.items()}
    rule = _rule(update, [update.outputs[w], update.outputs[b]], given_as, set(state))
    places = _update(update, rule, dict(zip(state, update.outputs, strict=True)))
    names = dict(zip(state, (*model.parameters, *model.slots), strict=True))
    return Head(
        l2, known and known.divisor, rule_of(rule),
        Places(_source(model, "train_head"), step, _step(step, last, loss, grads[w], grads[b]), last.of_rows),
        Places(_source(model, "optimizer"), update, places, last.of_rows),
        {k: names[t] for k, t in places.items() if t in names},
        {name: grads[i] for i, name in enumerate(model.parameters) if i not in (w, b)},
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
    one_hot = (o.outputs[0] for o in graph.operators if o.opcode == "ONE_HOT" and o.inputs[0] == labels)
    x = None if model.roles.base is None else train.inputs[model.roles.train.argument]
    last = _last_layer(graph, wiring.loss, {"y": next(one_hot, labels)}, x)
    names = [by_tensor.get(t, "") for t in (last.ws, last.bs)]
    if not all(n in wiring.assigned for n in names):
        raise UnknownFormError(NO_LOSS)
    graph = _with_rates(graph, {t: slots[n] for n, t in read.items() if n not in wiring.assigned and n in slots})
    new = {read[n]: t for n, t in wiring.assigned.items() if n in read}
    rule = _rule(graph, [new[last.ws], new[last.bs]], {"w0": last.ws, "w1": last.bs}, set(new))
    places, source = _update(graph, rule, new), Source(model.content, model.model, train.key)
    step = _step(graph, last, wiring.loss, rule["g0"], rule["g1"])
    return Head(
        _l2(last, graph, rule["g0"], rule["g1"]), None, rule_of(rule), Places(source, graph, step, last.of_rows),
        Places(source, graph, places, last.of_rows), {k: by_tensor[t] for k, t in places.items() if t in by_tensor},
        {n: t for n, t in wiring.gradients.items() if n not in names},
    )  # fmt: skip


def _last_layer(graph: Subgraph, loss: int, known: Mapping[str, int], x: int | None) -> LastLayer:
    """Of the features x of a frozen base where they go right into it, else of any. ``known``: the labels."""
    for given in ([{**known, "x": x}] if x is not None else []) + [known]:
        found = recognize_last_layer(graph, loss, given)
        if found is not None:
            return found
    raise UnknownFormError(NO_LOSS)


def _l2(last: LastLayer, graph: Subgraph, grad_ws: int, grad_bs: int) -> float | None:
    found = last.l2(graph, grad_ws, grad_bs)
    if found is None:
        raise UnknownFormError("its last layer's gradients are not the cross-entropy's, with or without L2")
    return found or None


def _rule(graph: Subgraph, new: list[int], known: Mapping[str, int], state: Set[int]) -> Bindings:
    """Its m and v must be ``state``: a rule that makes others of them first is another."""
    found = match_update(graph, new, known, 2)
    if found is None or not all(found[k] in state for k in found if k[0] in "mv" and k[1:].isdigit()):
        raise UnknownFormError("its last layer moves by another rule than SGD, Adam and RMSprop")
    return found


def _step(graph: Subgraph, last: LastLayer, loss: int, grad_ws: int, grad_bs: int) -> dict[str, int]:
    found = {"x": last.x, "y": last.y, "W": last.ws, "b": last.bs, "L": loss, "g_W": grad_ws, "g_b": grad_bs}
    found |= {} if last.penalty is None else {"R": last.penalty}
    return found | _inside(graph, last.y)


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
