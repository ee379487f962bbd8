"""What is to be explained: which graph of which file, on which samples, and where its training stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from tflite_transfer.backends import open_backend
from tflite_transfer.backends.base import Array, one_hot
from tflite_transfer.classes import agree_classes, agree_states_classes
from tflite_transfer.diagnostics.comparison import opened
from tflite_transfer.diagnostics.explain.batch import (
    Batch,
    Folder,
    Start,
    approached,
    array_batch,
    random_batch,
    repeated,
    scaled,
)
from tflite_transfer.diagnostics.inputs import examples
from tflite_transfer.diagnostics.sides import Source
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.tflite.any import load_trainable
from tflite_transfer.reference.tflite.bundle import ROLES, Bundle
from tflite_transfer.reference.tflite.errors import OptionError
from tflite_transfer.reference.tflite.one_file import OneFile, trains
from tflite_transfer.reference.tflite.reader import content_of, read
from tflite_transfer.reference.tflite.trainable import Trainable
from tflite_transfer.state import Position, State, load_state


@dataclass(frozen=True)
class Asked:
    """What the user says of it. ``given`` are arrays by an argument's name."""

    path: Path
    data: Path | None = None
    given: Mapping[str, Array] = field(default_factory=dict)
    signature: str | None = None
    state: Path | None = None
    seed: int = 0
    step: int = 1
    class_names: tuple[str, ...] | None = None


@dataclass(frozen=True, eq=False)
class Graph:
    """A sub-graph to be run, and its arguments as far as they are known."""

    source: Source
    given: Mapping[str, Any]
    variables: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Infer:
    """How a training model in one file is asked for the probabilities of a batch (B, C)."""

    model: OneFile
    batch: Batch
    x: Array

    def of(self, interpreter: Interpreter) -> Array:
        """What it says now."""
        call = self.model.roles.infer
        found = interpreter.run(call.key, **{call.argument: self.x})[call.result]
        return np.hstack([1 - found, found]) if self.model.binary else found


def trainable_of(path: Path) -> Trainable | None:
    """The model at a path if it trains; None for another .tflite. Raises ModelError."""
    if path.is_dir() or not path.exists():
        return load_trainable(path)
    return load_trainable(path) if trains(read(content_of(path), path.name)) else None


def learns_classes(model: Trainable) -> bool:
    """Does it tell the class of each example, so that a batch of these can be made for it?"""
    if not isinstance(model, OneFile):
        return bool(model.image_shape)
    train = model.signature(model.roles.train.key)
    labels = model.model.subgraphs[train.subgraph].tensors[train.inputs[model.roles.labels]]
    one_each = len(labels.shape) == (1 if model.sparse else 2) and model.loss is not None and model.roles.base is None
    numbers = model.x.type in ("FLOAT32", "INT32", "INT64") and -1 not in model.bottleneck_shape
    return model.classifies and (bool(model.image_shape) or (one_each and numbers))


def start_of(model: Trainable, asked: Asked) -> Start:
    """The step that is asked for: its samples, and the parameters and slots before it. Raises DataError, StateError."""
    names = agree_classes(asked.class_names, model, str(asked.path))
    backend = open_backend("numpy", model)
    begin = State(*backend.initialize(), None, asked.seed, Position())
    if asked.state is not None:
        begin = load_state(asked.state, model)
        names = agree_states_classes(begin.classes, names, str(asked.state))
    if asked.data is not None:
        return approached(model, backend, Folder(model, names, asked.data), begin, asked.step)
    batch = array_batch(model, names, asked.given) if asked.given else random_batch(model, names, asked.seed)
    return repeated(model, backend, batch, begin, asked.step)


def graph_of(asked: Asked, model: Trainable | None, start: Start | None, *, inside: bool) -> Graph:
    """The sub-graph to be shown operator by operator: the base where ``inside`` it is looked, else what trains or runs.

    Raises OptionError for a signature that is not there.
    """
    if isinstance(model, Bundle):
        assert start is not None
        return _of_bundle(asked, model, start, inside=inside)
    if isinstance(model, OneFile):
        return _of_one_file(asked, model, start, inside=inside)
    source = opened(asked.path)
    keys = [s.key for s in source.model.signatures]
    if asked.signature is None and len(keys) > 1:
        raise OptionError(f"{asked.path} has several signatures; give --signature, one of {keys}.")
    return Graph(replace(source, key=asked.signature or source.key), asked.given)


def _of_bundle(asked: Asked, model: Bundle, start: Start, *, inside: bool) -> Graph:
    role = asked.signature or ("bottleneck" if inside else "train_head")
    if role not in ROLES:
        raise OptionError(f"--signature of five files must be one of {', '.join(ROLES)}, but is {role!r}.")
    values = list[Any]()
    if role == "bottleneck":
        values = [scaled(model, start.batch)[:1]]
    elif role == "train_head":
        values = [*batch_of(model, start), *start.params.values()]
    return role_of(model, role, values)


def role_of(model: Bundle, role: str, values: Sequence[Array]) -> Graph:
    """One of five files, given its first arguments."""
    graph = model.models[role].main
    names = [graph.tensors[i].name for i in graph.inputs]
    return Graph(Source(model.contents[role], model.models[role]), dict(zip(names, values, strict=False)))


def batch_of(model: Bundle, start: Start) -> tuple[Array, Array]:
    """What train_head takes of the batch: bottlenecks (B, S) and one-hot labels (B, C)."""
    x = open_backend("numpy", model).bottlenecks(scaled(model, start.batch))
    return x.reshape(len(x), *model.bottleneck_shape), one_hot(start.batch.classes, model.classes)


def _of_one_file(asked: Asked, model: OneFile, start: Start | None, *, inside: bool) -> Graph:
    roles = model.roles
    key = asked.signature or (roles.base.key if inside and roles.base is not None else roles.train.key)
    if key not in {s.key for s in model.model.signatures}:
        raise OptionError(f"{asked.path} has no signature {key}; it has {[s.key for s in model.model.signatures]}.")
    source = Source(model.content, model.model, key)
    if start is None:
        return Graph(source, asked.given)
    images, given = model.as_x(scaled(model, start.batch))[:1], dict[str, Any]()
    if key == roles.train.key:
        return train_of(model, start, asked.seed)
    if roles.base is not None and key == roles.base.key:
        given = {roles.base.argument: images}
    elif key == roles.infer.key:
        given = {roles.infer.argument: _cached(model, images)}
    return Graph(source, given, {**start.params, **start.slots})


def train_of(model: OneFile, start: Start, seed: int = 0) -> Graph:
    """The train signature, given the whole batch."""
    roles = model.roles
    found = examples(model, {"x": model.as_x(scaled(model, start.batch)), "y": start.batch.classes}, seed)
    given = {roles.train.argument: _cached(model, found.x), roles.labels: found.y}
    return Graph(Source(model.content, model.model, roles.train.key), given, {**start.params, **start.slots})


def _cached(model: OneFile, images: Array) -> Array:
    """What train and infer take: the bottlenecks of a base, else the images."""
    if model.roles.base is None:
        return images
    return open_backend("numpy", model).bottlenecks(images).reshape(len(images), *model.bottleneck_shape)


def infer_of(model: Trainable | None, graph: Graph, start: Start | None) -> Infer | None:
    """For a run of a classifier's train in one file: its opinion of the batch can be asked."""
    if not isinstance(model, OneFile) or start is None or graph.source.key != model.roles.train.key:
        return None
    return Infer(model, start.batch, graph.given[model.roles.train.argument])
