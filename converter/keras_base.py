"""Bases that TensorFlow converts: MobileNetV2, Keras files, SavedModels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tflite_transfer.converter.networks.from_keras import load_keras
from tflite_transfer.converter.options import Representative
from tflite_transfer.converter.tensorflow import converting, first_line, tensorflow
from tflite_transfer.reference.tflite.errors import ModelError, OptionError


@dataclass(frozen=True)
class Quantization:
    """Whether weights become int8, and activations too, for which typical images are needed."""

    weights: bool
    representative: Representative | None
    input_range: tuple[float, float]  # what the base takes black and white as

    def samples(self, shape: tuple[int, int, int]) -> Iterator[list[Any]]:
        """Each typical image as the base takes it, (1, H, W, D)."""
        assert self.representative is not None
        low, high = self.input_range
        for image in self.representative(shape):
            yield [image[None] * np.float32(high - low) + np.float32(low)]


def mobilenetv2(image_size: int, alpha: float, weights: Path | None, quantization: Quantization) -> bytes:
    """MobileNetV2 without its top, RGB in [0, 1] -> (1, H', W', D'), as .tflite; rescaling to [-1, 1] is in the graph.

    ``weights`` is a Keras file for that very network; None downloads the ImageNet weights.
    """
    keras = _tensorflow().keras
    shape = (image_size, image_size, 3)
    try:
        network = keras.applications.MobileNetV2(
            input_shape=shape, alpha=alpha, include_top=False, weights=None if weights else "imagenet"
        )
    except Exception as e:  # Keras raises plain Exception where a download fails, ValueError for an alpha it has not
        raise ModelError(
            f"the ImageNet weights of MobileNetV2 (alpha {alpha:g}, {image_size} px) are not to be had: "
            f"{first_line(e)} "
            "Give a file of weights with --base_weights."
        ) from e
    if weights:
        _load(network, weights)
    image = keras.Input(shape, name="image")
    rescaled = keras.layers.Rescaling(scale=2.0, offset=-1.0)(image)
    return _convert(keras.Model(image, network(rescaled)), shape, quantization)


def keras_file(path: Path, quantization: Quantization) -> bytes:
    """A whole Keras model, .keras or .h5, as .tflite. Custom layers with code in the file are refused (safe mode)."""
    model = load_keras(path)
    if len(model.inputs) != 1 or len(model.inputs[0].shape) != 4:
        raise ModelError(f"{path} is not an image model: it takes {[tuple(i.shape) for i in model.inputs]}.")
    return _convert(model, tuple(model.inputs[0].shape[1:]), quantization)


def saved_model(folder: Path, quantization: Quantization) -> bytes:
    """A SavedModel's signature ``serving_default`` as .tflite."""
    tf = _tensorflow()
    try:
        loaded = tf.saved_model.load(str(folder))
        specs = loaded.signatures["serving_default"].structured_input_signature[1]
        converter = tf.lite.TFLiteConverter.from_saved_model(str(folder), signature_keys=["serving_default"])
    except Exception as e:
        raise ModelError(f"{folder} cannot be read as a SavedModel with serving_default: {first_line(e)}") from e
    shapes = [s.shape for s in specs.values()]
    if len(shapes) != 1 or shapes[0].rank != 4:  # the rank of an unknown shape is None
        raise ModelError(f"{folder} is not an image model: it takes {', '.join(map(str, shapes)) or 'nothing'}.")
    return _run(converter, tuple(shapes[0])[1:], quantization)


def _convert(model: Any, shape: Any, quantization: Quantization) -> bytes:
    return _run(_tensorflow().lite.TFLiteConverter.from_keras_model(model), shape, quantization)


def _run(converter: Any, shape: Any, quantization: Quantization) -> bytes:
    if None in shape:
        raise ModelError(f"the base leaves its image's size free {tuple(shape)}; export it with a fixed size.")
    if quantization.weights:
        converter.optimizations = [_tensorflow().lite.Optimize.DEFAULT]
    if quantization.representative is not None:
        converter.representative_dataset = lambda: quantization.samples(shape)
    with converting("the base"):
        return converter.convert()


def _load(network: Any, weights: Path) -> None:
    try:
        network.load_weights(weights)
    except (ValueError, OSError, KeyError) as e:
        raise OptionError(f"--base_weights {weights} does not fit MobileNetV2 without its top: {first_line(e)}") from e


def _tensorflow() -> Any:
    return tensorflow("this base (Keras or SavedModel)")
