"""Small files in which most operators stand, to be damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.parity.test_control import branches, counter, loop
from tflite_transfer.reference.tflite import write
from tflite_transfer.reference.tflite.builder import GraphBuilder

GOLDEN = Path(__file__).parents[1] / "golden"
WINDOW = {"padding": 0, "stride_h": 2, "stride_w": 1, "fused_activation_function": 1}


class Zoo(GraphBuilder):
    """Short ways to make constants."""

    def weights(self, name: str, *shape: int) -> int:
        return self.constant(name, np.random.default_rng(0).normal(size=shape).astype(np.float32))

    def numbers(self, name: str, values: object) -> int:
        return self.constant(name, np.array(values, np.int32))


def windows() -> bytes:
    g = Zoo()
    x = g.input("x", (1, 6, 6, 2))
    y = g.op("DEPTHWISE_CONV_2D", [x, g.weights("w", 1, 3, 3, 2), g.weights("b", 2)], "0", (1, 3, 6, 2), **WINDOW)
    y = g.op("CONV_2D", [y, g.weights("v", 3, 2, 2, 2), g.weights("c", 3)], "1", (1, 2, 6, 3), **WINDOW)
    y = g.op("PAD", [y, g.numbers("p", [[0, 0], [1, 1], [0, 1], [0, 0]])], "2", (1, 4, 7, 3))
    y = g.op("MAX_POOL_2D", [y], "3", (1, 2, 7, 3), filter_height=2, filter_width=3, **WINDOW)
    g.output("y", g.op("AVERAGE_POOL_2D", [y], "4", (1, 1, 7, 3), filter_height=2, filter_width=2, **WINDOW))
    return write(g.model("zoo"))


def shapes() -> bytes:
    g = Zoo()
    y = g.input("x", (1, 1, 7, 8))
    cut = [g.numbers("b", [0, 0, 1, 0]), g.numbers("e", [1, 1, 7, 0]), g.numbers("s", [1, 1, 2, 1])]
    y = g.op("STRIDED_SLICE", [y, *cut], "5", (1, 1, 3, 8), end_mask=8)
    y = g.op("TRANSPOSE", [y, g.numbers("t", [0, 3, 1, 2])], "6", (1, 8, 1, 3))
    y = g.op("RESHAPE", [y, g.numbers("r", [4, -1])], "7", (4, 6), new_shape=[4, -1])
    y = g.op("GATHER", [y, g.numbers("i", [3, 1])], "8", (2, 6), axis=0)
    y = g.op("CONCATENATION", [y, y], "9", (2, 12), axis=1)
    y = g.op("PACK", [y, y], "10", (2, 2, 12), values_count=2, axis=0)
    g.output("y", g.op("SLICE", [y, g.numbers("sb", [0, 0, 2]), g.numbers("ss", [1, -1, 8])], "11", (1, 2, 8)))
    return write(g.model("zoo"))


def products() -> bytes:
    g = Zoo()
    y = g.op("FULLY_CONNECTED", [g.input("x", (1, 2, 8)), g.weights("w", 3, 8)], "12", (2, 3))
    filled = g.op("FILL", [g.numbers("fd", [2, 3]), g.weights("v")], "f", (2, 3))
    y = g.op("BATCH_MATMUL", [y, filled], "13", (2, 2), adj_y=True)
    sizes = g.op("CAST", [g.op("SHAPE", [y], "sh", (2,), "INT32", out_type=2)], "sc", (2,), out_data_type=0)
    y = g.op("SUM", [g.op("DIV", [y, sizes], "14", (2, 2)), g.numbers("a", [1])], "15", (2,))
    y = g.op("SQUEEZE", [g.op("EXPAND_DIMS", [y, g.numbers("ea", 0)], "16", (1, 2))], "17", (2,), squeeze_dims=[0])
    g.output("y", g.op("LEAKY_RELU", [y], "out", (2,), alpha=0.1))
    return write(g.model("zoo"))


FILES = {make.__name__: make() for make in (windows, shapes, products, branches, loop, counter)}
for role in ("bottleneck", "inference"):
    FILES[f"upstream {role}"] = (GOLDEN / "upstream_adam" / f"{role}.tflite").read_bytes()
