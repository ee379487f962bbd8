"""Two backends left to themselves: the same photos and the same seed, 20 epochs, and no exchange in between.

Each backend computes its own bottlenecks, trains and predicts, as in ``make demo``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from tflite_transfer.backends import open_backend
from tflite_transfer.backends.base import Array, Tree
from tflite_transfer.converter.convert import build
from tflite_transfer.converter.options import ConversionOptions
from tflite_transfer.dataset import read_folder, samples
from tflite_transfer.images import load_image
from tflite_transfer.reference.tflite.bundle import Bundle, bundle
from tflite_transfer.training import epoch_batches

DEMO = Path(__file__).parents[2] / "demo"
EPOCHS, SEED = 20, 1

HEADS = {
    "sgd": {"optimizer": "sgd", "sgd_learning_rate": 0.01},
    "sgd-l2": {"optimizer": "sgd", "sgd_learning_rate": 0.01, "head_l2_reg": 0.01},
    "adam": {"optimizer": "adam"},
    "adam-l2": {"optimizer": "adam", "head_l2_reg": 0.01},
}
# Largest difference seen with seeds 1 to 5 and the four heads: 2.6e-6 of a loss, and of a tensor's largest value 9.0e-6
# (m_bs, where gradients cancel; ws 4.3e-6). The backends' bottlenecks alone differ by 1e-6 of the largest.
LOSS, TENSOR = 1e-5, 4e-5


class Photos(NamedTuple):
    """Bottlenecks (N, F) and class numbers (N,)."""

    train: Array
    train_classes: Array
    test: Array
    test_classes: Array


def files(**options: Any) -> Bundle:
    base = DEMO / "base.tflite"
    chosen = ConversionOptions(out_model_dir=Path("unused"), base_tflite=base, head_softmax=True, **options)
    return bundle(build(base.read_bytes(), chosen))


@pytest.fixture(scope="module")
def photos() -> dict[str, Photos]:
    """For each backend."""
    model = files(**HEADS["sgd"])
    (height, width, depth), (low, high) = model.image_shape, model.input_range
    images: dict[str, tuple[Array, Array]] = {}
    for part in ("train", "test"):
        folders = read_folder(DEMO / "photos" / part)
        pairs = list(samples(folders))
        pixels = np.stack([load_image(path, (height, width, depth)) for path, _ in pairs])
        classes = np.array([list(folders).index(name) for _, name in pairs])
        images[part] = pixels * np.float32(high - low) + np.float32(low), classes
    found = {}
    for name in ("numpy", "tflite"):
        backend = open_backend(name, model)
        train, test = (
            np.concatenate([backend.bottlenecks(x[i : i + 20]) for i in range(0, len(x), 20)])
            for x, _ in images.values()
        )
        found[name] = Photos(train, images["train"][1], test, images["test"][1])
    return found


def trained(name: str, model: Bundle, photos: Photos, seed: int = SEED) -> tuple[Array, Tree, Array]:
    """Mean loss of each epoch, parameters and slots, and the test photos' predicted classes."""
    backend = open_backend(name, model, 1)
    params, slots = backend.initialize()
    losses = []
    for epoch in range(EPOCHS):
        batches = epoch_batches(seed, epoch, len(photos.train), model.batch)
        steps = backend.train(params, slots, photos.train, photos.train_classes, batches)
        params, slots = steps.params, dict(steps.slots)
        losses.append(steps.losses.mean(dtype=np.float64))
    return np.array(losses), {**params, **slots}, backend.predict(params, photos.test).argmax(axis=1)


@pytest.mark.parametrize("head", HEADS)
def test_both_backends_learn_the_same(head: str, photos: dict[str, Photos]) -> None:
    model = files(**HEADS[head])
    losses, state, predicted = trained("numpy", model, photos["numpy"])
    other_losses, other_state, other_predicted = trained("tflite", model, photos["tflite"])

    np.testing.assert_allclose(losses, other_losses, rtol=LOSS)
    assert list(state) == list(other_state)
    for name, value in other_state.items():
        np.testing.assert_allclose(state[name], value, rtol=0, atol=TENSOR * np.abs(value).max(), err_msg=name)
    np.testing.assert_array_equal(predicted, other_predicted)
    assert losses[-1] < losses[0] / 4
    assert (predicted == photos["numpy"].test_classes).mean() >= 0.92
