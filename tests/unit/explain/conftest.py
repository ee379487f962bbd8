"""What the tests of explain share."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.small_networks import cnn
from tflite_transfer.converter.convert import convert
from tflite_transfer.converter.one_file import TrainingOptions, make_trainable
from tflite_transfer.converter.options import ConversionOptions


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The CNN with Keras' Adam, as the command line makes it."""
    return make_trainable(cnn(), tmp_path_factory.mktemp("cnn") / "whole.tflite", TrainingOptions())


@pytest.fixture(scope="session")
def models(
    tiny_models: Mapping[str, Path], upstream_models: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Path]:
    """Five files of both converters, and one file, by each rule."""
    found = {**tiny_models, **{f"upstream {name}": path for name, path in upstream_models.items()}}
    folder = tmp_path_factory.mktemp("one_file")
    (base,) = tiny_models["sgd"].parent.glob("base.tflite")
    for name, numbers in (("sgd", {"sgd_learning_rate": 0.03, "head_l2_reg": 0.01}), ("adam", {})):
        options = ConversionOptions(
            out_model_dir=None,
            one_file=folder / f"{name}.tflite",
            optimizer=name,
            base_tflite=base,
            head_softmax=True,
            num_classes=3,
            train_batch_size=5,
            **numbers,
        )
        found[f"one {name}"] = convert(options)
    return found
