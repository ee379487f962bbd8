"""The command line on networks that are no plain image classifiers of floats."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from tflite_transfer.converter import TrainingOptions, make_trainable
from tflite_transfer.reference.tflite import read

tf: Any = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.tensorflow
layers = tf.keras.layers
COLOURS, BACKENDS = ("blue", "green", "red"), ("numpy", "tflite")


class Network(NamedTuple):
    """Keras layers of an input, and how the network learns."""

    shape: tuple[int, ...]
    layers: Callable[[], list[Any]]
    loss: str = "categorical_crossentropy"
    dtype: str = "float32"
    classes: tuple[str, ...] | None = None
    labels: bool = False  # its exported file has them


def large() -> list[Any]:
    return [layers.Dense(1, kernel_initializer=tf.keras.initializers.Constant(1e5))]


NETWORKS = {
    "bytes": Network(
        (4, 4, 3), lambda: [layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(3)],
        dtype="uint8", classes=COLOURS, labels=True,
    ),
    "images without channels": Network((4, 4), lambda: [layers.Flatten(), layers.Dense(3)], classes=COLOURS),
    "one number for two classes": Network(
        (4, 4, 3), lambda: [layers.Flatten(), layers.Dense(1, activation="sigmoid")],
        "binary_crossentropy", classes=COLOURS[:2],
    ),
    "words": Network((7,), lambda: [layers.Embedding(5, 4), layers.Flatten(), layers.Dense(3)], dtype="int64"),
    "large outputs": Network((5,), large, "mean_squared_error"),
    "classes of pixels": Network((4, 4, 3), lambda: [layers.Conv2D(3, 3, padding="same")], classes=COLOURS),
}  # fmt: skip


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes net.tflite of a network, in the working directory."""
    monkeypatch.chdir(tmp_path)

    def made(name: str) -> None:
        tf.keras.utils.set_random_seed(1)
        n = NETWORKS[name]
        model = tf.keras.Sequential([tf.keras.Input(n.shape, dtype=n.dtype), *n.layers()])
        make_trainable(model, "net.tflite", TrainingOptions(n.loss, class_names=n.classes, batch_size=4))

    return made


@pytest.mark.parametrize("name", NETWORKS)
def test_its_file_is_exported_and_says_the_same(run: Callable, make: Callable, name: str) -> None:
    make(name)
    done = run("export", "net.tflite", "--out", "out.tflite", "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert [p["backend"] for p in told["parity"]] == list(BACKENDS)
    assert all(p["worst"] < 1e-6 * max(1, p["largest"]) for p in told["parity"])  # seen: 3e-7
    assert (told["labels"] is not None) == NETWORKS[name].labels == zipfile.is_zipfile("out.tflite")
    assert read("out.tflite").main.tensors[read("out.tflite").main.inputs[0]].shape == (1, *NETWORKS[name].shape)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ["bytes", "images without channels", "one number for two classes"])
def test_it_learns_from_folders_of_images(
    run: Callable, make: Callable, tiny_photos: Path, backend: str, name: str
) -> None:
    make(name)
    names = NETWORKS[name].classes
    assert names is not None
    Path("photos").mkdir()
    for colour in names:
        (Path("photos") / colour).symlink_to(tiny_photos / colour)
    words = ["photos", "--state", "s.safetensors", "--backend", backend, "--json"]
    trained = run("train", "net.tflite", *words, "--epochs", 20, "--seed", 1)
    assert trained.code == 0, trained.err
    losses = json.loads(trained.out)["losses"]
    assert losses[-1] < losses[0]
    told = json.loads(run("evaluate", "net.tflite", *words).out)
    assert np.shape(told["confusion"]) == (len(names), len(names))
    photo = min(Path("photos/blue").iterdir())
    sure = json.loads(run("predict", "net.tflite", photo, *words[1:]).out)["predictions"][0]["top"]
    assert sum(p["confidence"] for p in sure) == pytest.approx(1, abs=1e-6)
