"""By which rule a graph's new parameters come of the old ones and their gradients: SGD, its momenta, Adam, RMSprop.

As this project's converter writes it, and where TensorFlow's writes another form of the same, that too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from tflite_transfer.reference.matching import (
    Anything,
    Bindings,
    Call,
    Either,
    Integers,
    Matcher,
    Pattern,
    Reshaped,
    Scalar,
    op,
)
from tflite_transfer.reference.optimizers import (
    SGD,
    Adam,
    AdamW,
    KerasAdam,
    Momentum,
    Nesterov,
    RMSprop,
    RMSpropMomentum,
    Rule,
)
from tflite_transfer.reference.tflite.graph import Subgraph


def match_update(graph: Subgraph, new: Sequence[int], known: Bindings, parameters: int) -> Bindings | None:
    """How so many new parameters, and where they are given new m, v and step too, come of the old ones.

    Bindings of ``w0 g0 m0 v0 w1 ... t``, by the parameters' order, and of the rule's constants; or None. Those that are
    known already must be these tensors. A momentum's velocities are v, RMSprop's sums of moves m; where only
    new parameters are given, m and v can be any tensors.
    """
    for rule in (_sgd, _adam, _nesterov, _momentum, _keras_adam, _adamw, _rmsprop, _rmsprop_momentum):
        patterns = tuple(rule(parameters))
        if len(new) <= len(patterns):
            found = Matcher(graph).match(dict(zip(new, patterns, strict=False)), known)
            if found is not None:
                return found
    return None


_MEANS = ("lr", "b1", "b2", "1 - b1", "1 - b2")
_SQUARES = ("lr", "rho", "1 - rho", "eps in root")
_CONSTANTS: Mapping[type[Rule], tuple[str, ...]] = {  # those of a rule that has more before those of one with less
    AdamW: (*_MEANS, "eps hat", "decay"), KerasAdam: (*_MEANS, "eps hat"), Adam: (*_MEANS, "eps"),
    RMSpropMomentum: (*_SQUARES, "kept"), RMSprop: _SQUARES,
    Nesterov: ("lr", "nesterov"), Momentum: ("lr", "momentum"), SGD: ("lr",),
}  # fmt: skip


def rule_of(found: Bindings) -> Rule:
    """The rule whose constants were found."""
    rule, names = next((rule, names) for rule, names in _CONSTANTS.items() if all(k in found for k in names))
    return rule(*(np.float32(found[k]) for k in names))


def _sgd(n: int) -> Iterator[Pattern]:
    """New parameters."""
    return (op("SUB", Anything(f"w{i}"), Reshaped(_move(i))) for i in range(n))


def _move(i: int) -> Call:
    return op("MUL", Anything(f"g{i}"), Scalar("lr"))


def _momentum(n: int) -> Iterator[Pattern]:
    """New parameters, new velocities."""
    v = [_velocity(i, Anything(f"v{i}"), "momentum") for i in range(n)]
    yield from (op("ADD", Anything(f"w{i}"), v[i]) for i in range(n))
    yield from v


def _nesterov(n: int) -> Iterator[Pattern]:
    """The same, where the parameters take the velocity's next change too."""
    v = [_velocity(i, Anything(f"v{i}"), "nesterov") for i in range(n)]
    yield from (op("ADD", Anything(f"w{i}"), _velocity(i, v[i], "nesterov")) for i in range(n))
    yield from v


def _velocity(i: int, before: Pattern, kept: str) -> Pattern:
    slowed, back = op("MUL", before, Scalar(kept)), op("MUL", op("NEG", Anything(f"g{i}")), Scalar("lr"))
    return Either((op("SUB", slowed, _move(i)), op("ADD", back, slowed)))


def _corrections() -> tuple[Pattern, list[Call]]:
    """The next step, which TensorFlow counts in integers, and what Adam's means lack at it."""
    one = Scalar("1", 1.0)
    counted = op("CAST", op("ADD", Anything("t"), Integers((1,))))
    step = Either((op("ADD", Anything("t"), one), counted))
    return step, [op("SUB", one, op("POW", Scalar(b), step)) for b in ("b1", "b2")]


def _adam(n: int) -> Iterator[Pattern]:
    """The outputs of Adam over n parameters, in the file's order: new parameters, new m, new v, step + 1."""
    g = [Anything(f"g{i}") for i in range(n)]
    step, corrections = _corrections()
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


def _keras_adam(n: int) -> Iterator[Pattern]:
    """The same, as Keras writes it: the corrections are within the rate."""
    return _keras_forms(n, [Anything(f"w{i}") for i in range(n)])


def _adamw(n: int) -> Iterator[Pattern]:
    """The same of parameters that were made smaller."""
    shrink = op("MUL", Scalar("lr"), Scalar("decay"))
    weights = [Anything(f"w{i}") for i in range(n)]
    return _keras_forms(n, [op("SUB", w, op("MUL", w, shrink)) for w in weights])


def _keras_forms(n: int, weights: Sequence[Pattern]) -> Iterator[Pattern]:
    step, (correction1, correction2) = _corrections()
    rate = op("DIV", op("MUL", Scalar("lr"), op("SQRT", correction2)), correction1)
    means = [_nearer(f"m{i}", Anything(f"g{i}"), "1 - b1") for i in range(n)]
    squares = [_nearer(f"v{i}", op("SQUARE", Anything(f"g{i}")), "1 - b2") for i in range(n)]
    for i in range(n):
        move = op("DIV", op("MUL", means[i], rate), op("ADD", op("SQRT", squares[i]), Scalar("eps hat")))
        yield op("SUB", weights[i], move)
    yield from (*means, *squares, step)


def _nearer(mean: str, fresh: Pattern, share: str) -> Call:
    return op("ADD", Anything(mean), op("MUL", op("SUB", fresh, Anything(mean)), Scalar(share)))


def _rmsprop(n: int) -> Iterator[Pattern]:
    """New parameters, new v."""
    squares, moves = _rmsprop_moves(n)
    yield from (op("SUB", Anything(f"w{i}"), moves[i]) for i in range(n))
    yield from squares


def _rmsprop_momentum(n: int) -> Iterator[Pattern]:
    """New parameters, new v, new m."""
    squares, moves = _rmsprop_moves(n)
    means = [op("ADD", op("MUL", Anything(f"m{i}"), Scalar("kept")), moves[i]) for i in range(n)]
    yield from (op("SUB", Anything(f"w{i}"), means[i]) for i in range(n))
    yield from (*squares, *means)


def _rmsprop_moves(n: int) -> tuple[list[Call], list[Either]]:
    """New v, and what each gradient alone moves its parameter by."""
    fresh = [op("MUL", op("SQUARE", Anything(f"g{i}")), Scalar("1 - rho")) for i in range(n)]
    squares = [op("ADD", op("MUL", Anything(f"v{i}"), Scalar("rho")), fresh[i]) for i in range(n)]
    sizes = [op("ADD", v, Scalar("eps in root")) for v in squares]
    forms = ((op("DIV", _move(i), op("SQRT", sizes[i])), op("MUL", _move(i), op("RSQRT", sizes[i]))) for i in range(n))
    return squares, [Either(two) for two in forms]
