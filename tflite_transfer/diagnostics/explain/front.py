"""What stands in front of the last layer, as the walk needs it; the image that goes into it, and what it sees of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tflite_transfer.backends.base import Array
from tflite_transfer.diagnostics.explain.batch import Batch, scaled
from tflite_transfer.diagnostics.explain.decision import SAMPLE
from tflite_transfer.diagnostics.explain.lessons import LESSONS, A, U
from tflite_transfer.diagnostics.explain.stage import Stage, Symbol, Value, is_image, seen
from tflite_transfer.diagnostics.page.formula import symbol
from tflite_transfer.diagnostics.page.numbers import shape, short
from tflite_transfer.diagnostics.single import depends_on_nothing
from tflite_transfer.images import load_image, to_range
from tflite_transfer.reference.tflite.graph import Subgraph
from tflite_transfer.reference.tflite.trainable import Trainable

MAPS = 8  # pictures of what is seen on the way


@dataclass(frozen=True, eq=False)
class FeatureMap:
    """What one operator in front of the features gives, over its channels. (H, W)"""

    number: int
    op: str
    name: str
    shape: tuple[int, ...]
    array: Array


@dataclass(frozen=True, eq=False)
class Layer:
    """A parameter in front of the last layer that trains, its gradient, and what the step moves it by."""

    name: str
    weights: Array
    gradient: Array
    move: Array


class Front(Protocol):
    """A frozen base, or the network's own layers."""

    @property
    def layers(self) -> tuple[Layer, ...]:
        """What of it trains."""
        ...

    def given(self, engine: str) -> dict[str, Array]:
        """What goes into the last layer, x (B, F), or comes out of it, z (B, C); where the step moves them x' or z'."""
        ...

    def stage(self, engine: str | None, *, exact: bool) -> tuple[Stage, list[FeatureMap]]:
        """What it makes of the sample, with pictures from its inside, held against an engine where one is given."""
        ...


def image_stage(model: Trainable, batch: Batch) -> Stage:
    """Bytes -> what the model takes."""
    low, high = model.input_range
    image, given = batch.pixels[SAMPLE], scaled(model, batch)[SAMPLE]
    middle = given.shape[0] // 2
    rows = slice(max(0, middle - 3), middle + 3)
    columns = slice(max(0, given.shape[1] // 2 - 4), given.shape[1] // 2 + 4)
    symbols = (
        Symbol(U, f"{batch.names[SAMPLE]}, cropped and resized", shape(model.image_shape)),
        Symbol(symbol("lo"), "what the model takes black as", short(low)),
        Symbol(symbol("hi"), "and white", short(high)),
        Symbol(A, "what goes into the model", shape(model.image_shape)),
    )
    values = (
        Value(U, "what the model will see", image, kind="image"),
        Value(
            A, "pixels in its middle, first channel: rows and columns of the image", given[rows, columns, 0],
            tuple(str(i) for i in range(rows.start, rows.stop)),
            tuple(str(i) for i in range(columns.start, columns.stop)),
        ),
    )  # fmt: skip
    return Stage("image", LESSONS["image"], symbols, values, (load_image, to_range))


def feature_maps(graph: Subgraph, tensors: Mapping[int, Array]) -> list[FeatureMap]:
    """Some of the operators that give images (1, H, W, D), spread over the graph."""
    found = []
    constants = depends_on_nothing(graph)
    for number, operator in enumerate(graph.operators):
        array = tensors.get(operator.outputs[0]) if operator.outputs else None
        if array is not None and is_image(array) and operator.outputs[0] not in constants:
            found.append((number, operator, array))
    chosen = [found[i] for i in np.unique(np.linspace(0, len(found) - 1, MAPS).astype(int))] if found else []
    return [FeatureMap(n, o.name, graph.tensors[o.outputs[0]].name, a.shape[1:], seen(a[0])) for n, o, a in chosen]
