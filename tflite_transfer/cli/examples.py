"""A folder of images as what a model takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tflite_transfer.reference.tflite.errors import DataError, ModelError, OptionError


def examples(path: Path, folder: Path) -> dict[str, Any]:
    """A model that trains takes all of them, mixed, as x and y; another one the first of them. Raises TransferError."""
    from tflite_transfer.reference.tflite.one_file import trains
    from tflite_transfer.reference.tflite.reader import read

    if not path.exists():
        raise ModelError(f"there is no model {path}: neither a folder of five .tflite files nor one file.")
    return labelled(path, folder) if path.is_dir() or trains(read(path)) else one_image(path, folder)


def labelled(path: Path, folder: Path) -> dict[str, Any]:
    """``x``, images in the model's range, and ``y``, class numbers, in an order that mixes the classes."""
    import numpy as np

    from tflite_transfer.classes import agree_classes, class_numbers, classes_of_folders
    from tflite_transfer.dataset import read_folder, samples
    from tflite_transfer.images import to_range
    from tflite_transfer.reference.tflite.any import load_classifier
    from tflite_transfer.reference.tflite.one_file import OneFile

    found, folders = load_classifier(path), read_folder(folder)
    names = classes_of_folders(list(folders), agree_classes(None, found, str(path)), found, str(folder))
    chosen = samples(folders)
    x = to_range(_pixels([image for image, _ in chosen], found.image_shape), found.input_range)
    order = np.random.default_rng(0).permutation(len(x))
    y = class_numbers([name for _, name in chosen], names)
    return {"x": (found.as_x(x) if isinstance(found, OneFile) else x)[order], "y": y[order]}


def one_image(path: Path, folder: Path) -> dict[str, Any]:
    """The first image for a file's only argument: floats from 0 to 1, or bytes."""
    import numpy as np

    from tflite_transfer.dataset import read_folder, samples
    from tflite_transfer.diagnostics.comparison import opened
    from tflite_transfer.reference.signatures import names
    from tflite_transfer.reference.tflite.one_file import image_of

    source = opened(path)
    wanted = names(source.model, source.key)
    tensors = [(name, source.model.subgraphs[wanted.subgraph].tensors[i]) for name, i in wanted.inputs.items()]
    shape = image_of(tensors[0][1]) if len(tensors) == 1 else ()
    if not shape:
        raise OptionError(f"--data goes with a model of one image as float32 or uint8; {path} takes other inputs.")
    (image, _), name = samples(read_folder(folder))[0], tensors[0][0]
    pixels = _pixels([image], shape)[0][None]
    bytes_ = tensors[0][1].type == "UINT8"
    return {name: np.rint(255 * pixels).astype(np.uint8) if bytes_ else pixels.reshape(tensors[0][1].shape)}


def _pixels(images: list[Path], shape: tuple[int, ...]) -> list[Any]:
    from tflite_transfer.images import load_each, unreadable

    if len(shape) != 3:
        raise DataError(f"images need a shape (H, W, D), not {shape}.")
    height, width, depth = shape
    found, bad = load_each(images, (height, width, depth))
    if bad:
        raise unreadable(bad)
    return found
