"""What the five files compute, read off their graphs: the softmax head with its constants, and the optimizer.

Both the files that this project writes and those of the original TensorFlow converter are recognised; anything else
is left to the interpreter. x bottleneck, y labels, in the positions that the files' contract fixes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

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
from tflite_transfer.reference.optimizers import SGD, Adam
from tflite_transfer.reference.tflite.graph import Subgraph


@dataclass(frozen=True)
class SoftmaxHead:
    """A recognised head. ``divisor`` is the batch that a file of the original converter has baked in."""

    l2: float | None
    divisor: float | None


_X, _Y, _WS, _BS = Reshaped(Anything("x")), Anything("y"), Anything("ws"), Anything("bs")
_LOGITS = op("ADD", op("BATCH_MATMUL", _X, _WS, adj_x=0, adj_y=0), _BS)
_PROBABILITIES = op("SOFTMAX", _LOGITS, beta=1.0)
_ERROR = op("SUB", _PROBABILITIES, _Y)
_EXAMPLES = op("CAST", op("GATHER", op("SHAPE", _Y), Integers((0,)), axis=0))
_LOSS = op(
    "MEAN",
    op("NEG", op("SUM", op("MUL", _Y, op("LOG_SOFTMAX", _LOGITS)), Integers((1,)), keep_dims=0)),
    Integers((0,)),
    keep_dims=0,
)
_MEAN_ERROR = op("DIV", _ERROR, _EXAMPLES)


def _decayed(gradient: Call) -> Call:
    return op("ADD", gradient, op("MUL", _WS, Scalar("2 l2")))


def _decayed_loss(squares: Call) -> Call:
    return op("ADD", _LOSS, op("MUL", op("SUM", squares, Integers((0, 1)), keep_dims=0), Scalar("l2")))


class _Form(NamedTuple):
    """How a converter writes the gradients, and the squares of the weights."""

    grad_ws: Call
    grad_bs: Call
    squares: Call


_FORMS = (
    _Form(  # ours: the true number of examples
        op("BATCH_MATMUL", _X, _MEAN_ERROR, adj_x=1, adj_y=0),
        op("SUM", _MEAN_ERROR, Integers((0,)), keep_dims=0),
        op("SQUARE", _WS),
    ),
    _Form(  # upstream's: the batch, baked in
        op("MUL", op("BATCH_MATMUL", _X, _ERROR, adj_x=1, adj_y=0), Scalar("1 / B")),
        op("MEAN", _ERROR, Integers((0,)), keep_dims=0),
        op("MUL", _WS, _WS),
    ),
)


def recognize_inference(graph: Subgraph) -> bool:
    """Whether the graph is ``softmax(x ws + bs)``."""
    if len(graph.inputs) != 3 or len(graph.outputs) != 1:
        return False
    known: Bindings = dict(zip(("x", "ws", "bs"), graph.inputs, strict=True))
    return Matcher(graph).match({graph.outputs[0]: _PROBABILITIES}, known) is not None


def recognize_head(graph: Subgraph) -> SoftmaxHead | None:
    """The head of a train_head graph: cross-entropy of softmax, its gradients, with or without L2; or None."""
    if len(graph.inputs) != 4 or len(graph.outputs) != 3:
        return None
    known: Bindings = dict(zip(("x", "y", "ws", "bs"), graph.inputs, strict=True))
    for form in _FORMS:
        for loss, grad_ws in ((_LOSS, form.grad_ws), (_decayed_loss(form.squares), _decayed(form.grad_ws))):
            patterns = dict(zip(graph.outputs, (loss, grad_ws, form.grad_bs), strict=True))
            found = Matcher(graph).match(patterns, known)
            if found is not None:
                return _head(found)
    return None


def _head(found: Bindings) -> SoftmaxHead | None:
    l2 = float(found["l2"]) if "l2" in found else None
    if l2 is not None and np.float32(2 * l2) != found["2 l2"]:
        return None
    share = float(found.get("1 / B", 1))
    if not 0 < share < math.inf:
        return None
    return SoftmaxHead(l2, 1 / share if "1 / B" in found else None)


def recognize_optimizer(graph: Subgraph, parameters: int) -> SGD | Adam | None:
    """The rule of an optimizer graph over so many parameters, the same for each; or None."""
    n = parameters
    if (len(graph.inputs), len(graph.outputs)) not in ((2 * n, n), (4 * n + 1, 3 * n + 1)):
        return None
    letters = "wg" if len(graph.outputs) == n else "wgmv"
    names = [f"{letter}{i}" for letter in letters for i in range(n)] + ["t"] * (len(letters) == 4)
    found = match_update(graph, graph.outputs, dict(zip(names, graph.inputs, strict=True)), n)
    return None if found is None else rule_of(found)


def match_update(graph: Subgraph, new: Sequence[int], known: Bindings, parameters: int) -> Bindings | None:
    """How so many new parameters, and where they are given new m, v and step too, come of the old ones.

    Bindings of ``w0 g0 m0 v0 w1 ... t``, by the parameters' order, and of the rule's constants; or None. Those that are
    known already must be these tensors.
    """
    moves = (op("SUB", Anything(f"w{i}"), op("MUL", Anything(f"g{i}"), Scalar("lr"))) for i in range(parameters))
    for patterns in (tuple(moves), tuple(_adam(parameters))):
        if len(new) <= len(patterns):
            found = Matcher(graph).match(dict(zip(new, patterns, strict=False)), known)
            if found is not None:
                return found
    return None


def rule_of(found: Bindings) -> SGD | Adam:
    """The rule whose constants were found."""
    if "b1" not in found:
        return SGD(np.float32(found["lr"]))
    return Adam(*(np.float32(found[k]) for k in ("lr", "b1", "b2", "1 - b1", "1 - b2", "eps")))


def _adam(n: int) -> Iterator[Pattern]:
    """The outputs of Adam over n parameters, in the file's order: new parameters, new m, new v, step + 1."""
    g = [Anything(f"g{i}") for i in range(n)]
    one = Scalar("1", 1.0)
    step = op("ADD", Anything("t"), one)
    corrections = [op("SUB", one, op("POW", Scalar(b), step)) for b in ("b1", "b2")]
    means = [op("ADD", op("MUL", g[i], Scalar("1 - b1")), op("MUL", Anything(f"m{i}"), Scalar("b1"))) for i in range(n)]
    squares = [
        op("ADD", op("MUL", op("MUL", g[i], g[i]), Scalar("1 - b2")), op("MUL", Anything(f"v{i}"), Scalar("b2")))
        for i in range(n)
    ]
    for i in range(n):
        rate = op("MUL", op("DIV", means[i], corrections[0]), Scalar("lr"))
        scale = op("ADD", op("SQRT", op("DIV", squares[i], corrections[1])), Scalar("eps"))
        yield op("SUB", Anything(f"w{i}"), op("DIV", rate, scale))
    yield from (*means, *squares, step)
