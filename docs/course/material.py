"""What every notebook begins with: the demo's base, a head on it, and the photos. B photos, F features, C classes."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.converter.convert import convert
from tflite_transfer.converter.options import ConversionOptions
from tflite_transfer.dataset import read_folder, samples
from tflite_transfer.images import load_each, to_range
from tflite_transfer.reference import Interpreter
from tflite_transfer.reference.tflite.bundle import Bundle, load_bundle

DEMO = Path(__file__).parents[2] / "demo"
BASE = DEMO / "base.tflite"
CLASSES = ("Bag", "Sneaker", "T-shirt", "Trouser")


class Photos(NamedTuple):
    """``images`` are RGB from 0 to 1, ``features`` what the base makes of them, ``labels`` one-hot."""

    images: NDArray[np.float32]  # (B, 160, 160, 3)
    features: NDArray[np.float32]  # (B, 192)
    labels: NDArray[np.float32]  # (B, 4)
    classes: NDArray[np.int64]  # (B,)


@cache
def photos(part: str) -> Photos:
    """Those of ``train``, 20 a class, or of ``test``, 50 a class."""
    found = samples(read_folder(DEMO / "photos" / part))
    images = to_range(load_each([path for path, _ in found], (160, 160, 3))[0], (0, 1))
    base = Interpreter(BASE)
    features = np.concatenate([base.call(images[i : i + 16])[0] for i in range(0, len(images), 16)])
    classes = np.array([CLASSES.index(name) for _, name in found])
    return Photos(images, features, np.eye(len(CLASSES), dtype=np.float32)[classes], classes)


def convert_demo(optimizer: str = "adam", **options: Any) -> Bundle:
    """The demo's base and a softmax head of four classes as five .tflite files, as ``tflite-transfer convert`` does."""
    with tempfile.TemporaryDirectory() as folder:
        chosen = ConversionOptions(
            out_model_dir=Path(folder) / "model",
            base_tflite=BASE,
            head_softmax=True,
            num_classes=len(CLASSES),
            class_names=CLASSES,
            optimizer=optimizer,
            **options,
        )
        return load_bundle(convert(chosen))
