"""Faults put into the kernels of B, one at a time: each is found at its operator, and nowhere else.

The kernels of ``numpy`` go before the plain definitions, which A runs and which say what is allowed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, update_wrapper
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from tests.unit.diagnostics.networks import chain
from tflite_transfer.diagnostics import compare
from tflite_transfer.reference import binding
from tflite_transfer.reference.kernels.table import FAST
from tflite_transfer.reference.ops.table import TABLE
from tflite_transfer.reference.tflite import read

Array = np.ndarray[Any, Any]
Kernel = Callable[..., Array]


class Fault(NamedTuple):
    """What is wrong, and with which operator. ``kernel`` takes the right function, and what that is given."""

    what: str
    opcode: str
    kernel: Callable[..., Array]


def flipped(filters: Array) -> Array:
    return filters[:, ::-1].copy()


def short(x: Array) -> Array:
    return x.astype(np.float16).astype(np.float32)


FAULTS = [
    Fault("a padding of 1", "PAD", lambda right, x, p: right(x, p) + (1 - right(np.ones_like(x), p))),
    Fault("a padding pixel at the wrong end", "CONV_2D", lambda right, x, *r, **o: right(np.roll(x, 1, 1), *r, **o)),
    Fault("a dropped bias", "CONV_2D", lambda right, x, w, b, **o: right(x, w, np.zeros_like(b), **o)),
    Fault("an activation that ends too soon", "CONV_2D", lambda right, *r, **o: np.minimum(right(*r, **o), 0.5)),
    Fault("a filter upside down", "DEPTHWISE_CONV_2D", lambda right, x, w, b, **o: right(x, flipped(w), b, **o)),
    Fault("no activation", "RELU", lambda _, x: x),
    Fault("a mean instead of a maximum", "MAX_POOL_2D", lambda _, x, **o: TABLE["AVERAGE_POOL_2D"](x, **o)),
    Fault("a window too wide", "AVERAGE_POOL_2D", lambda right, x, **o: right(x, **o) * np.float32(4 / 5)),
    Fault("swapped inputs", "CONCATENATION", lambda right, a, b, **o: right(b, a, **o)),
    Fault("other axes", "TRANSPOSE", lambda right, x, _: right(x, np.int32([0, 1, 2, 3]))),
    Fault("an index off by one", "GATHER", lambda right, x, i, **o: right(x, (i + 1) % x.shape[1], **o)),
    Fault("centres of pixels", "RESIZE_BILINEAR", lambda right, x, s, **_: right(x, s, half_pixel_centers=True)),
    Fault("an axis too few", "MEAN", lambda right, x, axes, **o: right(x[:, :1], axes, **o)),
    Fault("n - 1 instead of n", "MEAN", lambda right, x, axes, **o: right(x, axes, **o) * np.float32(35 / 34)),
    Fault("the next float", "MEAN", lambda right, x, axes, **o: np.nextafter(right(x, axes, **o), np.float32(9))),
    Fault("transposed weights", "FULLY_CONNECTED", lambda right, x, w, *r, **o: right(x, w.T.copy(), *r, **o)),
    Fault("weights in float16", "FULLY_CONNECTED", lambda right, x, w, *r, **o: right(x, short(w), *r, **o)),
    Fault("a result in float16", "MUL", lambda right, a, b: short(right(a, b))),
    Fault("a coarse table", "LOGISTIC", lambda right, x: right(np.round(x * 256) / np.float32(256))),
    Fault("NaN for a logarithm", "LOG", lambda right, x: np.where(x < np.median(x), np.float32(np.nan), right(x))),
    Fault("an infinite result", "EXP", lambda right, x: np.where(x == x.max(), np.float32(np.inf), right(x))),
    Fault("another order", "RESHAPE", lambda right, x, *r, **o: right(x[:, ::-1].copy(), *r, **o)),
    Fault("the wrong axis", "SOFTMAX", lambda right, x, **o: right(x.T, **o).T.copy()),
    Fault("swapped classes", "SOFTMAX", lambda right, x, **o: right(x, **o)[:, [1, 0, 2, 3]].copy()),
]  # fmt: skip


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("chain") / "chain.tflite"
    path.write_bytes(chain())
    return path


def plant(monkeypatch: pytest.MonkeyPatch, opcode: str, kernel: Callable[..., Any]) -> None:
    """Into the engine ``numpy`` alone."""
    right = TABLE[opcode]
    monkeypatch.setattr(binding, "FAST", {**FAST, opcode: faulty(right, kernel)})


def faulty(right: Kernel, kernel: Callable[..., Any]) -> Kernel:
    """A kernel that takes the same options as the right one."""
    return update_wrapper(partial(kernel, right), right)


def test_without_a_fault_all_agree(file: Path) -> None:
    for a, b in (("numpy-nojit", "numpy"), ("tflite", "numpy"), ("numpy", "numpy-float64"), ("tflite", "tflite-ref")):
        found = compare(file, a=a, b=b)
        assert found.agrees, (a, b, found.faults)
        assert len(found.findings) == len(read(file).main.operators) == 18


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f"{f.opcode}: {f.what}")
def test_a_fault_is_found_at_its_operator(fault: Fault, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, fault.opcode, fault.kernel)
    found = compare(file, a="numpy-nojit", b="numpy")
    operators = read(file).main.operators
    place = [o.opcode for o in operators].index(fault.opcode)
    assert [f.operator for f in found.faults] == [place], [f.place for f in found.faults]
    assert found.first is not None
    assert (found.first.op, found.first.step) == (fault.opcode, None)
    worst = found.first.worst
    assert worst is not None
    assert worst.exact is not None
    assert worst.nearer == "a"


OTHERS = ("a dropped bias", "a result in float16", "n - 1 instead of n")


@pytest.mark.parametrize("fault", [f for f in FAULTS if f.what in OTHERS], ids=lambda f: f.what)
@pytest.mark.parametrize(("a", "b"), [("tflite", "numpy"), ("numpy", "tflite-ref"), ("numpy", "numpy-float64")])
def test_whichever_engine_the_other_is(
    fault: Fault, a: str, b: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch, fault.opcode, fault.kernel)
    found = compare(file, a=a, b=b)
    assert [f.op for f in found.faults] == [fault.opcode]
    assert found.first is not None
    assert found.first.worst is not None
    assert found.first.worst.nearer == ("b" if a == "numpy" else "a")
