"""Losses as formulas, each with its gradient for the prediction: Keras' definitions, from logits where there are any.

B examples, C classes. A loss is the mean over all that is predicted: examples, and for pixels or words those too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tflite_transfer.converter.expressions import (
    Expression,
    Operand,
    absolute,
    count,
    exp,
    log,
    log_softmax,
    logistic,
    maximum,
    mean,
    sign,
    softmax,
    square,
    total,
)

# (prediction, labels) -> loss (), gradient for the prediction
Formula = Callable[[Expression, Expression], tuple[Expression, Expression]]


@dataclass(frozen=True)
class Loss:
    """``formula`` takes ``activation``'s input where there is one (logits), else the prediction itself.

    ``sparse``: labels are class numbers, int32 without the last axis; else float32 in the prediction's shape.
    """

    formula: Formula
    activation: str | None = None  # the operator that makes probabilities of logits
    sparse: bool = False


def _all(x: Expression) -> range:
    return range(len(x.shape))


def _share(x: Expression, n: Operand) -> Expression:
    return x * (1 / n) if isinstance(n, float) else x / n


def categorical(z: Expression, y: Expression) -> tuple[Expression, Expression]:
    """``mean -Σ y log softmax(z)`` over one-hot y (B, C); ``dz = (softmax(z) - y) / B``."""
    rows = _all(z)[:-1]
    terms = y * log_softmax(z).named("log_probabilities")
    each = -total(terms, [-1]).named("loss/likelihood")
    error = softmax(z).named("probabilities") - y
    return mean(each, rows), _share(error.named("error"), count(y, rows))


def sparse_categorical(z: Expression, y: Expression) -> tuple[Expression, Expression]:
    """``categorical`` of class numbers y (B,)."""
    depth, on, off = z.graph.literal(z.shape[-1], "INT32"), z.like(1.0), z.like(0.0)
    return categorical(z, z.graph.write("ONE_HOT", [y, depth, on, off], z.shape, axis=-1))


def binary(z: Expression, y: Expression) -> tuple[Expression, Expression]:
    """``mean max(z, 0) - z y + log(1 + e^-|z|)``, y from 0 to 1; ``dz = (1 / (1 + e^-z) - y) / n``."""
    each = maximum(z, 0.0) - z * y + log(1.0 + exp(-absolute(z)))
    return mean(each, _all(z)), _share(logistic(z) - y, count(z, _all(z)))


def squared(p: Expression, y: Expression) -> tuple[Expression, Expression]:
    """``mean (p - y)²``; ``dp = 2 (p - y) / n``."""
    return mean(square(p - y), _all(p)), _share(2.0 * (p - y), count(p, _all(p)))


def absolute_(p: Expression, y: Expression) -> tuple[Expression, Expression]:
    """``mean |p - y|``; ``dp = sign(p - y) / n``."""
    return mean(absolute(p - y), _all(p)), _share(sign(p - y), count(p, _all(p)))


LOSSES: Mapping[str, Loss] = {
    "categorical_crossentropy": Loss(categorical, "SOFTMAX"),
    "sparse_categorical_crossentropy": Loss(sparse_categorical, "SOFTMAX", sparse=True),
    "binary_crossentropy": Loss(binary, "LOGISTIC"),
    "mean_squared_error": Loss(squared),
    "mean_absolute_error": Loss(absolute_),
}
