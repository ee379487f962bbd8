"""EfficientNet-Lite0 as NumPy arrays, batch normalisation folded into the convolutions."""

from dataclasses import dataclass

import numpy as np

BATCH_NORM_EPSILON = 1e-3
BLOCK_STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1)
STEM_STRIDE = 2


@dataclass(frozen=True)
class Convolution:
    """A convolution with its batch normalisation folded in; SAME padding as TensorFlow pads.

    weights float32 [O, KH, KW, I], or [1, KH, KW, C] if depthwise; bias float32 [O] or [C].
    """

    name: str
    weights: np.ndarray
    bias: np.ndarray
    stride: int = 1
    depthwise: bool = False
    relu6: bool = True


@dataclass(frozen=True)
class Block:
    """An MBConv block without squeeze-excite: its convolutions in order, and whether its input is added at the end."""

    name: str
    convolutions: tuple[Convolution, ...]
    residual: bool


def _fold(
    state: dict[str, np.ndarray], source: str, norm: str, name: str, stride: int = 1, relu6: bool = True
) -> Convolution:
    """Folds the batch normalisation `norm` into the convolution `source`."""
    depthwise = source.endswith("_depthwise_conv")
    gamma, beta, mean, variance = (
        state[f"{norm}.{part}"].astype(np.float64) for part in ("weight", "bias", "running_mean", "running_var")
    )
    scale = gamma / np.sqrt(variance + BATCH_NORM_EPSILON)
    weights = state[f"{source}.weight"] * scale[:, None, None, None]
    return Convolution(
        name=name,
        weights=np.ascontiguousarray(weights.transpose((1, 2, 3, 0) if depthwise else (0, 2, 3, 1)), np.float32),
        bias=(beta - mean * scale).astype(np.float32),
        stride=stride,
        depthwise=depthwise,
        relu6=relu6,
    )


def stem(state: dict[str, np.ndarray]) -> Convolution:
    """The convolution before the first block, 3 -> 32 channels."""
    return _fold(state, "_conv_stem", "_bn0", "stem", STEM_STRIDE)


def block(state: dict[str, np.ndarray], number: int) -> Block:
    """The MBConv block `number`, counted from 1 without the stem."""
    source, name, stride = f"_blocks.{number - 1}", f"block{number}", BLOCK_STRIDES[number - 1]
    convolutions = [
        _fold(state, f"{source}._depthwise_conv", f"{source}._bn1", f"{name}/depthwise", stride),
        _fold(state, f"{source}._project_conv", f"{source}._bn2", f"{name}/project", relu6=False),
    ]
    if f"{source}._expand_conv.weight" in state:  # the first block does not expand
        convolutions.insert(0, _fold(state, f"{source}._expand_conv", f"{source}._bn0", f"{name}/expand"))
    channels_in, channels_out = convolutions[0].weights.shape[3], convolutions[-1].weights.shape[0]
    return Block(name, tuple(convolutions), residual=stride == 1 and channels_in == channels_out)
