"""The face of it: two engines, or two files, compared."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tflite_transfer.diagnostics.findings import MODES, Comparison, Run
from tflite_transfer.diagnostics.graphs import Pair
from tflite_transfer.diagnostics.sides import Source, check_engine
from tflite_transfer.reference.signatures import names
from tflite_transfer.reference.tflite.errors import OptionError
from tflite_transfer.reference.tflite.graph import Array, Tensor
from tflite_transfer.reference.tflite.reader import content_of, read


def compare(
    model: str | Path,
    *,
    a: str = "tflite",
    b: str = "numpy",
    inputs: Mapping[str, Any] | None = None,
    seed: int = 0,
    mode: str = "isolated",
) -> Comparison:
    """Run a .tflite by two engines and hold every tensor of one against the other's. Raises TransferError.

    >>> found = compare("model.tflite", a="tflite", b="numpy")          # doctest: +SKIP
    >>> found.agrees, found.first                                       # doctest: +SKIP
    """
    check_engine("a", a)
    check_engine("b", b)
    if mode not in MODES:
        raise OptionError(f"mode must be one of {', '.join(MODES)}, but is {mode!r}.")
    source = opened(Path(model))
    key = source.model.signatures[0].key if source.model.signatures else None
    pair = Pair((a, b), (source, source), key)
    given = _given(source, key, inputs, seed)
    runs = pair.run(given)
    findings = tuple(pair.findings(runs, key or "main", alone=mode != "cumulative"))
    run = Run(str(model), a), Run(str(model), b)
    return Comparison(*run, mode, 0, findings, graphs={key or "main": pair.graph})


def opened(path: Path) -> Source:
    """A file, read once: what is checked is what runs. Raises ModelError."""
    content = content_of(path)
    return Source(content, read(content, path.name))


def _given(source: Source, key: str | None, inputs: Mapping[str, Any] | None, seed: int) -> list[Array]:
    from tflite_transfer.reference.signatures import arguments

    found = names(source.model, key)
    graph = source.model.subgraphs[found.subgraph]
    if inputs is None:
        rng = np.random.default_rng(seed)
        return [drawn(graph.tensors[i], rng) for i in graph.inputs]
    given = arguments(source.model, found, inputs)
    by_number = {i: given[name] for name, i in found.inputs.items()}
    return [by_number[i] for i in graph.inputs]


def drawn(tensor: Tensor, rng: np.random.Generator) -> Array:
    """Numbers for an input: floats from 0 to 1, stored integers of all that there are, else 0 and 1."""
    dtype = tensor.dtype
    if dtype.kind == "f":
        return rng.random(tensor.shape).astype(dtype)
    if tensor.quantization is not None and tensor.quantization.scale.size:
        ends = np.iinfo(dtype)
        return rng.integers(ends.min, ends.max, tensor.shape, dtype, endpoint=True)
    return rng.integers(0, 2, tensor.shape).astype(dtype)
