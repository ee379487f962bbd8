"""From the photo to the features: what is done to the pixels, and what the frozen base makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tflite_transfer.backends.base import Array
from tflite_transfer.diagnostics.explain.batch import Batch, scaled
from tflite_transfer.diagnostics.explain.lessons import LESSONS, A, U, X
from tflite_transfer.diagnostics.explain.stage import Stage, Symbol, Value, check, is_image, seen
from tflite_transfer.diagnostics.metrics import distance
from tflite_transfer.diagnostics.page.formula import symbol
from tflite_transfer.diagnostics.page.numbers import shape, short
from tflite_transfer.diagnostics.sides import ORACLE, Source, open_side
from tflite_transfer.diagnostics.single import depends_on_nothing
from tflite_transfer.diagnostics.verdicts import FURTHER
from tflite_transfer.images import load_image, to_range
from tflite_transfer.reference.ops.table import TABLE
from tflite_transfer.reference.signatures import names
from tflite_transfer.reference.tflite.bundle import Bundle
from tflite_transfer.reference.tflite.errors import MissingExtraError, ModelError
from tflite_transfer.reference.tflite.graph import Subgraph
from tflite_transfer.reference.tflite.one_file import OneFile
from tflite_transfer.reference.tflite.trainable import Trainable

MAPS = 8  # pictures of what the base sees on its way


@dataclass(frozen=True, eq=False)
class FeatureMap:
    """What one operator of the base gives, over its channels. (H, W)"""

    number: int
    op: str
    name: str
    shape: tuple[int, ...]
    array: Array


@dataclass(frozen=True, eq=False)
class Base:
    """The base as a graph."""

    source: Source

    @property
    def graph(self) -> Subgraph:
        """Its sub-graph."""
        model = self.source.model
        return model.subgraphs[names(model, self.source.key).subgraph]

    def run(self, engine: str, image: Array) -> Mapping[int, Array]:
        """Every tensor of a run on one image (1, H, W, D)."""
        return open_side(engine, self.source).run([image])

    def features(self, tensors: Mapping[int, Array]) -> Array:
        """The bottleneck of such a run, (F,)."""
        return tensors[self.graph.outputs[0]].reshape(-1)


def base_of(model: Trainable) -> Base | None:
    """The base of a model that has one."""
    if isinstance(model, OneFile):
        return None if model.roles.base is None else Base(Source(model.content, model.model, model.roles.base.key))
    assert isinstance(model, Bundle)
    return Base(Source(model.contents["bottleneck"], model.models["bottleneck"]))


def image_stage(model: Trainable, batch: Batch, sample: int) -> Stage:
    """Bytes -> what the base takes."""
    low, high = model.input_range
    image, given = batch.pixels[sample], scaled(model, batch)[sample]
    middle = given.shape[0] // 2
    rows = slice(max(0, middle - 3), middle + 3)
    columns = slice(max(0, given.shape[1] // 2 - 4), given.shape[1] // 2 + 4)
    symbols = (
        Symbol(U, f"{batch.names[sample]}, cropped and resized", shape(model.image_shape)),
        Symbol(symbol("lo"), "what the base takes black as", short(low)),
        Symbol(symbol("hi"), "and white", short(high)),
        Symbol(A, "what goes into the base", shape(model.image_shape)),
    )
    values = (
        Value(U, "what the base will see", image, kind="image"),
        Value(
            A, "pixels in its middle, first channel: rows and columns of the image", given[rows, columns, 0],
            tuple(str(i) for i in range(rows.start, rows.stop)),
            tuple(str(i) for i in range(columns.start, columns.stop)),
        ),
    )  # fmt: skip
    return Stage("image", LESSONS["image"], symbols, values, (load_image, to_range))


def bottleneck_stage(base: Base, image: Array, engine: str, *, exact: bool) -> tuple[Stage, list[FeatureMap]]:
    """What the base makes of one image (1, H, W, D), with pictures from its inside, and the other engine's features."""
    ours = base.run("numpy", image)
    features = base.features(ours)
    wide = _exactly(base, image)
    checks = ()
    try:
        theirs = base.features(base.run(engine, image))
        allowed = None if wide is None else np.full(features.shape, FURTHER * distance(features, wide).max())
        checks = (check(X, features, theirs, allowed),)
    except MissingExtraError:
        pass
    last = base.graph.operators[-1]
    symbols = (
        Symbol(A, "the image", shape(image.shape[1:])),
        Symbol(symbol("base"), "the file's frozen operators", short(len(base.graph.operators))),
        Symbol(X, "features of this image", shape(features.shape)),
    )
    values = (Value(X, "all of them, as colours", features, exact=wide if exact else None),)
    note = f"Its last operator, {last.name}, is shown; --op N shows any of the {len(base.graph.operators)}."
    functions = (TABLE[last.opcode],) if last.opcode in TABLE else ()
    return Stage("bottleneck", LESSONS["bottleneck"], symbols, values, functions, checks, note), _maps(base, ours)


def _exactly(base: Base, image: Array) -> Array | None:
    """The features in float64; None for a base that computes on stored integers."""
    try:
        return base.features(base.run(ORACLE, image.astype(np.float64)))
    except ModelError:
        return None


def _maps(base: Base, tensors: Mapping[int, Array]) -> list[FeatureMap]:
    """Some of the operators that give images, spread over the base."""
    found = []
    constants = depends_on_nothing(base.graph)
    for number, operator in enumerate(base.graph.operators):
        array = tensors.get(operator.outputs[0])
        if array is not None and is_image(array) and operator.outputs[0] not in constants:
            found.append((number, operator, array))
    chosen = [found[i] for i in np.unique(np.linspace(0, len(found) - 1, MAPS).astype(int))] if found else []
    return [FeatureMap(n, o.name, base.graph.tensors[o.outputs[0]].name, a.shape[1:], seen(a[0])) for n, o, a in chosen]
