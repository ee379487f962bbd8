"""What several tests share: tiny models in which nothing is hidden, samples for them, photos."""

import os
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tflite_transfer.converter.convert import convert
from tflite_transfer.converter.options import ConversionOptions
from tflite_transfer.reference.tflite.builder import GraphBuilder
from tflite_transfer.reference.tflite.writer import write

ROOT = Path(__file__).parents[1]
COLOURS = ("red", "green", "blue")
Samples = list[tuple[NDArray[np.float32], str]]

hypothesis.settings.register_profile("same everywhere", derandomize=True, deadline=None)
hypothesis.settings.register_profile("long", max_examples=3000, deadline=None, print_blob=True)
hypothesis.settings.load_profile("same everywhere")

OF_TENSORFLOW = ("DeprecationWarning", "UserWarning", "ResourceWarning", "pytest.PytestUnraisableExceptionWarning")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """``pytest.mark.tensorflow``: see pyproject.toml."""
    for item in items:
        if item.get_closest_marker("tensorflow"):
            for warning in OF_TENSORFLOW:
                item.add_marker(pytest.mark.filterwarnings(f"ignore::{warning}"))


@pytest.fixture(scope="session")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Writes a model of five whose bottleneck is the image's pixels themselves, (4, 4, D) -> (16 D,); batch 5."""

    def make(
        optimizer: str = "sgd",
        *,
        depth: int = 3,
        rate: float = 0.03,
        input_range: str = "0,1",
    ) -> Path:
        g = GraphBuilder()
        flat = g.constant("flat", np.array([-1, 16 * depth], np.int32))
        image = g.input("image", (-1, 4, 4, depth))
        g.output("pixels", g.op("RESHAPE", [image, flat], "pixels", (-1, 16 * depth)))
        folder = tmp_path_factory.mktemp("model")
        (folder / "base.tflite").write_bytes(write(g.model("base")))
        options = ConversionOptions(
            out_model_dir=folder / "model",
            optimizer=optimizer,
            base_tflite=folder / "base.tflite",
            head_softmax=True,
            num_classes=3,
            train_batch_size=5,
            class_names=COLOURS,
            sgd_learning_rate=rate if optimizer == "sgd" else None,
            adam_learning_rate=rate if optimizer == "adam" else None,
            input_range=input_range,
        )
        return convert(options)

    return make


@pytest.fixture(scope="session")
def tiny_models(make_model: Callable[..., Path]) -> Mapping[str, Path]:
    """One tiny model for each optimizer; the classes red, green and blue are named in the files."""
    return {optimizer: make_model(optimizer) for optimizer in ("sgd", "adam")}


@pytest.fixture(scope="session")
def tiny_model(tiny_models: Mapping[str, Path]) -> Path:
    """The one with SGD."""
    return tiny_models["sgd"]


@pytest.fixture(scope="session")
def upstream_models() -> Mapping[str, Path]:
    """As the original converter made them: no metadata, no class names; 4x4x3 images, 4 classes, batch 5."""
    return {name: ROOT / "tests" / "golden" / f"upstream_{name}" for name in ("sgd", "sgd_l2", "adam")}


@pytest.fixture(scope="session")
def draw() -> Callable[..., Samples]:
    """Draws samples for a tiny model: noise, brighter in the channel of the class, the classes in turn."""

    def samples(count: int, seed: int = 0, classes: tuple[str, ...] = COLOURS) -> Samples:
        rng = np.random.default_rng(seed)
        drawn: Samples = []
        for i in range(count):
            image = 0.7 * rng.random((4, 4, 3), np.float32)
            image[..., i % 3] += np.float32(0.2)
            drawn.append((image, classes[i % len(classes)]))
        return drawn

    return samples


@pytest.fixture(scope="session")
def tiny_photos(draw: Callable[..., Samples], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder for a tiny model: 4 PNGs in each of red, green and blue."""
    folder = tmp_path_factory.mktemp("photos")
    for i, (image, name) in enumerate(draw(12)):
        (folder / name).mkdir(exist_ok=True)
        Image.fromarray((image * 255).astype(np.uint8)).save(folder / name / f"{i:02}.png")
    return folder


@pytest.fixture(scope="session")
def photos() -> Path:
    """The demo's photos: train/CLASS and test/CLASS, 4 classes."""
    return ROOT / "demo" / "photos"


@pytest.fixture(scope="session")
def clothing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real photos, 10 classes: train/CLASS and test/CLASS."""
    archive = os.environ.get("TFLITE_TRANSFER_PHOTOS")
    if not archive:
        pytest.skip("TFLITE_TRANSFER_PHOTOS does not name the archive of real photos, clothing160.tar.gz")
    folder = tmp_path_factory.mktemp("clothing")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder / "clothing160"
