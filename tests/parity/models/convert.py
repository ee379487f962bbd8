"""Networks as .tflite files, by TensorFlow's converter, with weights of no meaning that keep the signal's size."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from tests.parity.operators import Array

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

KINDS = ("float32", "float16", "dynamic range", "int8", "int16")  # int16: activations; weights are int8


class Sample(NamedTuple):
    """Draws what a network is given: from ``low`` to ``high``, numbers of words if these are integers."""

    shape: tuple[int, ...]
    low: float = -1.0
    high: float = 1.0

    def __call__(self, rng: np.random.Generator) -> Array:
        if isinstance(self.low, int):
            return rng.integers(self.low, int(self.high), self.shape, np.int32)
        return rng.uniform(self.low, self.high, self.shape).astype(np.float32)

    def several(self) -> Iterator[list[Array]]:
        """What a quantiser sees."""
        rng = np.random.default_rng(1)
        yield from ([self(rng)] for _ in range(8))


def converted(make: Callable[[Any], Any], sample: Sample, kind: str) -> bytes:
    """The file of a network, its numbers stored as one of ``KINDS``. Raises RuntimeError where TensorFlow cannot."""
    import tensorflow as tf

    # The module would be saved and read again. An empty one for it, as all is constant: the same bytes, 8 times faster.
    converter = tf.lite.TFLiteConverter.from_concrete_functions([_function(make, sample)], tf.Module())
    if kind != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if kind.startswith("int"):
        wide = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        converter.target_spec.supported_ops = [wide if kind == "int16" else tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.representative_dataset = sample.several
        converter.inference_output_type = tf.as_dtype(kind)
        converter.inference_input_type = tf.as_dtype(kind if isinstance(sample.low, float) else "float32")
    return converter.convert()


@cache
def _function(make: Callable[[Any], Any], sample: Sample) -> Any:
    """A network as a function, with constants for variables."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    network, rng = make(tf), np.random.default_rng(0)
    for weight in network.weights:
        weight.assign(_drawn(rng, weight))
    signature = [tf.TensorSpec(sample.shape, tf.as_dtype(sample(rng).dtype))]
    function = tf.function(lambda x: network(x, training=False), input_signature=signature)
    return convert_variables_to_constants_v2(function.get_concrete_function(), lower_control_flow=False)


def _drawn(rng: np.random.Generator, weight: Any) -> Array:
    """Values for a weight: He et al. 2015, and half that variance where a block's input or output is not rectified.

    Keras' own let the signal fade to 1e-7, where LiteRT's reference SOFTMAX aborts the process. With He's throughout,
    MobileNetV2 blows a difference up: 0.03 of dynamic range became 0.35.
    """
    if weight.name in ("gamma", "moving_variance"):
        return rng.uniform(0.8, 1.2, weight.shape)
    if weight.name == "embeddings":
        return rng.normal(size=weight.shape)
    if not weight.name.endswith("kernel"):
        return 0.3 * rng.normal(size=weight.shape)
    each_channel_alone = len(weight.shape) == 4 and weight.shape[-1] == 1
    terms = np.prod(weight.shape[: -2 if each_channel_alone else -1])
    linear = any(name in weight.path for name in ("_expand", "_project"))
    return rng.normal(size=weight.shape) * np.sqrt((1 if linear else 2) / terms)


def to_integers(content: bytes, sample: Sample, kind: str) -> bytes:
    """A float32 file of ours, which TensorFlow makes integers of, as the converter does with its own."""
    import tensorflow as tf
    from tensorflow.compiler.mlir.lite import types_pb2
    from tensorflow.lite.python.convert import mlir_quantize
    from tensorflow.lite.python.optimize.calibrator import Calibrator, add_intermediate_tensors

    calibrated = Calibrator(add_intermediate_tensors(content)).calibrate(sample.several)
    return mlir_quantize(
        calibrated,
        fully_quantize=True,
        inference_type=getattr(types_pb2, f"QUANTIZED_{kind.upper()}"),
        input_data_type=tf.as_dtype(kind),
        output_data_type=tf.as_dtype(kind),
    )
