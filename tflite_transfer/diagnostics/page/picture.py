"""Arrays as small PNG pictures inside of the page: photos, and numbers as colours."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from tflite_transfer.reference.tflite.graph import Array

POSITIVE, NEGATIVE = (37, 99, 205), (214, 92, 24)  # seen apart by the colour-blind; on white and on near-black
LONGEST = 320  # pixels of a side: more are averaged


def photo(image: Array) -> str:
    """An image (H, W, 1 or 3) in [0, 1] as a data URI."""
    pixels = np.rint(np.clip(np.nan_to_num(np.asarray(image, np.float64)), 0, 1) * 255).astype(np.uint8)
    return _uri(Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels))


def heat(values: Array, longest: int = LONGEST) -> str:
    """Numbers (R, C) as colours: blue above 0, orange below, clear at 0, so that any background will do.

    The largest by its size has the full colour; what is not finite is black. ``longest`` is the most that a side has of
    pixels.
    """
    wide = _coarser(np.asarray(values, np.float64), longest)
    finite = np.isfinite(wide)
    most = float(np.abs(wide[finite]).max(initial=0.0)) or 1.0
    strength = np.clip(np.abs(np.where(finite, wide, 0.0)) / most, 0, 1)
    pixels = np.zeros((*wide.shape, 4), np.uint8)
    pixels[..., :3] = np.where((wide >= 0)[..., None], POSITIVE, NEGATIVE)
    pixels[..., 3] = np.rint(255 * strength)
    pixels[~finite] = (0, 0, 0, 255)
    return _uri(Image.fromarray(pixels, "RGBA").quantize(64, Image.Quantize.FASTOCTREE))


def _coarser(values: Array, longest: int) -> Array:
    """The largest of each block by size: a single large number must not vanish among small ones."""
    for axis in (0, 1):
        if values.shape[axis] > longest:
            count = -(-values.shape[axis] // longest)
            starts = np.arange(0, values.shape[axis], count)
            high, low = np.maximum.reduceat(values, starts, axis), np.minimum.reduceat(values, starts, axis)
            values = np.where(high >= -low, high, low)
    return values


def _uri(image: Image.Image) -> str:
    content = io.BytesIO()
    image.save(content, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()
