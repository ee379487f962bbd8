"""The last dense layer in front of the scores, and its gradients, recognised by operators and wiring."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tflite_transfer.diagnostics.explain.layout import Layout
from tflite_transfer.reference.matching import (
    Anything,
    Bindings,
    Call,
    Integers,
    Matcher,
    Pattern,
    Reshaped,
    Scalar,
    op,
)
from tflite_transfer.reference.tflite.graph import Subgraph

_X, _W, _B, _D = Reshaped(Anything("x")), Anything("W"), Anything("b"), Anything("d")


def _product(of_rows: bool) -> Call:
    return op("BATCH_MATMUL", _X, _W, adj_x=0, adj_y=int(of_rows))


_LAYERS = [
    (of_rows, form)
    for of_rows in (False, True)  # weights are (C, F), not (F, C)
    for form in (op("ADD", _product(of_rows), _B), _product(of_rows))
]
_SHARE = Scalar("1 / B")  # the original converter has the batch baked in
_OF_WEIGHTS = {
    False: (
        op("BATCH_MATMUL", _X, _D, adj_x=1, adj_y=0),
        op("MUL", op("BATCH_MATMUL", _X, Anything("e"), adj_x=1, adj_y=0), _SHARE),
    ),
    True: (op("BATCH_MATMUL", _D, _X, adj_x=1, adj_y=0),),
}
_ROWS = Integers((0,))
_OF_BIAS = (
    op("SUM", _D, _ROWS, keep_dims=0),
    Reshaped(op("SUM", _D, _ROWS, keep_dims=1)),
    op("MEAN", Anything("e"), _ROWS, keep_dims=0),
)
_DECAY = op("MUL", _W, Scalar("2 l2"))
_SQUARES = [
    op("MUL", op("SUM", s, Integers((0, 1)), keep_dims=0), Scalar("l2")) for s in (op("SQUARE", _W), op("MUL", _W, _W))
]


@dataclass(frozen=True)
class LastLayer:
    """What trains right in front of the scores: tensors by letter, x and d where it is dense.

    ``names``: W and b as far as they train -> the file's names. ``rest``: by r_W and r_b, what is added to a gradient.
    """

    tensors: Mapping[str, int]
    names: Mapping[str, str]
    of_rows: bool = False
    divisor: float | None = None
    rest: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def decay(self, graph: Subgraph) -> float | None:
        """The factor of L2 in the weights' gradient, where that is all that is added to it."""
        rest = self.rest.get("r_W", ())
        found = Matcher(graph).match({rest[0]: _DECAY}, {"W": self.tensors["W"]}) if len(rest) == 1 else None
        return None if found is None else float(found["2 l2"]) / 2

    def is_squared(self, graph: Subgraph, penalty: int) -> bool:
        """Is that the L2 of these weights alone?"""
        known = {"W": self.tensors["W"]}
        return any(Matcher(graph).match({penalty: squares}, known) is not None for squares in _SQUARES)


def added(graph: Subgraph, tensor: int) -> list[int]:
    """What is added up to a tensor, in that order; a tensor that is no sum alone."""
    producer, found, left = Matcher(graph).producer, list[int](), [tensor]
    while left:
        t = left.pop()
        o = producer.get(t)
        if o is None or o.opcode not in ("ADD", "ADD_N") or o.options.get("fused_activation_function"):
            found.append(t)
        else:
            left.extend(reversed(o.inputs))
    return found


def dense_layer(layout: Layout, z: int) -> LastLayer | None:
    """The dense layer that gives the scores z, with or without a bias; None where another gives them.

    Its weights train, and their gradient is of the scores' d; anything may be added to it.
    """
    features = layout.wiring.after({layout.x})
    trained = {t: name for name, t in layout.weights.items()}
    for of_rows, found in _forms(layout, z):
        biased = "b" in found
        if found["W"] not in trained or (biased and not _is_fixed(layout, found["b"], features)):
            continue
        names = {k: trained[found[k]] for k in ("W", "b") if found.get(k) in trained}
        if not all(name in layout.gradients for name in names.values()):
            continue
        tensors = {k: found[k] for k in ("x", "W", "b") if k in found}
        layer = _with_gradients(layout, LastLayer(tensors, names, of_rows))
        if layer is not None:
            return layer
    return None


def _is_fixed(layout: Layout, bias: int, features: set[int]) -> bool:
    """Is it a parameter, or does the step leave it as it is?"""
    trains = layout.wiring.variables(bias).intersection(layout.moved)
    return bias in layout.weights.values() or not (trains or bias in features)


def _forms(layout: Layout, z: int) -> Iterator[tuple[bool, Bindings]]:
    """As a layer of what train takes where that goes right into it, else of any features."""
    for known in ({"x": layout.x}, {}):
        for of_rows, form in _LAYERS:
            found = Matcher(layout.step.graph).match({z: form}, known)
            if found is not None:
                yield of_rows, found


def _with_gradients(layout: Layout, layer: LastLayer) -> LastLayer | None:
    graph, tensors, rest = layout.step.graph, {**layer.tensors}, dict[str, tuple[int, ...]]()
    seen = layout.wiring.after({layout.x, layout.y})
    found: Bindings | None = {"x": tensors["x"]}
    for letter, forms in (("W", _OF_WEIGHTS[layer.of_rows]), ("b", _OF_BIAS)):
        if letter not in layer.names:
            continue
        tensors[f"g_{letter}"] = gradient = layout.gradients[layer.names[letter]]
        parts = added(graph, gradient)
        found = _matched(graph, parts, forms, found)
        if found is None:
            return None
        rest[f"r_{letter}"] = others = tuple(t for t in parts if t != found["part"])
        if seen.intersection(others):  # another use of these weights
            return None
        found = {k: v for k, v in found.items() if k != "part"}
    share = float(found.get("1 / B", 0))
    tensors |= {k: found[k] for k in ("d", "e") if k in found}
    return LastLayer(
        tensors, layer.names, layer.of_rows, 1 / share if share else None, {k: v for k, v in rest.items() if v}
    )


def _matched(graph: Subgraph, parts: list[int], forms: tuple[Pattern, ...], known: Bindings) -> Bindings | None:
    """The part that has one of the forms, as ``part``, with its bindings."""
    for part in parts:
        for form in forms:
            found = Matcher(graph).match({part: form}, known)
            if found is not None:
                return {**found, "part": part}
    return None


def nearest_layer(layout: Layout, z: int) -> LastLayer | None:
    """The parameters that are used last in front of the scores: weights, and behind them a bias where one trains."""
    made = layout.wiring.behind(z)
    used = dict[str, int]()
    trained = {t: name for name, t in layout.weights.items() if name in layout.gradients}
    for number, o in enumerate(layout.step.graph.operators):
        if not made.isdisjoint(o.outputs):
            used |= {trained[i]: number for i in o.inputs if i in trained}
    tensors = layout.step.graph.tensors
    order = sorted(used, key=lambda name: (used[name], len(tensors[layout.weights[name]].shape)))
    matrices = [n for n in order if len(tensors[layout.weights[n]].shape) > 1]
    if not order:
        return None
    names = {"W": (matrices or order)[-1]}
    biases = [n for n in order if used[n] >= used[names["W"]] and n != names["W"]]
    names |= {"b": biases[-1]} if biases else {}
    places = {k: layout.weights[n] for k, n in names.items()}
    return LastLayer(places | {f"g_{k}": layout.gradients[n] for k, n in names.items()}, names)
