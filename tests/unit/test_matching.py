"""Recognition: what is recognised computes what was recognised, and the smallest change in a graph is noticed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from tflite_transfer.converter import head as heads
from tflite_transfer.converter.training import optimizers
from tflite_transfer.reference import head
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.matching import Matcher
from tflite_transfer.reference.optimizers import SGD, Adam, AdamState, adam, sgd
from tflite_transfer.reference.recognize import SoftmaxHead, recognize_head, recognize_inference, recognize_optimizer
from tflite_transfer.reference.tflite import Model, Subgraph, Tensor, read
from tflite_transfer.reference.tflite.builder import GraphBuilder
from tflite_transfer.reference.tflite.schema import tables

GOLDEN = Path(__file__).parents[1] / "golden"
F = np.float32
FIFTH = 1 / float(F(0.2))  # the original converter multiplies by 1 / 5 in float32
Arrays = list[np.ndarray[Any, Any]]
N = 4  # examples, features, classes: all the same, so that most wrong graphs run too
PARAMETERS = {"ws": (N, N), "bs": (N,)}
optimizer = partial(recognize_optimizer, parameters=2)


def upstream(optimizer: str, role: str) -> Subgraph:
    return read(GOLDEN / f"upstream_{optimizer}" / f"{role}.tflite").main


def ours(g: GraphBuilder) -> Subgraph:
    return g.model("run").main


MOMENTS = ours(optimizers.optimizer_graph(optimizers.Adam(0.03, 0.8, 0.9, 1e-3), PARAMETERS))
ONE_RATE = ours(optimizers.optimizer_graph(optimizers.SGD(0.1), PARAMETERS))
HEAD, HEAD_L2 = (ours(heads.softmax_head((N,), N, N, l2).train_head()) for l2 in (None, 0.3))


def gradients(rule: SoftmaxHead, given: Arrays) -> Arrays:
    x, y, ws, bs = given
    return list(head.gradients(x.reshape(len(x), -1), y, ws, bs, l2=rule.l2, divisor=rule.divisor))


def probabilities(_: bool, given: Arrays) -> Arrays:
    x, ws, bs = given
    return [head.predict(x.reshape(len(x), -1), ws, bs)]


def updated(rule: SGD | Adam, given: Arrays) -> Arrays:
    w, g, m, v = (dict(enumerate(given[n : n + 2])) for n in (0, 2, 4, 6))
    if isinstance(rule, SGD):
        return list(sgd(w, g, rule).values())
    new, state = adam(w, g, AdamState(m, v, np.float32(given[8])), rule)
    return [*new.values(), *state.mean.values(), *state.square.values(), state.step]


class Known(NamedTuple):
    """A graph, what recognises it, what it is, and what that computes."""

    graph: Subgraph
    recognize: Callable[[Subgraph], Any]
    rule: Any
    compute: Callable[[Any, Arrays], Arrays]


KNOWN = {
    "upstream inference": Known(upstream("sgd", "inference"), recognize_inference, True, probabilities),
    "upstream head": Known(upstream("sgd", "train_head"), recognize_head, SoftmaxHead(None, FIFTH), gradients),
    "upstream head l2": Known(
        upstream("sgd_l2", "train_head"), recognize_head, SoftmaxHead(float(F(0.01)), FIFTH), gradients
    ),
    "upstream sgd": Known(upstream("sgd", "optimizer"), optimizer, SGD(F(0.03)), updated),
    "upstream adam": Known(
        upstream("adam", "optimizer"), optimizer, Adam(F(1e-3), F(0.9), F(0.999), F(0.1), F(1e-3), F(1e-8)), updated
    ),
    "inference": Known(ours(heads.softmax_head((2, 2), N, N).inference()), recognize_inference, True, probabilities),
    "head": Known(HEAD, recognize_head, SoftmaxHead(None, None), gradients),
    "head l2": Known(HEAD_L2, recognize_head, SoftmaxHead(float(F(0.3)), None), gradients),
    "head of a bottleneck (2, 2)": Known(
        ours(heads.softmax_head((2, 2), N, N).train_head()), recognize_head, SoftmaxHead(None, None), gradients
    ),
    "sgd": Known(ONE_RATE, optimizer, SGD(F(0.1)), updated),
    "adam": Known(MOMENTS, optimizer, Adam(F(0.03), F(0.8), F(0.9), F(1 - 0.8), F(1 - 0.9), F(1e-3)), updated),
}


@pytest.mark.parametrize("known", KNOWN.values(), ids=KNOWN)
def test_what_the_converters_write_is_recognised_with_its_constants(known):
    assert known.recognize(known.graph) == known.rule


def computed(graph: Subgraph) -> tuple[Arrays, Arrays]:
    """Inputs, drawn from a seed, and outputs. The step counts from 0, and v is not negative."""
    rng = np.random.default_rng(0)
    given = [rng.random(graph.tensors[i].shape).astype(F) for i in graph.inputs]
    if len(given) == 9:
        given[8] = np.array(3, F)
    names = [graph.tensors[i].name for i in graph.inputs]
    found = Interpreter(Model((graph,)), jit=False).run(None, **dict(zip(names, given, strict=True)))
    return given, [found[graph.tensors[i].name] for i in graph.outputs]


def is_what_it_was_taken_for(known: Known, graph: Subgraph) -> bool:
    """Not recognised, or computes what it was recognised as."""
    rule = known.recognize(graph)
    if not rule:
        return True
    given, found = computed(graph)
    with np.errstate(invalid="ignore"):  # a beta above 1
        expected = known.compute(rule, given)
    pairs = zip(found, expected, strict=True)
    return all(np.allclose(a, b, rtol=1e-5, atol=1e-6, equal_nan=True) for a, b in pairs)  # 3.5e-6


def changed(graph: Subgraph, number: int, **fields: Any) -> Subgraph:
    operators = list(graph.operators)
    operators[number] = replace(operators[number], **fields)
    return replace(graph, operators=tuple(operators))


def rewired(graph: Subgraph, number: int, position: int, tensor: int) -> Subgraph:
    inputs = list(graph.operators[number].inputs)
    inputs[position] = tensor
    return changed(graph, number, inputs=tuple(inputs))


def with_constant(graph: Subgraph, number: int, position: int, value: Any) -> Subgraph:
    """With a constant of its own for one input of one operator."""
    old = graph.tensors[graph.operators[number].inputs[position]]
    data = np.broadcast_to(np.asarray(value, old.data.dtype if old.data is not None else F), old.shape)
    tensors = (*graph.tensors, Tensor("changed", data.shape, old.type, data))
    return rewired(replace(graph, tensors=tensors), number, position, len(graph.tensors))


def changes(graph: Subgraph) -> Iterator[Subgraph]:
    """Every change of one operator, of one wire, of one constant, of the order of outputs."""
    for n, operator in enumerate(graph.operators):
        yield changed(graph, n, opcode="ABS" if len(operator.inputs) == 1 else "MAXIMUM")
        for option in (f for f in tables().get(operator.options_table, ()) if f.type in ("bool", "byte")):
            if option.name not in ("pot_scale_int16", "asymmetric_quantize_inputs", "in_data_type"):
                flipped = {**operator.options, option.name: 0 if operator.options.get(option.name) else 1}
                yield changed(graph, n, options=flipped)
        yield changed(graph, n, inputs=operator.inputs[::-1])
        for position, tensor in enumerate(operator.inputs):
            old = graph.tensors[tensor]
            yield from (rewired(graph, n, position, i) for i in graph.inputs if graph.tensors[i].shape == old.shape)
            if old.data is not None and operator.opcode != "RESHAPE":  # only one target fits the product behind it
                yield from (with_constant(graph, n, position, old.data + k) for k in (1, -1))
    for n, old in enumerate(graph.tensors):  # a constant, wherever it stands
        if old.data is not None and not any(o.opcode == "RESHAPE" and n in o.inputs for o in graph.operators):
            yield replace(graph, tensors=(*graph.tensors[:n], replace(old, data=old.data + 1), *graph.tensors[n + 1 :]))
    for i, j in zip(graph.outputs, graph.outputs[1:], strict=False):
        swapped = {i: j, j: i}
        yield replace(graph, outputs=tuple(swapped.get(k, k) for k in graph.outputs))


@pytest.mark.parametrize("known", KNOWN.values(), ids=KNOWN)
def test_whatever_is_recognised_computes_that(known):
    """Of each graph's 14 to 320 changes, 64 to 88 % make another graph; the others only another order or constant."""
    every = list(changes(known.graph))
    assert [n for n, graph in enumerate(every) if not is_what_it_was_taken_for(known, graph)] == []
    assert sum(not known.recognize(graph) for graph in every) > 0.6 * len(every) > 5


def writes(graph: Subgraph, name: str) -> int:
    """The operator that writes the tensor of that name."""
    return next(n for n, o in enumerate(graph.operators) if graph.tensors[o.outputs[0]].name == name)


def with_epsilon_inside(graph: Subgraph) -> Subgraph:
    """``sqrt(v_hat + eps)`` for ws."""
    root, scale = writes(graph, "v_ws/root"), writes(graph, "ws/scale")
    epsilon, hat, inside = (
        graph.operators[scale].inputs[1],
        graph.operators[root].inputs[0],
        graph.operators[root].outputs,
    )
    return changed(changed(graph, root, opcode="ADD", inputs=(hat, epsilon)), scale, opcode="SQRT", inputs=inside)


def with_inputs_swapped(graph: Subgraph, i: int, j: int) -> Subgraph:
    swapped = {graph.inputs[i]: graph.inputs[j], graph.inputs[j]: graph.inputs[i]}
    return replace(graph, inputs=tuple(swapped.get(k, k) for k in graph.inputs))


def with_options(graph: Subgraph, name: str, **options: Any) -> Subgraph:
    n = writes(graph, name)
    return changed(graph, n, options={**graph.operators[n].options, **options})


def reversed_inputs(graph: Subgraph, name: str) -> Subgraph:
    return changed(graph, writes(graph, name), inputs=graph.operators[writes(graph, name)].inputs[::-1])


def constant_of(graph: Subgraph, name: str, position: int, value: float) -> Subgraph:
    return with_constant(graph, writes(graph, name), position, value)


@pytest.mark.parametrize(
    "graph",
    [
        pytest.param(constant_of(ONE_RATE, "bs/move", 1, 0.2), id="sgd: another rate for bs"),
        pytest.param(constant_of(MOMENTS, "bs/rate", 1, 0.2), id="adam: another rate for bs"),
        pytest.param(constant_of(MOMENTS, "new_step", 1, 2), id="adam: a step of 2"),
        pytest.param(constant_of(MOMENTS, "v_bs/kept", 1, 0.8), id="adam: another beta2 for bs"),
        pytest.param(constant_of(MOMENTS, "beta1^step", 0, 0.9), id="adam: corrected by another beta1"),
        pytest.param(with_epsilon_inside(MOMENTS), id="adam: epsilon inside the root"),
        pytest.param(with_inputs_swapped(MOMENTS, 4, 6), id="adam: m and v of ws swapped"),
        pytest.param(reversed_inputs(MOMENTS, "new_ws"), id="adam: the move minus the parameter"),
        pytest.param(with_options(ONE_RATE, "new_ws", fused_activation_function=1), id="sgd: parameters above 0"),
    ],
)
def test_another_rule_is_no_optimizer_that_is_known(graph):
    assert optimizer(graph) is None


@pytest.mark.parametrize(
    "graph",
    [
        pytest.param(reversed_inputs(HEAD, "error"), id="labels minus probabilities"),
        pytest.param(with_options(HEAD, "grad_ws", adj_x=False), id="gradient: x not transposed"),
        pytest.param(with_options(HEAD, "product", adj_y=True), id="logits: ws transposed"),
        pytest.param(with_options(HEAD, "logits", fused_activation_function=1), id="logits above 0"),
        pytest.param(with_options(HEAD, "probabilities", beta=2.0), id="beta 2"),
        pytest.param(with_options(HEAD, "grad_bs", keep_dims=True), id="grad_bs of shape (1, C)"),
        pytest.param(constant_of(HEAD, "loss/gather", 1, 1), id="divided by the classes"),
        pytest.param(constant_of(HEAD, "loss/likelihood", 1, 0), id="loss: sum over examples"),
        pytest.param(constant_of(HEAD_L2, "gradient/l2/square/mul", 0, 0.3), id="l2 ws instead of 2 l2 ws"),
        pytest.param(constant_of(HEAD_L2, "l2/penalty", 1, 0.15), id="half of l2 in the loss"),
        pytest.param(with_inputs_swapped(HEAD, 0, 1), id="x and labels swapped"),
    ],
)
def test_another_head_is_not_taken_for_softmax(graph):
    assert recognize_head(graph) is None


def test_an_unknown_rule_of_many_parameters_is_refused_at_once(monkeypatch: pytest.MonkeyPatch):
    """Trying both orders of g * g would double the work with each parameter: 12 of them took 1.2 s, and now 2 ms."""
    tried = []
    real = Matcher._match_call

    def counted(self: Matcher, *arguments: Any) -> Any:
        tried.append(1)
        return real(self, *arguments)

    monkeypatch.setattr(Matcher, "_match_call", counted)
    graph = ours(optimizers.optimizer_graph(optimizers.Adam(), {f"w{n}": (3,) for n in range(12)}))
    assert recognize_optimizer(constant_of(graph, "v_w11/kept", 1, 0.5), 12) is None
    assert len(tried) < 2000  # seen: 321, and 114,657 with both orders
