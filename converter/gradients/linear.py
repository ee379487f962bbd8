"""Gradients of products of matrices."""

from __future__ import annotations

from tflite_transfer.converter.expressions import Expression, matmul, reshape, reshape_like, sum_to, total
from tflite_transfer.converter.gradients.rule import Call, Pulled


def batch_matmul(call: Call, dy: Expression) -> Pulled:
    """``y = A B``: ``dA = dy Bᵀ``, ``dB = Aᵀ dy``; where a factor was transposed first, so is its gradient."""
    a, b = call.operands
    ta, tb = bool(call.options.get("adj_x")), bool(call.options.get("adj_y"))

    def left() -> Expression:
        da = matmul(b, dy, adj_x=tb, adj_y=True) if ta else matmul(dy, b, adj_y=not tb)
        return sum_to(da, a.shape)

    def right() -> Expression:
        if len(b.shape) == 2 and not ta:  # one matrix for all examples: one product, instead of one each and a sum
            rows, given = reshape(a, (-1, a.shape[-1])), reshape(dy, (-1, dy.shape[-1]))
            return matmul(given, rows, adj_x=True) if tb else matmul(rows, given, adj_x=True)
        db = matmul(dy, a, adj_x=True, adj_y=ta) if tb else matmul(a, dy, adj_x=not ta)
        return sum_to(db, b.shape)

    return left, right


def fully_connected(call: Call, dy: Expression) -> Pulled:
    """``y = x Wᵀ + b``: ``dx = dy W``, ``dW = dyᵀ x``, ``db = Σ dy``. (B, F), (O, F), (O,)."""
    x, weights = call.operands[0], call.operands[1]
    outputs, features = weights.shape
    rows = reshape(dy, (-1, outputs))
    return (
        lambda: reshape_like(matmul(rows, weights), x),
        lambda: matmul(rows, reshape(x, (-1, features)), adj_x=True),
        lambda: total(rows, [0]),
    )
