"""What training graphs compute, read off them: a softmax head or a network's last layer, and the optimizer.

Both the five files that this project writes and those of the original TensorFlow converter are recognised; anything
else is left to the interpreter. x bottleneck, y labels, in the positions that the files' contract fixes. Of a network
in one file the last layer is found from its loss and labels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
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
_LOGITS_OF_ROWS = op("ADD", op("BATCH_MATMUL", _X, _WS, adj_x=0, adj_y=1), _BS)  # weights (C, F), as in dense layers
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
_OF_ROWS = _Form(
    _loss(_LOGITS_OF_ROWS),
    op("BATCH_MATMUL", _mean_error(_LOGITS_OF_ROWS), _X, adj_x=1, adj_y=0),
    op("SUM", _mean_error(_LOGITS_OF_ROWS), Integers((0,)), keep_dims=0),
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


@dataclass(frozen=True)
class LastLayer:
    """A network's last dense layer in front of softmax and cross-entropy: its tensors.

    ``of_rows``: weights are (C, F), not (F, C). ``penalty`` is what regularisers add to the loss, where they do and it
    is not the L2 of these weights alone.
    """

    y: int
    x: int
    ws: int
    bs: int
    of_rows: bool
    penalty: int | None

    def l2(self, graph: Subgraph, grad_ws: int, grad_bs: int) -> float | None:
        """The factor of L2 in the gradients, 0 without; None where they are not the cross-entropy's."""
        form = _OF_ROWS if self.of_rows else _OURS
        known: Bindings = {"y": self.y, "x": self.x, "ws": self.ws, "bs": self.bs}
        for pattern in (form.grad_ws, _decayed(form.grad_ws)):
            found = Matcher(graph).match({grad_ws: pattern, grad_bs: form.grad_bs}, known)
            if found is not None:
                return float(found.get("2 l2", 0)) / 2
        return None


def recognize_last_layer(graph: Subgraph, loss: int, known: Mapping[str, int]) -> LastLayer | None:
    """The dense layer that the loss is the softmax cross-entropy of. ``known``: the tensors of y, of x too, or of y."""
    for form in (_OURS, _OF_ROWS):
        for pattern in (form.loss, form.decayed_loss, op("ADD", form.loss, Anything("penalty"))):
            found = Matcher(graph).match({loss: pattern}, known)
            if found is not None:
                y, x, ws, bs = (found[k] for k in ("y", "x", "ws", "bs"))
                return LastLayer(y, x, ws, bs, form is _OF_ROWS, found.get("penalty"))
    return None


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
