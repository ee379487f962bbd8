"""A frozen base in front of the last layer: what it makes of an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tflite_transfer.backends import open_backend
from tflite_transfer.backends.base import Array
from tflite_transfer.diagnostics.explain import bounds
from tflite_transfer.diagnostics.explain.batch import Batch, scaled
from tflite_transfer.diagnostics.explain.decision import SAMPLE
from tflite_transfer.diagnostics.explain.front import FeatureMap, Layer, feature_maps
from tflite_transfer.diagnostics.explain.lessons import LESSONS, A, X
from tflite_transfer.diagnostics.explain.stage import Stage, Symbol, Value, check
from tflite_transfer.diagnostics.page.formula import symbol
from tflite_transfer.diagnostics.page.numbers import shape, short
from tflite_transfer.diagnostics.sides import ORACLE, Source, open_side
from tflite_transfer.reference.ops.table import TABLE
from tflite_transfer.reference.signatures import names
from tflite_transfer.reference.tflite.bundle import Bundle
from tflite_transfer.reference.tflite.errors import ModelError
from tflite_transfer.reference.tflite.graph import Subgraph
from tflite_transfer.reference.tflite.one_file import OneFile
from tflite_transfer.reference.tflite.trainable import Trainable


@dataclass(frozen=True, eq=False)
class Base:
    """The base as a graph, in front of a head; see ``Front``."""

    source: Source
    images: Array  # (B, H, W, D)
    x: Array  # (B, F)

    @property
    def layers(self) -> tuple[Layer, ...]:
        return ()

    @property
    def graph(self) -> Subgraph:
        """Its sub-graph."""
        model = self.source.model
        return model.subgraphs[names(model, self.source.key).subgraph]

    def given(self, engine: str) -> dict[str, Array]:
        """The same features in float64: the step's own roundings alone are looked at."""
        return {"x": self.x.astype(np.float64) if engine == ORACLE else self.x}

    def stage(self, engine: str | None, *, exact: bool) -> tuple[Stage, list[FeatureMap]]:
        ours = self._run("numpy")
        features, wide = self._features(ours), self._exactly()
        checks = ()
        if engine is not None:
            checks = (check(X, features, self._features(self._run(engine)), bounds.of_run(features, wide)),)
        last, count = self.graph.operators[-1], len(self.graph.operators)
        symbols = (
            Symbol(A, "the image", shape(self.images.shape[1:])),
            Symbol(symbol("base"), "the file's frozen operators", short(count)),
            Symbol(X, "features of this image", shape(features.shape)),
        )
        values = (Value(X, "all of them", features, exact=wide if exact else None),)
        note = f"Its last operator, {last.name}, is shown; ``--op N`` shows any of the {count}."
        functions = (TABLE[last.opcode],) if last.opcode in TABLE else ()
        told = Stage("bottleneck", LESSONS["bottleneck"], symbols, values, functions, checks, note)
        return told, feature_maps(self.graph, ours)

    def _run(self, engine: str) -> Mapping[int, Array]:
        """Every tensor of a run on the sample."""
        return open_side(engine, self.source).run([self.images[SAMPLE : SAMPLE + 1]])

    def _features(self, tensors: Mapping[int, Array]) -> Array:
        return tensors[self.graph.outputs[0]].reshape(-1)

    def _exactly(self) -> Array | None:
        """The features in float64; None for a base that computes on stored integers."""
        try:
            sample = self.images[SAMPLE : SAMPLE + 1].astype(np.float64)
            return self._features(open_side(ORACLE, self.source).run([sample]))
        except ModelError:
            return None


def base_of(model: Trainable, batch: Batch) -> Base:
    """The base of a model that has one, and what it makes of a batch."""
    images = scaled(model, batch)
    x = open_backend("numpy", model).bottlenecks(images)
    if isinstance(model, OneFile):
        assert model.roles.base is not None
        return Base(Source(model.content, model.model, model.roles.base.key), images, x)
    assert isinstance(model, Bundle)
    return Base(Source(model.contents["bottleneck"], model.models["bottleneck"]), images, x)
