"""The base: an image model, cut where asked, pooled where asked, its output called ``bottleneck``."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass, replace

import numpy as np

from tflite_transfer.converter.expressions import Graph, reshape
from tflite_transfer.converter.networks.from_tflite import with_free_batch
from tflite_transfer.converter.networks.network import Function
from tflite_transfer.reference.tflite.builder import GraphBuilder
from tflite_transfer.reference.tflite.errors import ModelError, OptionError
from tflite_transfer.reference.tflite.graph import Model, Signature, Subgraph, Tensor
from tflite_transfer.reference.tflite.splice import prune, rename

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Base:
    """A base ready to be written: image (1, H, W, D) -> bottleneck (1, S)."""

    model: Model
    image_size: tuple[int, int]  # H, W
    bottleneck_shape: Shape  # S

    def function(self) -> Function:
        """The base for any number of images, its bottlenecks as rows: (B, H, W, D) -> (B, F). Raises ModelError."""
        graph = Graph(self.model.main)
        x, bottleneck = self.model.main.inputs[0], graph[self.model.main.outputs[0]]
        graph.inputs["x"] = x
        free = with_free_batch(Function(graph, x, {}, bottleneck.number), self.model.source)
        rows = reshape(free.graph[free.output], (-1, math.prod(self.bottleneck_shape)))
        return replace(free, output=rows.number)


def make_base(model: Model, layer: str | None, pooling: str) -> Base:
    """Cut ``model`` behind the tensor ``layer`` (its output if None), pool, and name input and output.

    ``pooling`` is ``none``, or ``avg``: the mean over H and W of a bottleneck (H', W', D') -> (D',).
    Raises ModelError where the model does not take one float image, OptionError for a layer that it does not have.
    """
    graph = model.main
    image = _image(model)
    bottleneck = _layer(model, layer)
    _float_feature(model, graph.tensors[bottleneck])
    pruned, _ = prune(graph, [bottleneck])
    if pooling == "avg":
        pruned = _pooled(pruned, model.source)
    pruned = rename(pruned, {pruned.inputs[0]: "image", pruned.outputs[0]: "bottleneck"})
    signature = Signature("bottleneck", {"image": pruned.inputs[0]}, {"bottleneck": pruned.outputs[0]})
    written = replace(
        model,
        subgraphs=(replace(pruned, name="bottleneck"), *model.subgraphs[1:]),
        signatures=(signature,),
        metadata={},
    )
    return Base(written, (image.shape[1], image.shape[2]), pruned.tensors[pruned.outputs[0]].shape[1:])


def _image(model: Model) -> Tensor:
    """The model's one input, which must be an image."""
    graph = model.main
    found = [graph.tensors[i] for i in graph.inputs]
    listed = ", ".join(f"{t.name} {t.type.lower()} {t.free_shape}" for t in found) or "nothing"
    image = found[0] if len(found) == 1 and len(found[0].free_shape) == 4 else None
    if (
        image is None
        or image.free_shape[0] not in (1, -1)
        or image.free_shape[3] not in (1, 3)
        or image.type != "FLOAT32"
    ):
        raise ModelError(
            f"{model.source} is no image model: it must take one float32 image (1, H, W, 1 or 3), but takes {listed}."
        )
    if -1 in image.free_shape[1:]:
        raise ModelError(
            f"{model.source} leaves its image's size free {image.free_shape}; export it with a fixed size."
        )
    return image


def _layer(model: Model, layer: str | None) -> int:
    """The number of the tensor that is the bottleneck."""
    graph = model.main
    features = _features(graph)
    if layer is None:
        names = [graph.tensors[i].name for i in graph.outputs]
        if len(names) != 1:
            raise OptionError(
                f"{model.source} has {len(names)} outputs; name one with --base_layer: {', '.join(names)}."
            )
        if graph.outputs[0] not in features:
            raise ModelError(f"{model.source} is no image model: its output {names[0]!r} does not depend on the image.")
        return graph.outputs[0]
    computed = {graph.tensors[i].name: i for i in sorted(features)}
    if layer not in computed:
        close = difflib.get_close_matches(layer, computed, 5, 0) or list(computed)[-5:]
        there = any(t.name == layer for t in graph.tensors)
        what = f"does not compute the tensor {layer!r} from the image" if there else f"computes no tensor {layer!r}"
        raise OptionError(f"{model.source} {what}; the nearest names: {', '.join(close)}.")
    return computed[layer]


def _features(graph: Subgraph) -> set[int]:
    """The tensors that operators compute from the image: others, such as widened weights, are constants."""
    reached = set(graph.inputs)
    for operator in graph.operators:
        if reached.intersection(operator.inputs):
            reached.update(operator.outputs)
    return reached.difference(graph.inputs)


def _float_feature(model: Model, tensor: Tensor) -> None:
    size = tensor.free_shape
    if tensor.type != "FLOAT32" or len(size) < 2 or size[0] not in (1, -1) or min(size[1:]) < 1:
        raise ModelError(
            f"{model.source}: the bottleneck {tensor.name!r} must be float32 (1, ...) of a fixed size, "
            f"but is {tensor.type.lower()} {size}."
        )


def _pooled(graph: Subgraph, source: str) -> Subgraph:
    """The graph with MEAN over H and W behind its output."""
    output = graph.tensors[graph.outputs[0]]
    if len(output.shape) != 4:
        raise OptionError(
            f"--base_pooling avg needs a bottleneck (1, H, W, D), and that of {source} is {output.shape}."
        )
    g = GraphBuilder(graph)
    axes = g.constant("bottleneck/axes", np.array([1, 2], np.int32))
    shape = (output.free_shape[0], output.shape[3])
    mean = g.op("MEAN", [graph.outputs[0], axes], "bottleneck", shape, keep_dims=False)
    return replace(graph, tensors=tuple(g.tensors), operators=tuple(g.operators), outputs=(mean,))
