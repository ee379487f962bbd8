"""What the tests of explain share."""

from pathlib import Path

import pytest

from tests.small_networks import cnn
from tflite_transfer.converter.one_file import TrainingOptions, make_trainable


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The CNN with Keras' Adam, as the command line makes it."""
    return make_trainable(cnn(), tmp_path_factory.mktemp("cnn") / "whole.tflite", TrainingOptions())
