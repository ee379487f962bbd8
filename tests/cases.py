"""Heads, which tests judge on every rung and ``bench`` times. B examples, F features, C classes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tflite_transfer.converter.head import softmax_head
from tflite_transfer.converter.training.optimizers import SGD, Adam, optimizer_graph
from tflite_transfer.reference.tflite.builder import GraphBuilder
from tflite_transfer.reference.tflite.bundle import Bundle, bundle
from tflite_transfer.reference.tflite.writer import write


class Head(NamedTuple):
    """A size of head, and how it learns."""

    optimizer: str
    l2: float | None
    classes: int
    features: int
    examples: int

    def __str__(self) -> str:
        decay = "" if self.l2 is None else "-l2"
        return f"{self.optimizer}{decay}-C{self.classes}-F{self.features}-B{self.examples}"

    @property
    def size(self) -> int:
        """How many weights it has."""
        return self.classes * self.features

    def bundle(self, rule: SGD | Adam) -> Bundle:
        """Its five files."""
        return head_bundle(self.features, self.classes, rule, self.l2, self.examples)


def head_bundle(features: int, classes: int, rule: SGD | Adam, l2: float | None = None, examples: int = 20) -> Bundle:
    """Five files around a head of this size; the base spreads one pixel over the features."""
    head = softmax_head((features,), classes, examples, l2)
    base = GraphBuilder()
    image = base.input("image", (-1, 1, 1, 1))
    flat = base.op("RESHAPE", [image, base.constant("flat", np.array([-1, 1], np.int32))], "flat/image", (-1, 1))
    ones = base.constant("ones", np.ones(features, np.float32))
    base.output("bottleneck", base.op("MUL", [flat, ones], "bottleneck", (-1, features)))
    graphs = {
        "initialize": head.initialize(), "bottleneck": base, "train_head": head.train_head(),
        "inference": head.inference(), "optimizer": optimizer_graph(rule, head.parameters),
    }  # fmt: skip
    return bundle({role: write(g.model(role)) for role, g in graphs.items()})
