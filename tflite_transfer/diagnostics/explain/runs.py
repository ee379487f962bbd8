"""A signature run as a whole by an engine, with every tensor that it makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from tflite_transfer.backends.base import Array
from tflite_transfer.diagnostics.explain.subject import Graph
from tflite_transfer.diagnostics.sides import ORACLE, open_side
from tflite_transfer.reference.signatures import names


class Run(NamedTuple):
    """Tensors by number, and the variables as the run left them."""

    tensors: Mapping[int, Array]
    variables: Mapping[str, Array]


def run(engine: str, graph: Graph) -> Run:
    """Random streams begin anew. Raises ModelError, MissingExtraError where LiteRT is not installed."""
    side = open_side(engine, graph.source)
    side.assign(graph.variables)
    by_number = {i: graph.given[name] for name, i in names(graph.source.model, graph.source.key).inputs.items()}
    values = [by_number[i] for i in side.graph.inputs]
    wide = [v.astype(np.float64) if engine == ORACLE and v.dtype.kind == "f" else v for v in values]
    return Run(side.run(wide), side.variables())
