"""Where the quantities of a softmax head's step stand in a file: found by operators and wiring, never by names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from tflite_transfer.backends.base import Tree
from tflite_transfer.diagnostics.sides import Side, Source
from tflite_transfer.reference.optimizers import SGD, Adam
from tflite_transfer.reference.recognize import match_update, recognize_head, rule_of
from tflite_transfer.reference.tflite.bundle import Bundle
from tflite_transfer.reference.tflite.errors import ModelError
from tflite_transfer.reference.tflite.graph import Array, Operator, Subgraph
from tflite_transfer.reference.tflite.one_file import OneFile
from tflite_transfer.reference.tflite.trainable import Trainable


@dataclass(frozen=True)
class Places:
    """The tensors of one sub-graph, by the letters that the formulas use for them."""

    source: Source
    graph: Subgraph
    tensors: Mapping[str, int]

    def computed(self, side: Side, given: Mapping[str, Array], *wanted: str) -> dict[str, Array]:
        """What is wanted, computed by the side operator by operator from what is given, and from nothing else."""
        values = {i: t.data for i, t in enumerate(self.graph.tensors) if t.data is not None}
        values |= {self.tensors[name]: self._shaped(name, v) for name, v in given.items() if name in self.tensors}
        producer = {t: n for n, o in enumerate(self.graph.operators) for t in o.outputs}

        def read(number: int) -> Array:
            if number not in values:
                results = side.alone(producer[number], read)
                if results is None:
                    raise ModelError(f"{self.source.name}: {self.graph.tensors[number].name} has no value by itself.")
                values.update(zip(self.graph.operators[producer[number]].outputs, results, strict=True))
            return values[number]

        return {name: read(self.tensors[name]) for name in wanted}

    def _shaped(self, name: str, value: Array) -> Array:
        """Features (B, F) as the file takes them, (B, S); all else as it is."""
        return value.reshape(len(value), *self.graph.tensors[self.tensors[name]].shape[1:]) if name == "x" else value


@dataclass(frozen=True)
class Head:
    """A recognised softmax head with its rule. Parameters are called W and b, whatever the file calls them."""

    l2: float | None
    divisor: float | None
    rule: SGD | Adam
    step: Places  # x y W b -> z, p, log p, e = p - y, d (where the file has it), L, g_W, g_b
    update: Places  # W b g_W g_b (m_W ... t) -> W' b' (m_W' m̂_W ... t')
    names: Mapping[str, str]  # W and b -> the file's names; likewise m_W, v_W, ..., t

    @property
    def is_adam(self) -> bool:
        """Else it is SGD."""
        return isinstance(self.rule, Adam)


def find_head(model: Trainable, slots: Tree) -> Head | None:
    """The softmax head of five files or of one, where it is one; ``slots`` hold a learning rate that is a variable."""
    return _of_one_file(model, slots) if isinstance(model, OneFile) else _of_bundle(model)


def _of_bundle(model: Trainable) -> Head | None:
    assert isinstance(model, Bundle)
    graphs = {role: m.main for role, m in model.models.items()}
    found, (w, b) = recognize_head(graphs["train_head"]), list(model.parameters)[:2] or ("", "")
    if found is None:
        return None
    update = graphs["optimizer"]
    rule = match_update(update, update.outputs[:2], dict(zip(("w0", "w1"), update.inputs, strict=False)), 2)
    if rule is None:
        return None
    x, y, ws, bs = graphs["train_head"].inputs
    loss, grad_w, grad_b = graphs["train_head"].outputs
    step = {"x": x, "y": y, "W": ws, "b": bs, "L": loss, "g_W": grad_w, "g_b": grad_b}
    names = {"W": w, "b": b}
    if "t" in rule:
        names |= {f"{s}_{p}": f"{s}_{n}" for s in "mv" for p, n in tuple(names.items())} | {"t": "step"}
    return Head(
        found.l2, found.divisor, rule_of(rule),
        Places(_source(model, "train_head"), graphs["train_head"], step | _inside(graphs["train_head"], y)),
        Places(_source(model, "optimizer"), update, _update(update, rule, update.outputs[:2])),
        names,
    )  # fmt: skip


def _source(model: Bundle, role: str) -> Source:
    return Source(model.contents[role], model.models[role])


def _of_one_file(model: OneFile, slots: Tree) -> Head | None:
    """Parameters are variables: what is read of them, and what is assigned to them, are the places."""
    train = model.signature(model.roles.train.key)
    graph = model.model.subgraphs[train.subgraph]
    handles = {o.outputs[0]: str(o.options.get("shared_name")) for o in graph.operators if o.opcode == "VAR_HANDLE"}
    used = [o for o in graph.operators if o.inputs and o.inputs[0] in handles]
    read = {handles[o.inputs[0]]: o.outputs[0] for o in used if o.opcode == "READ_VARIABLE"}
    new = {handles[o.inputs[0]]: o.inputs[1] for o in used if o.opcode == "ASSIGN_VARIABLE"}
    if len(model.parameters) != 2 or not {*model.parameters} <= read.keys() & new.keys():
        return None
    w, b = sorted(model.parameters, key=lambda name: -len(model.parameters[name]))
    graph = _with_rates(graph, {t: slots[n] for n, t in read.items() if n not in new and n in slots})
    rule = match_update(graph, [new[w], new[b]], {"w0": read[w], "w1": read[b]}, 2)
    if rule is None:
        return None
    x, y = train.inputs[model.roles.train.argument], train.inputs[model.roles.labels]
    outputs = (train.outputs[model.roles.train.result], rule["g0"], rule["g1"])
    found = recognize_head(replace(graph, inputs=(x, y, read[w], read[b]), outputs=outputs))
    if found is None:
        return None
    step = {"x": x, "y": y, "W": read[w], "b": read[b], **dict(zip(("L", "g_W", "g_b"), outputs, strict=True))}
    source = Source(model.content, model.model, train.key)
    places = _update(graph, rule, (new[w], new[b]))
    by_tensor = {t: n for n, t in read.items()}
    names = {letter: by_tensor[t] for letter, t in places.items() if t in by_tensor}
    return Head(
        found.l2, found.divisor, rule_of(rule), Places(source, graph, step | _inside(graph, y)),
        Places(source, graph, places), names,
    )  # fmt: skip


def _with_rates(graph: Subgraph, values: Mapping[int, Array]) -> Subgraph:
    """Variables that a step only reads, as the learning rate, as the constants that they are during one."""
    tensors = [replace(t, data=np.asarray(values[i])) if i in values else t for i, t in enumerate(graph.tensors)]
    return replace(graph, tensors=tuple(tensors))


def _inside(graph: Subgraph, labels: int) -> dict[str, int]:
    """What a recognised head computes between its inputs and outputs."""
    log_p = next(o for o in graph.operators if o.opcode == "LOG_SOFTMAX")
    p = next(o for o in graph.operators if o.opcode == "SOFTMAX" and o.inputs == log_p.inputs)
    error = next(o for o in _users(graph, p.outputs[0], "SUB") if o.inputs[1] == labels)
    found = {"z": p.inputs[0], "p": p.outputs[0], "log p": log_p.outputs[0], "e": error.outputs[0]}
    mean = next(_users(graph, error.outputs[0], "DIV"), None)  # upstream divides the sum instead
    return found if mean is None else {**found, "d": mean.outputs[0]}


def _update(graph: Subgraph, found: Mapping[str, int], new: tuple[int, ...]) -> dict[str, int]:
    """The places of the rule: letters with W and b instead of 0 and 1."""
    places = {f"{k[0]}_{'Wb'[int(k[1])]}": t for k, t in found.items() if k[:1] in "gmv" and k[1:].isdigit()}
    places |= {"W": found["w0"], "b": found["w1"], "W'": new[0], "b'": new[1]}
    if "t" not in found:
        return places
    places["t"], places["t'"] = found["t"], next(_users(graph, found["t"], "ADD")).outputs[0]
    for letter, name in (("m", "W"), ("v", "W"), ("m", "b"), ("v", "b")):
        kept = next(_users(graph, places[f"{letter}_{name}"], "MUL"))
        mean = next(_users(graph, kept.outputs[0], "ADD"))
        places[f"{letter}_{name}'"] = mean.outputs[0]
        places[f"{letter}\u0302_{name}"] = next(_users(graph, mean.outputs[0], "DIV")).outputs[0]
    return places


def _users(graph: Subgraph, tensor: int, opcode: str) -> Iterator[Operator]:
    return (o for o in graph.operators if o.opcode == opcode and tensor in o.inputs)
