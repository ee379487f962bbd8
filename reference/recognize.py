"""What training graphs compute, read off them: a softmax head, and the optimizer.

Both the five files that this project writes and those of the original TensorFlow converter are recognised; anything
else is left to the interpreter. x bottleneck, y labels, in the positions that the files' contract fixes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tflite_transfer.reference.matching import (
    Anything,
    Bindings,
    Call,
    Integers,
    Matcher,
    Reshaped,
    Scalar,
    op,
)
from tflite_transfer.reference.optimizers import SGD, Adam
from tflite_transfer.reference.recognize_update import match_update, rule_of
from tflite_transfer.reference.tflite.graph import Subgraph


@dataclass(frozen=True)
class SoftmaxHead:
    """A recognised head. ``divisor`` is the batch that a file of the original converter has baked in."""

    l2: float | None
    divisor: float | None


_X, _Y, _WS, _BS = Reshaped(Anything("x")), Anything("y"), Anything("ws"), Anything("bs")
_LOGITS = op("ADD", op("BATCH_MATMUL", _X, _WS, adj_x=0, adj_y=0), _BS)
_EXAMPLES = op("CAST", op("GATHER", op("SHAPE", _Y), Integers((0,)), axis=0))


def _probabilities(logits: Call) -> Call:
    return op("SOFTMAX", logits, beta=1.0)


def _error(logits: Call) -> Call:
    return op("SUB", _probabilities(logits), _Y)


def _mean_error(logits: Call) -> Call:
    return op("DIV", _error(logits), _EXAMPLES)


def _loss(logits: Call) -> Call:
    likelihood = op("SUM", op("MUL", _Y, op("LOG_SOFTMAX", logits)), Integers((1,)), keep_dims=0)
    return op("MEAN", op("NEG", likelihood), Integers((0,)), keep_dims=0)


def _decayed(gradient: Call) -> Call:
    return op("ADD", gradient, op("MUL", _WS, Scalar("2 l2")))


class _Form(NamedTuple):
    """How a converter writes the loss, the gradients, and the squares of the weights."""

    loss: Call
    grad_ws: Call
    grad_bs: Call
    squares: Call

    @property
    def decayed_loss(self) -> Call:
        """With L2 of the weights."""
        return op("ADD", self.loss, op("MUL", op("SUM", self.squares, Integers((0, 1)), keep_dims=0), Scalar("l2")))


_OURS = _Form(  # the true number of examples
    _loss(_LOGITS),
    op("BATCH_MATMUL", _X, _mean_error(_LOGITS), adj_x=1, adj_y=0),
    op("SUM", _mean_error(_LOGITS), Integers((0,)), keep_dims=0),
    op("SQUARE", _WS),
)
_UPSTREAM = _Form(  # the batch, baked in
    _loss(_LOGITS),
    op("MUL", op("BATCH_MATMUL", _X, _error(_LOGITS), adj_x=1, adj_y=0), Scalar("1 / B")),
    op("MEAN", _error(_LOGITS), Integers((0,)), keep_dims=0),
    op("MUL", _WS, _WS),
)


def recognize_inference(graph: Subgraph) -> bool:
    """Whether the graph is ``softmax(x ws + bs)``."""
    if len(graph.inputs) != 3 or len(graph.outputs) != 1:
        return False
    known: Bindings = dict(zip(("x", "ws", "bs"), graph.inputs, strict=True))
    return Matcher(graph).match({graph.outputs[0]: _probabilities(_LOGITS)}, known) is not None


def recognize_head(graph: Subgraph) -> SoftmaxHead | None:
    """The head of a train_head graph: cross-entropy of softmax, its gradients, with or without L2; or None."""
    if len(graph.inputs) != 4 or len(graph.outputs) != 3:
        return None
    known: Bindings = dict(zip(("x", "y", "ws", "bs"), graph.inputs, strict=True))
    for form in (_OURS, _UPSTREAM):
        for loss, grad_ws in ((form.loss, form.grad_ws), (form.decayed_loss, _decayed(form.grad_ws))):
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
    rule = None if found is None else rule_of(found)
    return rule if isinstance(rule, SGD | Adam) else None
