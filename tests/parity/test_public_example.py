"""The public app's training file, as its script makes it but for the size: TensorFlow's own loss, optimizer, converter.

https://github.com/tensorflow/examples/tree/master/lite/examples/model_personalization
"""

from __future__ import annotations

import tempfile
from functools import cache
from typing import Any

import numpy as np
import pytest

from tflite_transfer.diagnostics.gradients import GradientReport, check_gradients
from tflite_transfer.reference.tflite.one_file import one_file

tf: Any = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.tensorflow
FEATURES, CLASSES = 30, 4


def head(*, swapped: bool) -> Any:
    """A softmax head that trains with Keras' Adam and cross-entropy, whose arguments may be in the wrong order."""
    loss_of, bottleneck = tf.keras.losses.CategoricalCrossentropy(), tf.TensorSpec([None, FEATURES], tf.float32)

    class Head(tf.Module):
        def __init__(self) -> None:
            self.ws = tf.Variable(tf.random.uniform((FEATURES, CLASSES), seed=1), name="ws")
            self.bs = tf.Variable(tf.zeros((1, CLASSES)), name="bs")
            self.optimizer = tf.keras.optimizers.Adam(0.001)
            self.optimizer.build([self.ws, self.bs])
            self.slots = [v.value for v in self.optimizer.variables]

        @tf.function(input_signature=[bottleneck, tf.TensorSpec([None, CLASSES], tf.float32)])
        def train(self, bottleneck: Any, label: Any) -> Any:
            with tf.GradientTape() as tape:
                prediction = tf.nn.softmax(bottleneck @ self.ws + self.bs)
                loss = loss_of(prediction, label) if swapped else loss_of(label, prediction)
            params = [self.ws, self.bs]
            self.optimizer.apply_gradients(zip(tape.gradient(loss, params), params, strict=True))
            return {"loss": loss}

        @tf.function(input_signature=[bottleneck])
        def infer(self, bottleneck: Any) -> Any:
            return {"output": tf.nn.softmax(bottleneck @ self.ws + self.bs)}

        @tf.function(input_signature=[tf.TensorSpec([], tf.string)])
        def save(self, checkpoint_path: Any) -> Any:
            data = [self.ws.read_value(), self.bs.read_value()]
            tf.raw_ops.Save(filename=checkpoint_path, tensor_names=["ws", "bs"], data=data)
            return {"checkpoint_path": checkpoint_path}

        @tf.function(input_signature=[])
        def initialize(self) -> Any:
            self.ws.assign(tf.random.uniform((FEATURES, CLASSES)))
            self.bs.assign(tf.random.uniform((1, CLASSES)))
            return {"ws": self.ws.read_value()}

    return Head()


@cache
def found(*, swapped: bool) -> GradientReport:
    made = head(swapped=swapped)
    keys = ("train", "infer", "save", "initialize")
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(made, folder, signatures={k: getattr(made, k).get_concrete_function() for k in keys})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
        converter.experimental_enable_resource_variables = True
        return check_gradients(one_file(converter.convert()))


def test_what_the_example_does_wrong_is_named() -> None:
    faults = {f.name: f for f in found(swapped=True).faults}
    assert faults["swapped loss arguments"].number == pytest.approx(-np.log(np.float32(1e-7)), rel=1e-6)
    besides = {"optimizer state is not saved", "optimizer state is not reset", "weights drawn from 0 to 1"}
    assert set(faults) == {"swapped loss arguments", *besides}
    # The gradients of the wrong loss are right.
    assert {(c.parameter, c.verdict) for c in found(swapped=True).checks} == {("ws", "agree"), ("bs", "agree")}


def test_a_loss_with_its_arguments_in_order_is_no_fault() -> None:
    assert "swapped loss arguments" not in {f.name for f in found(swapped=False).faults}
