"""Bases that TensorFlow converts: MobileNetV2, Keras files, SavedModels. The one file that imports TensorFlow."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from tflite_transfer.reference.tflite.errors import ModelError, OptionError, TransferError, missing_extra

_IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")


def mobilenetv2(
    image_size: int, alpha: float, weights: Path | None, quantize: bool, representative: Path | None
) -> bytes:
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
            f"the ImageNet weights of MobileNetV2 (alpha {alpha:g}, {image_size} px) are not to be had: {_line(e)} "
            "Give a file of weights with --base_weights."
        ) from e
    if weights:
        _load(network, weights)
    image = keras.Input(shape, name="image")
    rescaled = keras.layers.Rescaling(scale=2.0, offset=-1.0)(image)
    return _convert(keras.Model(image, network(rescaled)), shape, quantize, representative, (0.0, 1.0))


def keras_file(path: Path, quantize: bool, representative: Path | None, input_range: tuple[float, float]) -> bytes:
    """A whole Keras model, .keras or .h5, as .tflite. Custom layers with code in the file are refused (safe mode)."""
    keras = _tensorflow().keras
    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as e:
        raise ModelError(f"{path} cannot be read as a Keras model: {_line(e)}") from e
    if len(model.inputs) != 1 or len(model.inputs[0].shape) != 4:
        raise ModelError(f"{path} is not an image model: it takes {[tuple(i.shape) for i in model.inputs]}.")
    return _convert(model, tuple(model.inputs[0].shape[1:]), quantize, representative, input_range)


def saved_model(folder: Path, quantize: bool, representative: Path | None, input_range: tuple[float, float]) -> bytes:
    """A SavedModel's signature ``serving_default`` as .tflite."""
    tf = _tensorflow()
    try:
        loaded = tf.saved_model.load(str(folder))
        specs = loaded.signatures["serving_default"].structured_input_signature[1]
        converter = tf.lite.TFLiteConverter.from_saved_model(str(folder), signature_keys=["serving_default"])
    except Exception as e:
        raise ModelError(f"{folder} cannot be read as a SavedModel with serving_default: {_line(e)}") from e
    shapes = [tuple(s.shape) for s in specs.values()]
    if len(shapes) != 1 or len(shapes[0]) != 4:
        raise ModelError(f"{folder} is not an image model: it takes {shapes}.")
    return _run(converter, shapes[0][1:], quantize, representative, input_range)


def _convert(model: Any, shape: Any, quantize: bool, representative: Path | None, input_range: Any) -> bytes:
    converter = _tensorflow().lite.TFLiteConverter.from_keras_model(model)
    return _run(converter, shape, quantize, representative, input_range)


def _run(converter: Any, shape: Any, quantize: bool, representative: Path | None, input_range: Any) -> bytes:
    tf = _tensorflow()
    if None in shape:
        raise ModelError(f"the base leaves its image's size free {tuple(shape)}; export it with a fixed size.")
    if quantize:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if representative is not None:
        files = _images(representative)
        converter.representative_dataset = lambda: _samples(files, shape, input_range)
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # Keras lists every variable of what it exports
            return converter.convert()
    except Exception as e:  # the converter's own errors have no common class
        raise ModelError(f"TensorFlow cannot convert the base: {_line(e)}") from e


def _load(network: Any, weights: Path) -> None:
    try:
        network.load_weights(weights)
    except (ValueError, OSError, KeyError) as e:
        raise OptionError(f"--base_weights {weights} does not fit MobileNetV2 without its top: {_line(e)}") from e


def _images(folder: Path) -> list[Path]:
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in _IMAGES)
    if not found:
        raise OptionError(f"--representative_data {folder} holds no image ({', '.join(_IMAGES)}).")
    return found


def _samples(files: list[Path], shape: tuple[int, int, int], input_range: tuple[float, float]) -> Iterator[list[Any]]:
    """Each image as the base takes it, (1, H, W, D)."""
    low, high = input_range
    for file in files:
        with Image.open(file) as image:
            fitted = ImageOps.fit(image.convert("L" if shape[2] == 1 else "RGB"), (shape[1], shape[0]))
        pixels = np.asarray(fitted, np.float32).reshape(1, *shape) / 255
        yield [pixels * np.float32(high - low) + np.float32(low)]


def _tensorflow() -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        import tensorflow
    except ImportError as e:
        raise missing_extra("tensorflow", "this base (Keras or SavedModel)", "convert") from e
    return tensorflow


def _line(error: Exception) -> str:
    if isinstance(error, TransferError):
        raise error
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[0]
