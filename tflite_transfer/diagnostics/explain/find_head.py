"""A softmax classifier's last layer, its loss and its rule, found by operators and wiring, never by names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tflite_transfer.diagnostics.explain.last_layer import LastLayer, added, dense_layer, nearest_layer
from tflite_transfer.diagnostics.explain.layout import Layout
from tflite_transfer.diagnostics.explain.places import Head, Places
from tflite_transfer.reference.matching import Bindings, Matcher
from tflite_transfer.reference.recognize_update import match_update, rule_of
from tflite_transfer.reference.tflite.errors import UnknownFormError
from tflite_transfer.reference.tflite.graph import Operator, Subgraph

NO_LOSS = "its loss is another than the mean cross-entropy of a softmax and the labels"
_OF_SCORES = frozenset(
    {"SOFTMAX", "LOG_SOFTMAX", "FlexSoftmaxCrossEntropyWithLogits", "FlexSparseSoftmaxCrossEntropyWithLogits"}
)


def find_head(layout: Layout) -> Head:
    """The last layer in front of a softmax, in five files or in one: a dense one by its formulas, another as it is.

    Raises UnknownFormError, which says what is other.
    """
    entropy, penalties = _loss(layout)
    z = _scores(layout, entropy)
    if layout.wiring.after({z}).intersection(penalties):
        raise UnknownFormError("what is added to its cross-entropy depends on the scores")
    dense = dense_layer(layout, z)
    layer = dense or nearest_layer(layout, z)
    if layer is None:
        raise UnknownFormError("no tensor of it is its loss's gradient by a parameter in front of the softmax")
    l2 = layer.decay(layout.step.graph) if dense and penalties else None
    terms = {"R": penalties, **layer.rest}
    if l2 is not None:
        terms.pop("r_W")
        if len(penalties) == 1 and layer.is_squared(layout.step.graph, penalties[0]):
            terms.pop("R")
    found = _update(layout, layer)
    update = _places_of_update(layout, layer, found)
    state = {t: name for name, t in layout.before.items()}
    return Head(
        l2=l2,
        divisor=layer.divisor,
        rule=None if found is None else rule_of(found),
        step=Places(layout.step, _places_of_step(layout, layer, z, terms), layer.of_rows),
        update=Places(layout.update, update, layer.of_rows),
        names={k: state[t] for k, t in update.items() if t in state},
        layers={n: t for n, t in layout.gradients.items() if n not in layer.names.values()},
        terms={k: len(t) for k, t in terms.items() if t},
    )


def _loss(layout: Layout) -> tuple[int, tuple[int, ...]]:
    """The one part of the loss that the labels have a say in, and those that they have none in."""
    parts, taught = added(layout.step.graph, layout.loss), layout.wiring.after({layout.y})
    of_labels = [t for t in parts if t in taught]
    if len(of_labels) != 1:
        raise UnknownFormError(NO_LOSS)
    return of_labels[0], tuple(t for t in parts if t not in taught)


def _scores(layout: Layout, entropy: int) -> int:
    """What goes into the last softmax in front of the loss. (B, C)"""
    graph, made = layout.step.graph, layout.wiring.behind(entropy)
    softmax = next((o for o in reversed(graph.operators) if o.name in _OF_SCORES and o.outputs[0] in made), None)
    if softmax is None:
        raise UnknownFormError(NO_LOSS)
    z, producer, tensors = softmax.inputs[0], Matcher(graph).producer, graph.tensors
    while (o := producer.get(z)) and o.opcode == "RESHAPE" and len(tensors[o.inputs[0]].shape) == 2:
        z = o.inputs[0]
    if len(tensors[z].shape) != 2 or z in layout.wiring.after({layout.y}):
        raise UnknownFormError(NO_LOSS)
    return z


def _places_of_step(layout: Layout, layer: LastLayer, z: int, terms: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
    graph = layout.step.graph
    found = {"y": layout.y, "L": layout.loss, "z": z, **_inside(graph, z, layout.y), **layer.tensors}
    if found.get("e") is not None and "d" not in found:  # where no dense layer's gradient says it
        mean = next(_users(graph, found["e"], "DIV"), None)
        found |= {} if mean is None else {"d": mean.outputs[0]}
    return found | {f"{k}{i}": t for k, ts in terms.items() for i, t in enumerate(ts)}


def _inside(graph: Subgraph, z: int, labels: int) -> dict[str, int]:
    """What stands between the scores and their error, as far as the file has it; y is one-hot where it has that."""
    (y, *_), scores = (*_results(graph, labels, "ONE_HOT"), labels), (z, *_results(graph, z, "RESHAPE"))
    found = {"y": y}
    for letter, opcode in (("p", "SOFTMAX"), ("log p", "LOG_SOFTMAX")):
        made = [t for i in scores for t in _results(graph, i, opcode)]
        found |= dict(zip([letter], made, strict=False))
    of_labels = {y, *_results(graph, y, "RESHAPE")}
    differences = (o for o in _users(graph, found.get("p", -2), "SUB") if o.inputs[1] in of_labels)
    return found | dict(zip("e", (o.outputs[0] for o in differences), strict=False))


def _results(graph: Subgraph, tensor: int, opcode: str) -> list[int]:
    return [o.outputs[0] for o in _users(graph, tensor, opcode)]


def _update(layout: Layout, layer: LastLayer) -> Bindings | None:
    """The rule's bindings; None for another, as one that makes other m and v of the file's first."""
    names = [layer.names[k] for k in ("W", "b") if k in layer.names]
    known = {f"w{i}": layout.before[n] for i, n in enumerate(names)}
    known |= {f"g{i}": layout.given[n] for i, n in enumerate(names)}
    found = match_update(layout.update.graph, [layout.after[n] for n in names], known, len(names))
    state = set(layout.before.values())
    if found is None or not all(t in state for k, t in found.items() if k == "t" or (k[0] in "mv" and k[1:].isdigit())):
        return None
    return found


def _places_of_update(layout: Layout, layer: LastLayer, found: Bindings | None) -> dict[str, int]:
    """Letters with W and b instead of 0 and 1; of a rule that is not known what else it reads as s0, s1, ..."""
    letters = [k for k in ("W", "b") if k in layer.names]
    places = {k: layout.before[layer.names[k]] for k in letters}
    places |= {f"g_{k}": layout.given[layer.names[k]] for k in letters}
    if found is None:
        for letter in letters:
            slots = [t for t in _slots(layout, layer.names[letter]) if t not in places.values()]
            places |= {f"s{i}_{letter}": t for i, t in enumerate(slots)}
    else:
        state = (k for k in found if k[0] in "mv" and k[1:].isdigit())
        places |= {f"{k[0]}_{letters[int(k[1:])]}": found[k] for k in state}
        places |= {"t": found["t"]} if "t" in found else {}
    names = {t: name for name, t in layout.before.items()}
    places |= {f"{k}'": layout.after[names[t]] for k, t in places.items() if names.get(t) in layout.after}
    return places | (_unbiased(layout.update.graph, places) if found is not None and "eps" in found else {})


def _unbiased(graph: Subgraph, places: Mapping[str, int]) -> dict[str, int]:
    """Adam's means without their bias; Keras' form has none."""
    made = {k[:-1]: _results(graph, t, "DIV") for k, t in places.items() if k[0] in "mv" and k[-1] == "'"}
    return {f"{k[0]}\u0302{k[1:]}": ts[0] for k, ts in made.items() if ts}


def _slots(layout: Layout, parameter: str) -> list[int]:
    """What the new parameter is made of, but for parameters and what only its gradient is made of."""
    wiring = layout.wiring_of_update
    made = wiring.behind(layout.after[parameter]) - wiring.behind(layout.given[parameter])
    return [t for name, t in layout.before.items() if name not in layout.weights and t in made]


def _users(graph: Subgraph, tensor: int, opcode: str) -> Iterator[Operator]:
    return (o for o in graph.operators if o.opcode == opcode and tensor in o.inputs)
