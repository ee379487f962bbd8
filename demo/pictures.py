"""The demo's grid of labelled predictions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from tflite_transfer import TransferLearningModel
from tflite_transfer.dataset import Sample
from tflite_transfer.plots import plot_predictions

SHOWN = 24


def draw_predictions(model: TransferLearningModel, samples: Sequence[Sample], path: Path) -> None:
    """A grid of photos spread over ``samples``, each with its predicted class."""
    step = len(samples) / SHOWN
    photos, truths = zip(*(samples[int(i * step)] for i in range(SHOWN)), strict=True)
    best = [found[0] for found in model.predict_batch(photos)]
    plot_predictions([_pixels(photo) for photo in photos], best, truths, path)


def _pixels(path: Path) -> np.ndarray:
    with Image.open(path) as photo:
        return np.array(photo.convert("RGB"))
