"""Whole models: how each file is made, what it is given, which operators it has, and how far apart a tensor may be.

Bounds are about twice what was measured, which stands beside them; docs/models.md has it by kind and by resolver.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from tests.parity.models import images, sequences
from tests.parity.models.convert import Sample, converted
from tests.parity.models.written import sequence_lstm
from tests.parity.operators import Array
from tflite_transfer.reference.binding import is_narrow
from tflite_transfer.reference.constants import along_axis
from tflite_transfer.reference.tflite import read


class Bounds(NamedTuple):
    """How far apart a tensor may be after a whole run, by all the operators before it."""

    floats: float  # float32 and float16: in units of 2^-24 of the tensor's largest value
    percent: float  # dynamic range: of the tensor's largest value
    int8: int = 0  # steps from LiteRT's default resolver; its reference kernels have our bits
    int16: int = 0

    def of(self, kind: str, resolver: str) -> float:
        """In units, or in steps."""
        if kind.startswith("int"):
            return getattr(self, kind) if resolver == "default" else 0
        return self.percent * 2**24 / 100 if kind == "dynamic range" else self.floats


class Whole(NamedTuple):
    """A model."""

    file: Callable[[str], bytes]  # of one of KINDS
    sample: Sample
    has: str
    bounds: Bounds
    full: bool = False  # a large one, for make test-all

    def given(self, content: bytes) -> Array:
        """An input, as the file wants it stored."""
        graph, x = read(content).main, self.sample(np.random.default_rng(2))
        tensor = graph.tensors[graph.inputs[0]]
        if tensor.quantization is None or not is_narrow(tensor):
            return x
        scale, zero = along_axis(tensor.quantization, x.ndim)
        limits = np.iinfo(tensor.dtype)
        return np.clip(np.round(x / scale) + zero, limits.min, limits.max).astype(tensor.dtype)


def keras(make: Callable[..., Any], sample: Sample, has: str, bounds: Bounds, **options: Any) -> Whole:
    """A network that TensorFlow converts, made with options of its own."""
    return Whole(partial(converted, partial(make, **options), sample), sample, has, bounds, options.get("size") == 224)


def sees(make: Callable[..., Any], size: int, has: str, bounds: Bounds, **options: Any) -> Whole:
    """A network that looks at images, from -1 to 1 unless ``bytes`` says 0 to 255."""
    pixels = (0.0, 255.0) if options.pop("bytes", False) else (-1.0, 1.0)
    return keras(make, Sample((1, size, size, 3), *pixels), has, bounds, size=size, **options)


V1, V2, LITE0 = images.mobilenet_v1, images.mobilenet_v2, images.efficientnet_lite0
V3_SMALL, V3_LARGE = images.mobilenet_v3_small, images.mobilenet_v3_large
FILTERS = "CONV_2D DEPTHWISE_CONV_2D MEAN SOFTMAX"
RESIDUAL, SQUEEZED = f"{FILTERS} ADD FULLY_CONNECTED", f"{FILTERS} ADD MUL HARD_SWISH"
GATES, ATTENTION = "SPLIT LOGISTIC TANH MUL", "BATCH_MATMUL GELU RSQRT SQUARED_DIFFERENCE TRANSPOSE"
SEQUENCE, WORDS = Sample((1, sequences.STEPS, sequences.FEATURES)), Sample((1, 24), 0, sequences.WORDS)

MODELS = {
    "MobileNetV1": sees(V1, 96, FILTERS, Bounds(50, 5, 14), width=0.25),  # 26, 2.6, 7
    "MobileNetV2": sees(V2, 96, RESIDUAL, Bounds(65, 8, 40), width=0.35),  # 32, 4.0, 20
    "MobileNetV3-Small": sees(V3_SMALL, 96, SQUEEZED, Bounds(75, 4, 18), bytes=True),  # 39, 1.9, 9
    "EfficientNet-Lite0": sees(LITE0, 96, RESIDUAL, Bounds(80, 4, 24), width=0.35),  # 41, 2.0, 12
    "ResNet": sees(images.resnet, 32, "CONV_2D ADD MUL", Bounds(23, 1.5, 16)),  # 11, 0.72, 8
    "LSTM": keras(sequences.lstm, SEQUENCE, f"{GATES} WHILE", Bounds(7, 0.6), unroll=False),  # 3.3, 0.30
    "LSTM, unrolled": keras(sequences.lstm, SEQUENCE, GATES, Bounds(14, 1.9, 8), unroll=True),  # 6.8, 0.93, 4
    "sequence LSTM": Whole(
        partial(sequence_lstm, SEQUENCE), SEQUENCE, "UNIDIRECTIONAL_SEQUENCE_LSTM", Bounds(12, 1)
    ),  # 5.9, 0.52
    "transformer": keras(sequences.transformer, Sample((1, 10, 32)), ATTENTION, Bounds(120, 12, 22)),  # 59, 6.2, 11
    "sounds": keras(sequences.sounds, Sample((1, 4096)), "RFFT2D COMPLEX_ABS LOG", Bounds(10, 0.9, 14)),  # 4.8, 0.46, 7
    "texts": keras(sequences.texts, WORDS, "GATHER CONV_2D REDUCE_MAX", Bounds(8, 1.7, 2)),  # 4.2, 0.85, 1
    "MobileNetV1, 224 px": sees(V1, 224, FILTERS, Bounds(60, 7.5, 26), width=1.0),  # 31, 3.8, 13
    "MobileNetV2, 224 px": sees(V2, 224, RESIDUAL, Bounds(90, 12, 66, 8), width=1.0),  # 46, 5.8, 33, 4
    "MobileNetV3-Large, 224 px": sees(V3_LARGE, 224, SQUEEZED, Bounds(100, 6.5, 34), bytes=True),  # 51, 3.3, 17
    "EfficientNet-Lite0, 224 px": sees(LITE0, 224, RESIDUAL, Bounds(140, 12, 56, 14), width=1.0),  # 69, 5.8, 28, 7
}

CRASHES, NOT_YET = "the converter's process ends by SIGSEGV", "Quantization to 16x8-bit not yet supported for op: '{}'"
REFUSED = {  # (model, kind) -> why TensorFlow 2.21 does not convert it, or LiteRT does not load it
    ("LSTM", "int8"): CRASHES,  # the loop; the same network unrolled is converted
    ("LSTM", "int16"): CRASHES,
    ("MobileNetV3-Small", "int16"): NOT_YET.format("HARD_SWISH"),
    ("MobileNetV3-Large, 224 px", "int16"): NOT_YET.format("HARD_SWISH"),
    ("sequence LSTM", "int16"): "Didn't find op for builtin opcode 'UNIDIRECTIONAL_SEQUENCE_LSTM' version '5'",
    ("transformer", "int16"): NOT_YET.format("NEG"),
    ("sounds", "int16"): NOT_YET.format("RFFT2D"),
    ("texts", "int16"): "Empty min/max for tensor serving_default_x:0",  # the words' numbers, which nothing quantises
}
