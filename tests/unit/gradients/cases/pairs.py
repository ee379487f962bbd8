"""Functions of two operands, broadcast, and products of matrices."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from tests.parity.operators import Array, normal, weights
from tests.unit.gradients.differentiated import Derivative, of

RELU, RELU_N1_TO_1, RELU6, TANH = FUSED = 1, 2, 3, 4
SHAPES = (  # of a and b, and which of them hold a row for each example
    ((3, 4, 5), (3, 4, 5), (0, 1)), ((3, 4, 5), (4, 5), (0,)), ((3, 4, 5), (5,), (0,)), ((3, 4, 5), (4, 1), (0,)),
    ((3, 4, 5), (1, 1, 1), (0,)), ((3, 4, 5), (), (0,)), ((3, 4, 5), (3, 1, 5), (0, 1)), ((4, 1), (3, 1, 5), (1,)),
    ((5,), (3, 4, 5), (1,)), ((), (3, 4), (1,)), ((1, 4, 5), (3, 1, 1), (1,)), ((3, 2, 4, 5), (3, 1, 1, 5), (0, 1)),
)  # fmt: skip


def cases() -> Iterator[Derivative]:
    yield from broadcast()
    yield from fused()
    yield from choices()
    yield from products()


def apart(*shape: int) -> Array:
    """From 1/2 to 2, whose powers and quotients are of moderate size."""
    return np.exp2(np.random.default_rng([5, *shape]).uniform(-1, 1, shape)).astype(np.float32)


def broadcast() -> Iterator[Derivative]:
    for a, b, free in SHAPES:
        for opcode in ("ADD", "MAXIMUM", "MINIMUM", "MUL", "SQUARED_DIFFERENCE", "SUB"):
            yield of(opcode, normal(*a), normal(*b, seed=1), free=free)
        yield of("DIV", normal(*a), apart(*b), free=free)
        yield of("POW", apart(*a), normal(*b), free=free)
    for opcode in ("ADD", "DIV", "MAXIMUM", "MINIMUM", "MUL", "SQUARED_DIFFERENCE", "SUB"):
        yield of(opcode, normal(3, 4), weights(4))
        yield of(opcode, weights(4), normal(3, 4, seed=2), free=(1,))
    yield from (of("POW", apart(3, 4), np.float32(b), free=(0,)) for b in (2, 3, 0.5, -1))
    yield from (of("ADD_N", *(normal(3, 4, seed=n) for n in range(k)), free=tuple(range(k))) for k in (2, 3))


def fused() -> Iterator[Derivative]:
    for opcode, n in product(("ADD", "DIV", "MUL", "SUB"), FUSED[:3]):
        yield of(opcode, normal(3, 4, scale=4), 2 * apart(3, 4), free=(0, 1), fused_activation_function=n)


def choices() -> Iterator[Derivative]:
    rows, all_ = (np.random.default_rng(n).random(s) < 0.5 for n, s in ((1, (3,)), (2, (3, 4, 5))))
    a, b = normal(3, 4, 5), normal(3, 4, 5, seed=1)
    yield from (of(opcode, all_, a, b, free=(0, 1, 2)) for opcode in ("SELECT", "SELECT_V2"))
    yield of("SELECT", rows, a, b, free=(0, 1, 2))
    yield of("SELECT", np.array(True), a, b, free=(1, 2))
    for c, a_, b_, free in (
        ((3, 4, 5), (5,), (), (0,)), ((4, 1), (3, 4, 5), (1, 5), (1,)), ((3, 1, 1), (3, 4, 5), (4, 5), (0, 1)),
        ((3, 1, 5), (4, 1), (), (0,)), ((), (3, 4), (3, 1), (1, 2)),
    ):  # fmt: skip
        where = np.random.default_rng(3).random(c) < 0.5
        yield of("SELECT_V2", np.asarray(where), normal(*a_), normal(*b_, seed=1), free=free)


def products() -> Iterator[Derivative]:
    for x, y in product((False, True), repeat=2):
        adjoint = {"adj_x": x, "adj_y": y}
        for before_a, before_b, free in (
            ((), (), ()), ((3,), (3,), (0, 1)), ((3,), (), (0,)), ((3, 2), (3, 2), (0, 1)), ((3, 2), (2,), (0,)),
            ((3, 1), (3, 2), (0, 1)), ((3, 2), (1,), (0,)), ((2,), (3, 2), (1,)), ((1,), (3,), (1,)),
        ):  # fmt: skip
            a, b = ((5, 4) if x else (4, 5)), ((6, 5) if y else (5, 6))
            yield of("BATCH_MATMUL", normal(*before_a, *a), normal(*before_b, *b, seed=1), free=free, **adjoint)
        if not x:
            yield of("BATCH_MATMUL", normal(4, 5), normal(*((6, 5) if y else (5, 6)), seed=1), **adjoint)
    yield of("BATCH_MATMUL", normal(3, 4, 5), weights(5, 2), adj_x=False, adj_y=False)
    for shape, options in (
        ((4, 5), {}), ((2, 4, 5), {"keep_num_dims": True}), ((2, 4, 5), {}), ((3, 2, 2, 5), {"keep_num_dims": True}),
    ):  # fmt: skip
        for bias in (None, normal(6, seed=2)):
            yield of("FULLY_CONNECTED", normal(*shape), normal(6, 5, seed=1), bias, **options)
    yield of("FULLY_CONNECTED", normal(4, 3, 5), normal(2, 15, seed=1), normal(2, seed=2))  # flattens
    yield of("FULLY_CONNECTED", normal(4, 5), weights(6, 5), None)
    for n in FUSED[:3]:
        x, w, b = 3 * normal(4, 5), normal(6, 5, seed=1), normal(6, seed=2)
        yield of("FULLY_CONNECTED", x, w, b, fused_activation_function=n)
