"""Bases that TensorFlow converts. Networks have random weights: what is tested is the way, not the accuracy."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from tflite_transfer import TransferLearningModel
from tflite_transfer.backends import open_backend
from tflite_transfer.converter.convert import convert
from tflite_transfer.converter.options import ConversionOptions
from tflite_transfer.reference.tflite.bundle import load_bundle
from tflite_transfer.reference.tflite.errors import ImageError, ModelError, OptionError

pytestmark = pytest.mark.tensorflow

RNG = np.random.default_rng(3)


@pytest.fixture(scope="module")
def keras() -> Any:
    import tensorflow as tf

    tf.keras.utils.set_random_seed(1)
    return tf.keras


@pytest.fixture(scope="module")
def network(keras: Any) -> Any:
    """A small CNN with batch norm, 32 px, whose bottleneck is 4x4x64.

    TensorFlow quantises only weights of 1,024 values and more.
    """
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Conv2D(32, 3, 2, "same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(6.0),
            layers.DepthwiseConv2D(3, 2, "same"),
            layers.Conv2D(64, 1, activation="relu"),
            layers.MaxPooling2D(2),
        ]
    )


def options(out: Path, **given: Any) -> ConversionOptions:
    return ConversionOptions(out, "sgd", head_softmax=True, sgd_learning_rate=0.0003, **given)


def difference(folder: Path, size: int) -> tuple[float, float]:
    """How far the two backends' bottlenecks are apart, and how large they are."""
    files = load_bundle(folder)
    images = RNG.random((2, size, size, 3), np.float32)
    ours, theirs = (open_backend(name, files).bottlenecks(images) for name in ("numpy", "tflite"))
    return float(np.abs(ours - theirs).max()), float(np.abs(theirs).max())


@pytest.fixture(scope="module")
def mobilenet(keras: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """MobileNetV2 at its smallest, and a file of its weights."""
    made = keras.applications.MobileNetV2(input_shape=(96, 96, 3), alpha=0.35, include_top=False, weights=None)
    weights = tmp_path_factory.mktemp("weights") / "mobilenet.weights.h5"
    made.save_weights(weights)
    return made, weights


def test_mobilenetv2_from_weights_rescales_inside(mobilenet: tuple[Any, Path], tmp_path: Path) -> None:
    network, weights = mobilenet
    given = {"base_mobilenetv2": True, "base_weights": weights, "image_size": 96, "alpha": 0.35}
    folder = convert(options(tmp_path / "out", **given))
    files = load_bundle(folder)
    assert files.bottleneck_shape == (3, 3, 1280)
    assert files.image_shape == (96, 96, 3)
    images = RNG.random((2, 96, 96, 3), np.float32)
    expected = network.predict(2 * images - 1, verbose=0).reshape(2, -1)
    for name in ("numpy", "tflite"):
        got = open_backend(name, files).bottlenecks(images)
        np.testing.assert_allclose(got, expected, rtol=0, atol=2e-5 * np.abs(expected).max())  # seen: 9e-7


def test_a_download_that_fails_names_the_flag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keras: Any) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise Exception("URL fetch failure on the weights: None -- [Errno -2] Name or service not known")

    monkeypatch.setattr(keras.utils, "get_file", unreachable)
    import keras.src.applications.mobilenet_v2 as module

    monkeypatch.setattr(module.file_utils, "get_file", unreachable)
    with pytest.raises(ModelError, match=r"ImageNet weights .* Give a file of weights with --base_weights"):
        convert(options(tmp_path / "out", base_mobilenetv2=True))
    assert list(tmp_path.iterdir()) == []


def test_weights_of_another_network_are_refused(mobilenet: tuple[Any, Path], tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="does not fit MobileNetV2 without its top"):
        convert(options(tmp_path / "out", base_mobilenetv2=True, base_weights=mobilenet[1], image_size=96, alpha=1.0))


@pytest.mark.parametrize("quantize", [False, True])
@pytest.mark.parametrize("kind", ["keras_file", "saved_model"])
def test_keras_files_and_saved_models(network: Any, tmp_path: Path, kind: str, quantize: bool) -> None:
    """Dynamic-range weights are widened by ours and multiplied as int8 by LiteRT: a per cent, as int8 steps are."""
    source = tmp_path / ("base.keras" if kind == "keras_file" else "base")
    given: dict[str, Any]
    if kind == "keras_file":
        network.save(source)
        given = {"base_keras_model": source}
    else:
        network.export(source, verbose=False)
        given = {"base_model_dir": source}
    folder = convert(options(tmp_path / "out", base_quantize=quantize, **given))
    assert load_bundle(folder).bottleneck_shape == (4, 4, 64)
    apart, size = difference(folder, 32)
    assert size > 0.01
    narrow = [t for t in load_bundle(folder).models["bottleneck"].main.tensors if t.type == "INT8"]
    assert bool(narrow) == quantize
    assert apart <= (0.02 if quantize else 2e-6) * size  # seen: 0.0054 and 1.7e-7


def test_a_full_integer_base_runs_in_both_backends(network: Any, tmp_path: Path) -> None:
    seen: list[tuple[int, int, int]] = []

    def images(shape: tuple[int, int, int]) -> Iterator[Any]:
        seen.append(shape)
        yield from RNG.random((4, *shape), np.float32)

    network.save(tmp_path / "base.keras")
    made = options(
        tmp_path / "out", base_keras_model=tmp_path / "base.keras", base_quantize=True, representative=images
    )
    folder = convert(made)
    assert set(seen) == {(32, 32, 3)}
    files = load_bundle(folder)
    given = RNG.random((2, 32, 32, 3), np.float32)
    ours, theirs = (open_backend(name, files).bottlenecks(given) for name in ("numpy", "tflite"))
    assert ours.shape == (2, 1024)
    steps = np.unique(ours)
    step = np.diff(steps).min()
    assert len(steps) > 20
    # LiteRT's default kernels round some sums to a neighbouring step: after a few layers to within three.
    assert np.abs(ours - theirs).max() <= 3.01 * step


def test_an_image_that_fails_while_quantising_is_named(network: Any, tmp_path: Path) -> None:
    def images(shape: tuple[int, int, int]) -> Iterator[Any]:
        raise ImageError("a.png cannot be read as an image: it is gone")
        yield shape

    network.save(tmp_path / "base.keras")
    made = options(
        tmp_path / "out", base_keras_model=tmp_path / "base.keras", base_quantize=True, representative=images
    )
    with pytest.raises(ImageError, match=r"a\.png cannot be read"):
        convert(made)
    assert [p.name for p in tmp_path.iterdir()] == ["base.keras"]


@pytest.mark.parametrize("shape", [None, (None, 8)])
def test_a_saved_model_that_takes_no_image(shape: Any, keras: Any, tmp_path: Path) -> None:
    import tensorflow as tf

    module = tf.Module()
    double = tf.function(lambda x: {"y": 2 * x}, input_signature=[tf.TensorSpec(shape, tf.float32, name="x")])
    tf.saved_model.save(module, str(tmp_path / "base"), {"serving_default": double.get_concrete_function()})
    with pytest.raises(ModelError, match=r"base is not an image model: it takes (<unknown>|\(None, 8\))"):
        convert(options(tmp_path / "out", base_model_dir=tmp_path / "base"))


def test_a_converted_base_trains(network: Any, tmp_path: Path) -> None:
    network.save(tmp_path / "base.keras")
    folder = convert(
        options(tmp_path / "out", base_keras_model=tmp_path / "base.keras", num_classes=2, train_batch_size=4)
    )
    dark, light = (np.full((32, 32, 3), v, np.float32) for v in (0.1, 0.9))
    for backend in ("numpy", "tflite"):
        with TransferLearningModel(folder, ["dark", "light"], backend=backend, seed=1) as model:
            model.add_samples([(dark, "dark"), (light, "light")] * 3)
            losses = model.train(200).result()
            assert losses[-1] < losses[0] == pytest.approx(np.log(2), abs=1e-3)
            assert model.predict(light)[0].class_name == "light"


def test_what_is_no_keras_file(tmp_path: Path) -> None:
    for name in ("base.keras", "base.h5"):
        (tmp_path / name).write_bytes(b"no model")
        with pytest.raises(ModelError, match="cannot be read as a Keras model"):
            convert(options(tmp_path / "out", base_keras_model=tmp_path / name))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["base.h5", "base.keras"]
