"""What an update makes of gradients that are a little off."""

from __future__ import annotations

import numpy as np

from tflite_transfer.diagnostics.ours import NumpySide
from tflite_transfer.diagnostics.replay import spread
from tflite_transfer.diagnostics.sides import ORACLE, Source
from tflite_transfer.reference.tflite import write
from tflite_transfer.reference.tflite.builder import GraphBuilder


def test_what_gradients_do_does_not_hide_what_roundings_do() -> None:
    """``(1 - p) g``, as Adam's step: p near 1 loses 1.2e-4 of it, and the gradient may be off by as much."""
    g = GraphBuilder()
    power, gradient = g.input("p", ()), g.input("g", (9,))
    rate = g.op("SUB", [g.constant("one", np.float32(1)), g.op("ABS", [power], "power", ())], "rate", ())
    g.output("y", g.op("MUL", [rate, gradient], "y", (9,)))
    model = g.model("run")
    side, y = NumpySide(ORACLE, Source(write(model), model)), model.main.index("y")
    p, values = np.float64(0.999), np.full(9, 0.01)
    kept = {**side.run([p, values])}
    for lost in np.linspace(-2e-4, 2e-4, 81):
        allowed = spread(side, kept, {power: np.zeros(()), gradient: lost * values}, {"y": y})["y"]
        assert allowed.min() >= 2e-4 * 0.001 * 0.01, lost
