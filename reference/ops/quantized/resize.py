"""Images of stored integers in another size, whose scale stays: B batch, H W before, h w after, C channels."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from tflite_transfer.reference.ops import resize
from tflite_transfer.reference.ops.quantized.affine import Tensors, same_type
from tflite_transfer.reference.tflite.graph import Tensor

Array = NDArray[Any]


def resize_bilinear(
    x: Array,
    size: Array,
    *,
    inputs: Tensors,
    outputs: tuple[Tensor, ...],
    align_corners: bool = False,
    half_pixel_centers: bool = False,
) -> Array:
    """Each pixel from the four around its place, the nearer the more. (B, H, W, C), (2,) -> (B, h, w, C)."""
    same_type(inputs[0], outputs[0])
    return resize.resize_bilinear(x, size, align_corners=align_corners, half_pixel_centers=half_pixel_centers)
