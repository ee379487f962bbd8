"""The conversion: options -> base, head, optimizer -> five files, all of them or none, or one file."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import replace
from pathlib import Path

from tflite_transfer.converter.base import Base, make_base
from tflite_transfer.converter.custom_head import make_head
from tflite_transfer.converter.head import LOSS, Head
from tflite_transfer.converter.options import INPUT_RANGES, ConversionOptions
from tflite_transfer.converter.save import check_writable, save, save_file
from tflite_transfer.converter.training.file import TrainingFile
from tflite_transfer.converter.training.optimizers import SGD, Adam, described, optimizer_graph
from tflite_transfer.reference.tflite.bundle import ROLES
from tflite_transfer.reference.tflite.errors import ModelError
from tflite_transfer.reference.tflite.graph import Model
from tflite_transfer.reference.tflite.metadata import KEY, Metadata
from tflite_transfer.reference.tflite.reader import read
from tflite_transfer.reference.tflite.writer import write


def convert(options: ConversionOptions) -> Path:
    """Make the five files in ``options.out_model_dir``, or one in ``options.one_file``; and return that path.

    The same options and base give the same bytes. Raises OptionError, OutputExistsError or ModelError, before anything
    slow wherever that can be; a conversion that fails leaves nothing behind.
    """
    options.check()
    if options.one_file is not None:
        save_file(build_one(_base_content(options), options), options.one_file)
        return options.one_file
    assert options.out_model_dir is not None  # options.check() has seen to it
    check_writable(options.out_model_dir)
    contents = build(_base_content(options), options)
    save({f"{role}.tflite": content for role, content in contents.items()}, options.out_model_dir)
    return options.out_model_dir


def build(base_content: bytes, options: ConversionOptions) -> dict[str, bytes]:
    """The five files' bytes, by role, from a base's .tflite."""
    base, head, optimizer = _parts(base_content, options)
    told = _describe(base_content, base, head, optimizer, options)
    models = {
        "initialize": head.initialize().model("initialize"),
        "bottleneck": base.model,
        "train_head": head.train_head().model("train_head"),
        "inference": head.inference().model("inference"),
        "optimizer": optimizer_graph(optimizer, head.parameters).model("optimizer"),
    }
    return {role: write(_signed(models[role], replace(told, role=role))) for role in ROLES}


def build_one(base_content: bytes, options: ConversionOptions) -> bytes:
    """The bytes of base and head in one file, from a base's .tflite."""
    base, head, optimizer = _parts(base_content, options)
    told = _describe(base_content, base, head, optimizer, options)
    front = base.function()
    network = head.behind(front)
    model = TrainingFile(network, LOSS, optimizer, front, options.checkpoint_signatures).model()
    said = {**told.head, "loss": "categorical_crossentropy", "trainable": list(network.trainable)}
    return write(_signed(model, replace(told, role="training", head=said)))


def _parts(base_content: bytes, options: ConversionOptions) -> tuple[Base, Head, SGD | Adam]:
    source = options.base_tflite.name if options.base_tflite else "the base"
    base = make_base(read(base_content, source), options.base_layer, options.base_pooling)
    options.check_sizes(math.prod(base.bottleneck_shape))
    return base, make_head(base.bottleneck_shape, options), _optimizer(options)


def _signed(model: Model, metadata: Metadata) -> Model:
    return replace(model, metadata={KEY: metadata.to_bytes()}, description=f"tflite-transfer {metadata.role}")


def _base_content(options: ConversionOptions) -> bytes:
    """The base as .tflite; TensorFlow is imported for all but ``--base_tflite``."""
    if options.base_tflite is not None:
        try:
            return options.base_tflite.read_bytes()
        except OSError as e:
            raise ModelError(f"--base_tflite {options.base_tflite} cannot be read: {e.strerror}.") from e
    from tflite_transfer.converter import keras_base

    input_range = INPUT_RANGES[options.input_range or "0,1"]
    quantization = keras_base.Quantization(options.base_quantize, options.representative, input_range)
    if options.base_keras_model is not None:
        return keras_base.keras_file(options.base_keras_model, quantization)
    if options.base_model_dir is not None:
        return keras_base.saved_model(options.base_model_dir, quantization)
    size, alpha = options.image_size or 224, 1.0 if options.alpha is None else options.alpha
    return keras_base.mobilenetv2(size, alpha, options.base_weights, quantization)


def _optimizer(options: ConversionOptions) -> SGD | Adam:
    if options.optimizer == "sgd":
        assert options.sgd_learning_rate is not None  # options.check() has seen to it
        return SGD(options.sgd_learning_rate)
    given = {
        "learning_rate": options.adam_learning_rate, "beta1": options.adam_beta1,
        "beta2": options.adam_beta2, "epsilon": options.adam_epsilon,
    }  # fmt: skip
    return Adam(**{k: v for k, v in given.items() if v is not None})


def _describe(content: bytes, base: Base, head: Head, optimizer: SGD | Adam, options: ConversionOptions) -> Metadata:
    """The metadata that all five files share; the bundle's id is a digest of the base and of everything chosen."""
    told = Metadata(
        bundle="",
        role="",
        classes=options.class_names,
        image_size=base.image_size,
        input_range=INPUT_RANGES[options.input_range or "0,1"],
        bottleneck_shape=base.bottleneck_shape,
        head=head.describe(),
        optimizer=described(optimizer),
    )
    digest = hashlib.sha256(content)
    digest.update(told.to_bytes())
    digest.update(json.dumps([options.base_layer, options.base_pooling]).encode())
    return replace(told, bundle=digest.hexdigest()[:16])
