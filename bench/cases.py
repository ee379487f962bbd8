"""What is measured: each case is validated against LiteRT before it is timed. B examples, F features, C classes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench import networks
from bench.litert import Invoke
from tflite_transfer.backends import open_backend
from tflite_transfer.backends.base import Array, one_hot
from tflite_transfer.converter.head import softmax_head
from tflite_transfer.converter.training.optimizers import SGD, Adam, optimizer_graph
from tflite_transfer.reference.tflite.builder import GraphBuilder
from tflite_transfer.reference.tflite.bundle import Bundle, bundle
from tflite_transfer.reference.tflite.writer import write
from tflite_transfer.training import epoch_batches

BATCH = 20


@dataclass(frozen=True)
class Case:
    """One line of the table. ``make`` validates, and returns (ours, LiteRT's, steps that a call of ours takes)."""

    name: str
    goal: str
    make: Callable[[], tuple[Callable[[], object], Callable[[], object], int]]


def head_bundle(features: int, classes: int, optimizer: SGD | Adam, l2: float | None = None) -> Bundle:
    """Five files around a head of this size; the base spreads one pixel over the features."""
    head = softmax_head((features,), classes, BATCH, l2)
    base = GraphBuilder()
    image = base.input("image", (-1, 1, 1, 1))
    flat = base.op("RESHAPE", [image, base.constant("flat", np.array([-1, 1], np.int32))], "flat/image", (-1, 1))
    ones = base.constant("ones", np.ones(features, np.float32))
    base.output("bottleneck", base.op("MUL", [flat, ones], "bottleneck", (-1, features)))
    graphs = {
        "initialize": head.initialize(), "bottleneck": base, "train_head": head.train_head(),
        "inference": head.inference(), "optimizer": optimizer_graph(optimizer, head.parameters),
    }  # fmt: skip
    return bundle({role: write(g.model(role)) for role, g in graphs.items()})


def head_step(features: int, samples: int, optimizer: SGD | Adam) -> Callable[[], tuple]:
    """A training step of a 4-class head: ours inside a shuffled epoch over ``samples``, LiteRT's on one batch."""

    def make() -> tuple[Callable[[], object], Callable[[], object], int]:
        files = head_bundle(features, 4, optimizer)
        rng = np.random.default_rng(0)
        x = rng.random((samples, features), np.float32)
        classes = rng.integers(0, 4, samples)
        ours, theirs = open_backend("numpy", files), open_backend("tflite", files, 1)
        params, slots = ours.initialize()
        batches = epoch_batches(0, 0, samples, BATCH)
        _validate(ours, theirs, params, slots, x, classes, batches[:3])
        invoke = Invoke(dict(files.contents), x[:BATCH], one_hot(classes[:BATCH], 4), threads=1)
        return lambda: ours.train(params, slots, x, classes, batches), invoke, len(batches)

    return make


def _validate(ours, theirs, params, slots, x: Array, classes: Array, batches: Array) -> None:
    """Three steps on both backends end in the same place; a wrong answer is not timed.

    Adam divides the gradient by its own size, so that where it nearly cancels its last bits decide the parameter: there
    the slots are compared instead, and the losses less closely.
    """
    results = [
        b.train(dict(params), {k: v.copy() for k, v in slots.items()}, x, classes, batches) for b in (ours, theirs)
    ]
    trees = [r.slots or r.params for r in results]
    for name, value in trees[1].items():
        scale = float(np.abs(value).max())
        np.testing.assert_allclose(trees[0][name], value, rtol=0, atol=1e-3 * scale, err_msg=name)  # seen: 2e-4
    np.testing.assert_allclose(results[0].losses, results[1].losses, rtol=2e-4 if slots else 1e-5)  # seen: 3e-5, 3e-7


CASES = (
    Case("head step 62,720 x 4, SGD", ">= 3", head_step(62_720, 80, SGD(3e-4))),
    Case("head step 62,720 x 4, Adam", "", head_step(62_720, 80, Adam())),
    Case("head step 1,280 x 4 in an epoch of 10,000, SGD", ">= 2", head_step(1_280, 10_000, SGD(3e-4))),
    Case("head step 1,280 x 4 in an epoch of 10,000, Adam", "", head_step(1_280, 10_000, Adam())),
    Case("bottleneck, EfficientNet-Lite0 cut at block 13, 160 px", "", networks.bottleneck),
    Case("MobileNetV2, 224 px, one image", ">= 0.33", networks.mobilenet),
    Case("MobileNetV2 0.35, 96 px, training step of 16", "", networks.training_step),
)
