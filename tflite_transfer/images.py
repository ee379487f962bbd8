"""Any image that people have -> what the base takes. H W image, D channels (1 or 3)."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from tflite_transfer.reference.tflite.errors import ImageError

Array = NDArray[Any]
ImageLike = str | Path | Image.Image | Array

# Pillow's warning of images beyond 89 MP; those beyond 179 MP are errors. Threads read images: no place for
# catch_warnings, which changes the filters of them all.
warnings.simplefilter("ignore", Image.DecompressionBombWarning)

ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"})


def load_image(image: ImageLike, shape: tuple[int, int, int]) -> Array:
    """A path, a PIL image, a uint8 array or a float array in [0, 1] -> float32 (H, W, D) in [0, 1].

    EXIF orientation is honoured; the middle is cropped to the base's proportions (a square, as a rule) and resized with
    PIL's bilinear filter. What is transparent shows white behind it. A base of one channel gets luminance (ITU-R 601).
    PIL's modes of 16 bits ("I;16...") go from 0 to 65535, and so does "I", as which Pillow opens some of their files:
    255 is nearly black there; "F" is a float array. Raises ImageError, which names the image.
    """
    if isinstance(image, str | Path):
        return _from_file(Path(image), shape)
    if isinstance(image, Image.Image):
        with _named(image):
            return _from_pil(ImageOps.exif_transpose(image), shape)
    return _from_array(np.asarray(image), shape)


def load_each(images: Iterable[ImageLike], shape: tuple[int, int, int]) -> tuple[list[Array], list[ImageError]]:
    """``load_image`` for several: those that can be read, and what is wrong with each of the others."""
    pixels: list[Array] = []
    errors: list[ImageError] = []
    for image in images:
        try:
            pixels.append(load_image(image, shape))
        except ImageError as e:
            errors.append(e)
    return pixels, errors


def unreadable(errors: Sequence[ImageError]) -> ImageError:
    """One error out of at least one, which names every image."""
    if len(errors) == 1:
        return errors[0]
    return ImageError("\n  ".join([f"{len(errors)} images cannot be read:", *map(str, errors)]))


def to_range(pixels: Sequence[Array], limits: tuple[float, float]) -> Array:
    """Images in [0, 1] -> float32 (B, H, W, D) between the base's ``limits``."""
    low, high = limits
    return np.stack(pixels) * np.float32(high - low) + np.float32(low)


def keep(image: ImageLike) -> ImageLike:
    """What can be read later, whatever its owner does to it meanwhile: arrays and PIL images copied, paths as they are.

    Raises ImageError for a PIL image that was opened, but cannot be loaded.
    """
    if isinstance(image, np.ndarray):
        return image.copy()
    if isinstance(image, Image.Image):
        with _named(image):
            return image.copy()  # reads the file first, if that was not done yet
    return image


@contextmanager
def _named(image: Image.Image) -> Iterator[None]:
    """What Pillow raises for an image that was opened, but whose file is damaged, has no common class."""
    try:
        yield
    except ImageError:
        raise
    except Exception as e:
        raise ImageError(f"{getattr(image, 'filename', '') or 'the image'} cannot be read: {e}") from e


def _from_file(path: Path, shape: tuple[int, int, int]) -> Array:
    if path.is_dir():
        raise ImageError(f"{path} is a folder, and no image.")
    try:
        with Image.open(path) as image:
            return _from_pil(ImageOps.exif_transpose(image), shape)
    except UnidentifiedImageError as e:
        raise ImageError(f"{path} is not an image that Pillow can read.") from e
    except FileNotFoundError as e:
        raise ImageError(f"there is no image {path}.") from e
    except Exception as e:  # what Pillow raises for damaged files has no common class
        raise ImageError(f"{path} cannot be read as an image: {e}") from e


def _from_pil(upright: Image.Image, shape: tuple[int, int, int]) -> Array:
    height, width, depth = shape
    # Pillow's own conversion to 8 bits would clip these.
    if upright.mode.startswith("I"):
        return _from_array(_sixteen_bits(np.asarray(upright)), shape)
    if upright.mode == "F":
        return _from_array(np.asarray(upright), shape)
    if upright.has_transparency_data:
        upright = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright.convert("RGBA"))
    fitted = ImageOps.fit(upright.convert("L" if depth == 1 else "RGB"), (width, height), Image.Resampling.BILINEAR)
    return np.asarray(fitted, np.float32).reshape(shape) / np.float32(255)


def _sixteen_bits(pixels: Array) -> Array:
    """0 to 65535 -> [0, 1]. Mode "I" could hold more: 32 bits with a sign."""
    low, high = int(pixels.min()), int(pixels.max())
    if low < 0 or high > 65535:
        raise ImageError(
            f"a PIL image of mode I must lie in 0 to 65535, but goes from {low} to {high}; make it a float?"
        )
    return pixels.astype(np.float32) / np.float32(65535)


def _from_array(image: Array, shape: tuple[int, int, int]) -> Array:
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (1, 3)) or 0 in image.shape:
        raise ImageError(f"an image array must be (H, W), (H, W, 1) or (H, W, 3), but is {image.shape}.")
    if image.dtype == np.uint8:
        return _from_pil(Image.fromarray(image.squeeze(2) if image.shape[2:] == (1,) else image), shape)
    if not np.issubdtype(image.dtype, np.floating):
        raise ImageError(f"an image array must be uint8, or float in [0, 1], but is {image.dtype}.")
    low, high = float(image.min()), float(image.max())
    if not (low >= 0 and high <= 1):  # written so that NaN fails too
        raise ImageError(f"a float image must lie in [0, 1], but goes from {low:g} to {high:g}; divide by 255?")
    planes = image.reshape(*image.shape[:2], -1).astype(np.float32)
    return _fit_planes(_channels(planes, shape[2]), shape)


def _channels(planes: Array, depth: int) -> Array:
    """(H, W, 1 or 3) -> (H, W, depth): grey repeated, or colour weighted to luminance."""
    if planes.shape[2] == depth:
        return planes
    if depth == 3:
        return np.repeat(planes, 3, axis=2)
    return (planes @ np.array([0.299, 0.587, 0.114], np.float32))[..., None]


def _fit_planes(planes: Array, shape: tuple[int, int, int]) -> Array:
    """Crop and resize each channel as ``_from_pil`` does, without rounding to 8 bits."""
    if planes.shape == shape:
        return planes
    size = (shape[1], shape[0])
    fitted = [
        ImageOps.fit(Image.fromarray(np.ascontiguousarray(planes[..., c])), size, Image.Resampling.BILINEAR)
        for c in range(shape[2])
    ]
    return np.clip(np.stack([np.asarray(f, np.float32) for f in fitted], axis=2), 0, 1)
