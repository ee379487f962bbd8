"""Every tensor that a model's main graph makes, ours beside LiteRT's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
from ai_edge_litert.interpreter import Interpreter as LiteRT

from tests.parity.operator_table import difference
from tests.parity.operators import RESOLVERS, Array
from tflite_transfer.reference.binding import is_narrow, parameters
from tflite_transfer.reference.budget import Budget, Room
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.ops.table import TABLE
from tflite_transfer.reference.plan import Plan, plans
from tflite_transfer.reference.step import Step, execute
from tflite_transfer.reference.tflite.graph import Subgraph

Read = Callable[[int], Array]
SUMS = frozenset({"BATCH_MATMUL", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "MEAN", "SOFTMAX"})


class Pair(NamedTuple):
    """A tensor that an operator made: ours, LiteRT's, and ours ``alone``, made of LiteRT's own inputs.

    Nothing is alone where a loop runs or a state is kept. ``stored``: integers that stand for real numbers.
    """

    op: str
    stored: bool
    ours: Array
    theirs: Array
    alone: Array | None
    rounding: Array | None


def pairs(content: bytes, x: Array, resolver: str, *, jit: bool) -> Iterator[Pair]:
    """All tensors of the main graph that LiteRT keeps, in the order in which they are made."""
    interpreter = Interpreter(content, jit=jit)
    graph, ours = interpreter.graph, traced(interpreter, x)
    interpreter.forget()
    for i, y in zip(graph.outputs, interpreter.call(x), strict=True):
        np.testing.assert_array_equal(y, ours[i], "a run gives what a trace tells")
    lost, kept = unwritten(graph, resolver), tensors_of_litert(content, x, resolver)
    plan = plans(interpreter.model, Budget(), Room(Budget().bytes), jit=jit)[0]

    def theirs(i: int) -> Array:
        return ours[i] if i in lost else kept(i)

    for step in plan.every:
        inputs = [None if i < 0 else plan.fixed[i] if i in plan.fixed else theirs(i) for i in step.inputs]
        with np.errstate(all="ignore"):  # as in a run
            alone = None if step.impure else execute(step, inputs, "")
        for n, i in enumerate(step.operator.outputs):
            if i not in lost:
                made = None if alone is None else alone[n]
                stored = is_narrow(graph.tensors[i])
                yield Pair(step.operator.name, stored, ours[i], kept(i), made, rounding(step, plan, inputs))


def traced(interpreter: Interpreter, x: Array) -> dict[int, Array]:
    """Our tensors of the main graph, by number."""
    graph = interpreter.graph
    ours = {graph.inputs[0]: x}
    for executed in interpreter.trace(**{graph.tensors[graph.inputs[0]].name: x}):
        if executed.subgraph == 0:
            ours.update(zip(graph.operators[executed.number].outputs, executed.outputs.values(), strict=True))
    return ours


def tensors_of_litert(content: bytes, x: Array, resolver: str) -> Read:
    """What LiteRT leaves in each tensor of the main graph."""
    interpreter = LiteRT(
        model_content=content,
        experimental_op_resolver_type=RESOLVERS[resolver],
        experimental_preserve_all_tensors=True,
        num_threads=1,
    )
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    return interpreter.get_tensor


def unwritten(graph: Subgraph, resolver: str) -> set[int]:
    """What LiteRT does not keep: what nothing reads, and float16 constants where XNNPACK itself widens them."""
    read = {*graph.outputs, *(i for o in graph.operators for i in o.inputs)}
    lost = {i for o in graph.operators for i in o.outputs} - read
    for o in graph.operators:
        if resolver == "default" and o.opcode == "DEQUANTIZE" and graph.tensors[o.inputs[0]].type == "FLOAT16":
            lost.update(o.outputs)
    return lost


def rounding(step: Step, plan: Plan, inputs: list[Array | None]) -> Array | None:
    """Where weights alone are int8, LiteRT rounds x to 8 bits too: to within half a step of ``max|x| / 127``.

    So a sum is off by at most ``max|x| / 254 sum|w|``: the operator itself, on such an x and such weights.
    """
    opcode = step.operator.opcode
    if opcode not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED") or step.inputs[1] < len(plan.graph.tensors):
        return None
    x, weights = inputs[:2]
    assert x is not None
    assert weights is not None
    options = {k: v for k, v in step.options.items() if k in parameters(TABLE[opcode])}
    return TABLE[opcode](np.full_like(x, np.abs(x).max() / 254), np.abs(weights), **options)


def apart(pair: Pair, ours: Array) -> float:
    """In steps of stored integers, or in units of 2^-24 of the largest value; other integers must be equal."""
    theirs = pair.theirs
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype), pair.op
    if ours.dtype.kind in "fc":
        assert np.isfinite(ours).all(), pair.op
        assert np.isfinite(theirs).all(), pair.op
    elif not pair.stored:
        return 0.0 if np.array_equal(ours, theirs) else np.inf
    return difference(ours, theirs)


Largest = tuple[float, str]  # a difference, and the operator that made it


class Worst(NamedTuple):
    """The largest differences among a model's tensors."""

    run: Largest = (0.0, "")  # of a whole run: of stored integers, in a model that computes with these; else of floats
    sums: Largest = (0.0, "")  # of operators alone: of floats that are sums of many
    floats: Largest = (0.0, "")  # other floats
    stored: Largest = (0.0, "")
    rounded: Largest = (0.0, "")  # as a share of what rounding allows
    values: float = np.inf  # not a difference: how many a tensor of stored integers has, of more than eight


def first_of(differences: Iterable[Largest]) -> Largest:
    """The largest of them, and the first that is as large."""
    return max(differences, key=lambda d: d[0])


def worst(found: list[Pair], *, integers: bool) -> Worst:
    """``integers``: does the model compute with stored integers?"""
    seen: dict[str, list[Largest]] = {}

    def see(name: str, value: float, pair: Pair) -> None:
        seen.setdefault(name, []).append((value, pair.op))

    for pair in found:
        if pair.ours.dtype.kind not in "fc" if integers else not pair.stored:
            see("run", apart(pair, pair.ours), pair)
        if pair.alone is not None and pair.rounding is not None:
            assert (pair.rounding > 0).all(), pair.op
            see("rounded", float((np.abs(pair.alone - pair.theirs) / pair.rounding).max()), pair)
        elif pair.alone is not None:
            see("stored" if pair.stored else "sums" if pair.op in SUMS else "floats", apart(pair, pair.alone), pair)
    values = (len(np.unique(p.ours)) for p in found if p.stored and p.ours.size > 8)
    return Worst(**{name: first_of(d) for name, d in seen.items()}, values=min(values, default=np.inf))
