"""The samples of one training step, and where the training stands when it begins. B examples, H W image, D channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tflite_transfer.backends.base import Array, Backend, Tree
from tflite_transfer.classes import classes_of_folders
from tflite_transfer.dataset import read_folder, samples
from tflite_transfer.diagnostics.inputs import size_of
from tflite_transfer.diagnostics.page.names import printable
from tflite_transfer.images import load_each, to_range, unreadable
from tflite_transfer.reference.tflite.errors import DataError, OptionError
from tflite_transfer.reference.tflite.one_file import OneFile
from tflite_transfer.reference.tflite.trainable import Trainable
from tflite_transfer.state import State
from tflite_transfer.training import epoch_batches


@dataclass(frozen=True, eq=False)
class Batch:
    """The samples of a step. ``pixels`` are in [0, 1], or any numbers where they are no images.

    ``names`` say where each is from.
    """

    names: tuple[str, ...]
    pixels: Array  # (B, H, W, D), or (B, ...)
    classes: Array  # (B,)
    class_names: tuple[str, ...]
    images: bool = True


@dataclass(frozen=True, eq=False)
class Start:
    """Parameters and slots before a step, and which one it is, from 1."""

    params: Tree
    slots: Tree
    step: int
    batch: Batch


def random_batch(model: Trainable, names: tuple[str, ...] | None, seed: int) -> Batch:
    """Noise, the classes in turn: for a model without a data folder at hand."""
    rng = np.random.default_rng(seed)
    count = min(size_of(model), 32) if _is_fixed(model) else min(model.batch, 32)
    shape, told = (count, *_shape(model)), tuple(f"noise {i}" for i in range(count))
    words = _dtype(model).kind in "iu" and not model.image_shape  # 0 and 1, which any table of words has
    drawn = rng.integers(0, 2, shape).astype(_dtype(model)) if words else rng.random(shape, np.float32)
    return Batch(told, drawn, np.arange(count) % model.classes, _named(model, names), bool(model.image_shape))


def _shape(model: Trainable) -> tuple[int, ...]:
    """(H, W, D), or of numbers that are no image what train takes an example as."""
    return model.image_shape or model.bottleneck_shape


def _is_fixed(model: Trainable) -> bool:
    """Does the file take batches of one size only?"""
    if not isinstance(model, OneFile):
        return False
    train = model.signature(model.roles.train.key)
    return model.model.subgraphs[train.subgraph].tensors[train.inputs[model.roles.labels]].free_shape[0] != -1


def _dtype(model: Trainable) -> np.dtype[Any]:
    return model.x.dtype if isinstance(model, OneFile) else np.dtype(np.float32)


def array_batch(model: Trainable, names: tuple[str, ...] | None, given: Mapping[str, Array]) -> Batch:
    """``x`` (B, H, W, D) in [0, 1] or bytes, else as the model takes it, and ``y`` (B,) classes. Raises DataError."""
    if set(given) != {"x", "y"}:
        raise OptionError(
            f"a classifier takes --input x=FILE.npy and --input y=FILE.npy, and was given {sorted(given)}."
        )
    x, y = given["x"], given["y"]
    if x.ndim != 1 + len(_shape(model)) or y.shape != x.shape[:1] or not len(x) or y.dtype.kind not in "iu":
        kind = "(B, H, W, D)" if model.image_shape else f"(B, {', '.join(map(str, _shape(model)))})"
        raise DataError(f"x must be {kind} and y (B,) class numbers, but they are {x.shape} and {y.dtype} {y.shape}.")
    if y.min() < 0 or y.max() >= model.classes:
        raise DataError(f"class numbers must be 0 to {model.classes - 1}, but are {y.min()} to {y.max()}.")
    told, images = tuple(f"x[{i}]" for i in range(len(x))), bool(model.image_shape)
    pixels = _pixels(model, list(x)) if images else x.astype(_dtype(model))
    return Batch(told, pixels, y.astype(np.int64), _named(model, names), images)


class Folder:
    """A data folder's images, in the order in which ``train`` with this seed takes them."""

    def __init__(self, model: Trainable, names: tuple[str, ...] | None, folder: Path) -> None:
        found = read_folder(folder)
        self._model, self._samples = model, samples(found)
        self.class_names = classes_of_folders(list(found), names or model.class_names, model, str(folder))
        self.size = min(model.batch, len(self._samples))

    def rows(self, seed: int, epoch: int) -> Array:
        """The samples' numbers, batch by batch (K, B)."""
        return epoch_batches(seed, epoch, len(self._samples), self.size)

    def batch(self, rows: Array) -> Batch:
        """The samples of these numbers. Raises ImageError."""
        chosen = [self._samples[i] for i in rows]
        classes = np.array([self.class_names.index(name) for _, name in chosen])
        pixels = _pixels(self._model, [image for image, _ in chosen])
        names = [f"{image.parent.name}/{image.name}" for image, _ in chosen]
        return Batch(_shown(names), pixels, classes, _shown(self.class_names))


def approached(model: Trainable, backend: Backend, folder: Folder, begin: State, step: int) -> Start:
    """The ``step``-th step of a training that goes on from ``begin``: those before it are taken, as ``train`` does."""
    params, slots, left, epoch = begin.params, begin.slots, step - 1, begin.epoch
    while left >= len(rows := folder.rows(begin.seed, epoch)):
        params, slots = _trained(model, backend, folder, params, slots, rows)
        left, epoch = left - len(rows), epoch + 1
    if left:
        params, slots = _trained(model, backend, folder, params, slots, rows[:left])
    return Start(params, slots, step, folder.batch(rows[left]))


def repeated(model: Trainable, backend: Backend, batch: Batch, begin: State, step: int) -> Start:
    """The same of one batch again and again, for samples that no folder has."""
    params, slots = begin.params, begin.slots
    if step > 1:
        rows = np.tile(np.arange(len(batch.classes)), (step - 1, 1))
        params, slots = _steps(backend, params, slots, _features(model, backend, batch), batch.classes, rows)
    return Start(params, slots, step, batch)


def _trained(
    model: Trainable, backend: Backend, folder: Folder, params: Tree, slots: Tree, rows: Array
) -> tuple[Tree, Tree]:
    used, places = np.unique(rows, return_inverse=True)
    batch = folder.batch(used)
    return _steps(backend, params, slots, _features(model, backend, batch), batch.classes, places.reshape(rows.shape))


def _steps(
    backend: Backend, params: Tree, slots: Tree, bottlenecks: Array, classes: Array, rows: Array
) -> tuple[Tree, Tree]:
    """Copies of what the steps leave: a backend may use the slots' memory again."""
    done = backend.train(params, slots, bottlenecks, classes, rows)
    return {k: np.array(v) for k, v in done.params.items()}, {k: np.array(v) for k, v in done.slots.items()}


def _features(model: Trainable, backend: Backend, batch: Batch) -> Array:
    """What a backend trains on, (B, F)."""
    if batch.images:
        return backend.bottlenecks(scaled(model, batch))
    return batch.pixels.reshape(len(batch.classes), -1).astype(np.float32)


def scaled(model: Trainable, batch: Batch) -> Array:
    """The images in the range that the base takes; other numbers as they are."""
    return to_range(list(batch.pixels), model.input_range) if batch.images else batch.pixels


def _pixels(model: Trainable, images: list) -> Array:
    height, width, depth = model.image_shape
    pixels, errors = load_each(images, (height, width, depth))
    if errors:
        raise unreadable(errors)
    return np.stack(pixels)


def _named(model: Trainable, names: tuple[str, ...] | None) -> tuple[str, ...]:
    return _shown(names or model.class_names or tuple(f"class {i}" for i in range(model.classes)))


def _shown(names: Sequence[str]) -> tuple[str, ...]:
    """Names that are told, and no longer looked up."""
    return tuple(map(printable, names))
