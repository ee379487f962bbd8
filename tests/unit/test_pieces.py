"""Large arrays in pieces: every element once, and the same bits as all at once."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.parity.cases import ALL
from tests.parity.operators import Case, case, content, name, normal, weights
from tflite_transfer.reference.cost import pieces_of
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.kernels import threads
from tflite_transfer.reference.ops import linear, pieces


@given(st.lists(st.integers(0, 5), max_size=4), st.integers(1, 40))
def test_every_element_is_in_one_piece(shape: list[int], most: int) -> None:
    count = np.zeros(shape, int)
    for piece in pieces.pieces(shape, most):
        assert count[piece].size <= most
        count[piece] += 1
    assert (count == 1).all()


def cut() -> list[Case]:
    """Of each operator that is cut, and of each kind of number, the case nearest to 500 elements."""
    nearest: dict[object, Case] = {}
    for c in ALL:
        key = c.opcode, bool(c.stored), len({v.shape for v in c.values}) == 1
        if pieces_of(c.opcode, stored=bool(c.stored)):
            nearest[key] = min(nearest.get(key, c), c, key=lambda c: abs(500 - math.prod(v.size for v in c.values)))
    return list(nearest.values())


CUT = cut()


@pytest.mark.parametrize("made", CUT, ids=name)
def test_pieces_have_the_bits_of_the_whole(made: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    data, given = content(made)
    (whole,) = Interpreter(data, jit=False).call(*given)
    looks: list[int] = []
    monkeypatch.setattr(pieces, "ROOM", 8)  # bytes: one value, or one row
    monkeypatch.setattr(pieces, "in_time", lambda: looks.append(1))
    (found,) = Interpreter(data, jit=False).call(*given)
    assert len(looks) >= min(whole.size, 2)
    np.testing.assert_array_equal(found, whole, strict=True)


@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.int64])
@pytest.mark.parametrize(
    ("left", "right"),
    [((5, 3), (3, 4)), ((2, 5, 3), (3, 4)), ((2, 1, 5, 3), (7, 3, 4)), ((5, 3), (2, 3, 4)), ((0, 3), (3, 4))],
)
def test_a_product_in_pieces_is_the_product(left, right, dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of whole numbers, whose sums no order of the terms changes."""
    a, b = (np.random.default_rng(0).integers(-9, 9, shape).astype(dtype) for shape in (left, right))
    monkeypatch.setattr(linear, "_TERMS", 25)
    monkeypatch.setattr(linear, "_OTHER_TERMS", 1)
    np.testing.assert_array_equal(linear.product(a, b), a @ b, strict=True)


@pytest.mark.parametrize("opcode", ["CONV_2D", "DEPTHWISE_CONV_2D"])
def test_a_kernel_called_for_some_rows_at_a_time_has_the_same_bits(opcode: str, monkeypatch) -> None:
    filters = weights(19, 3, 3, 18) if opcode == "CONV_2D" else weights(1, 3, 3, 18)
    made = case(opcode, normal(2, 7, 5, 18), filters, weights(len(filters.value) if opcode == "CONV_2D" else 18),
                padding=0, stride_h=2, stride_w=1)  # fmt: skip
    data, given = content(made)
    (whole,) = Interpreter(data).call(*given)
    looks: list[int] = []
    monkeypatch.setattr(threads, "TERMS", 1)
    monkeypatch.setattr(threads, "WORTH", 1)
    monkeypatch.setattr(threads, "in_time", lambda: looks.append(1))
    np.testing.assert_array_equal(Interpreter(data).call(*given)[0], whole, strict=True)
    assert len(looks) == (2 * 4 * 5 if opcode == "CONV_2D" else 2 * 4)
