"""Networks to compare: one with many operators, once each, and others that a seed draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tflite_transfer.reference.tflite import write
from tflite_transfer.reference.tflite.builder import GraphBuilder

SAME, VALID, RELU = 0, 1, 1
Rng = np.random.Generator


def normal(rng: Rng, *shape: int) -> np.ndarray:
    return (rng.normal(size=shape) / np.sqrt(max(1, np.prod(shape[1:])))).astype(np.float32)


def chain() -> bytes:
    """(1, 8, 8, 3) -> 4 classes; no operator comes twice, so that its name is its place."""
    g, rng = GraphBuilder(), np.random.default_rng(0)
    x = g.input("image", (1, 8, 8, 3))
    y = g.op("PAD", [x, g.constant("pads", np.int32([[0, 0], [1, 0], [0, 1], [0, 0]]))], "pad", (1, 9, 9, 3))
    window = {"padding": SAME, "stride_h": 2, "stride_w": 2}
    filters, bias = g.constant("filters", normal(rng, 6, 3, 3, 3)), g.constant("bias", normal(rng, 6))
    y = g.op("CONV_2D", [y, filters, bias], "conv", (1, 5, 5, 6), fused_activation_function=RELU, **window)
    taps, none = g.constant("taps", normal(rng, 1, 3, 3, 6)), g.constant("none", np.zeros(6, np.float32))
    one = {"padding": SAME, "stride_h": 1, "stride_w": 1}
    y = g.op("DEPTHWISE_CONV_2D", [y, taps, none], "depthwise", (1, 5, 5, 6), depth_multiplier=1, **one)
    y = g.op("RELU", [y], "relu", (1, 5, 5, 6))
    pool = {"padding": VALID, "stride_h": 1, "stride_w": 1, "filter_height": 2, "filter_width": 2}
    a, b = (g.op(f"{kind}_POOL_2D", [y], kind.lower(), (1, 4, 4, 6), **pool) for kind in ("MAX", "AVERAGE"))
    y = g.op("CONCATENATION", [a, b], "joined", (1, 4, 4, 12), axis=3)
    y = g.op("TRANSPOSE", [y, g.constant("order", np.int32([0, 2, 1, 3]))], "turned", (1, 4, 4, 12))
    y = g.op("GATHER", [y, g.constant("rows", np.int32([0, 2, 3]))], "gathered", (1, 3, 4, 12), axis=1)
    y = g.op("RESIZE_BILINEAR", [y, g.constant("size", np.int32([5, 7]))], "resized", (1, 5, 7, 12))
    y = g.op("MEAN", [y, g.constant("axes", np.int32([1, 2]))], "mean", (1, 12))
    y = g.op("FULLY_CONNECTED", [y, g.constant("square", normal(rng, 12, 12)), -1], "dense", (1, 12))
    y = g.op("MUL", [y, g.constant("half", np.float32(0.5))], "scaled", (1, 12))
    y = g.op("LOGISTIC", [y], "gate", (1, 12))
    y = g.op("LOG", [y], "log", (1, 12))
    y = g.op("EXP", [y], "exp", (1, 12))
    y = g.op("RESHAPE", [y, g.constant("shape", np.int32([3, 4]))], "rows", (3, 4), new_shape=[3, 4])
    g.output("classes", g.op("SOFTMAX", [y], "classes", (3, 4), beta=1.0))
    return write(g.model("chain"))


def drawn(seed: int) -> bytes:
    """Some layers of some sizes, in some order: an image through convolutions, then rows through dense layers."""
    g, rng = GraphBuilder(), np.random.default_rng(seed)
    size, depth = int(rng.integers(5, 20)), int(rng.integers(1, 4))
    y, shape = g.input("x", (1, size, size, depth)), (1, size, size, depth)
    for n in range(int(rng.integers(1, 6))):
        make = rng.choice(np.array([_conv, _depthwise, _pool, _pointwise, _residual], object))
        y, shape = make(g, rng, y, shape, f"layer{n}")
    y = g.op("MEAN", [y, g.constant("axes", np.int32([1, 2]))], "mean", (1, shape[3]))
    width = shape[3]
    for n in range(int(rng.integers(1, 4))):
        new = int(rng.integers(2, 40))
        w, b = g.constant(f"w{n}", normal(rng, new, width)), g.constant(f"b{n}", normal(rng, new))
        y = g.op("FULLY_CONNECTED", [y, w, b], f"dense{n}", (1, new), fused_activation_function=int(rng.integers(2)))
        width = new
    last = str(rng.choice(["SOFTMAX", "LOGISTIC", "TANH", "LOG_SOFTMAX"]))
    g.output("y", g.op(last, [y], "y", (1, width), **({"beta": 1.0} if last == "SOFTMAX" else {})))
    return write(g.model("drawn"))


Shape = tuple[int, ...]
Made = tuple[int, Shape]


def _window(rng: Rng, shape: Shape) -> tuple[dict[str, Any], int, Callable[[int], int]]:
    """Options, the kernel's size, and what becomes of a side."""
    stride, size = int(rng.integers(1, 3)), int(rng.integers(1, 4))
    padding = VALID if shape[1] > 2 * size and rng.integers(2) else SAME
    after = (lambda n: (n - size) // stride + 1) if padding == VALID else (lambda n: -(-n // stride))
    return {"padding": padding, "stride_h": stride, "stride_w": stride}, size, after


def _conv(g: GraphBuilder, rng: Rng, x: int, shape: Shape, name: str) -> Made:
    options, size, after = _window(rng, shape)
    made = (1, after(shape[1]), after(shape[2]), int(rng.integers(2, 33)))
    w, b = (
        g.constant(f"{name}/w", normal(rng, made[3], size, size, shape[3])),
        g.constant(f"{name}/b", normal(rng, made[3])),
    )
    fused = int(rng.choice([0, 1, 3]))
    return g.op("CONV_2D", [x, w, b], name, made, fused_activation_function=fused, **options), made


def _depthwise(g: GraphBuilder, rng: Rng, x: int, shape: Shape, name: str) -> Made:
    options, size, after = _window(rng, shape)
    made = (1, after(shape[1]), after(shape[2]), shape[3])
    w, b = g.constant(f"{name}/w", normal(rng, 1, size, size, shape[3])), g.constant(f"{name}/b", normal(rng, shape[3]))
    return g.op("DEPTHWISE_CONV_2D", [x, w, b], name, made, depth_multiplier=1, **options), made


def _pool(g: GraphBuilder, rng: Rng, x: int, shape: Shape, name: str) -> Made:
    options, size, after = _window(rng, shape)
    kind, made = str(rng.choice(["MAX", "AVERAGE"])), (1, after(shape[1]), after(shape[2]), shape[3])
    return g.op(f"{kind}_POOL_2D", [x], name, made, filter_height=size, filter_width=size, **options), made


def _pointwise(g: GraphBuilder, rng: Rng, x: int, shape: Shape, name: str) -> Made:
    opcode = str(rng.choice(["RELU", "RELU6", "LOGISTIC", "TANH", "HARD_SWISH", "ABS", "SQUARE", "EXP", "GELU"]))
    return g.op(opcode, [x], name, shape), shape


def _residual(g: GraphBuilder, rng: Rng, x: int, shape: Shape, name: str) -> Made:
    scale = g.constant(f"{name}/scale", normal(rng, shape[3]))
    y = g.op("MUL", [x, scale], f"{name}/scaled", shape)
    return g.op(str(rng.choice(["ADD", "SUB", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE"])), [x, y], name, shape), shape
