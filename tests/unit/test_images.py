"""Paths, PIL images and arrays become the same pixels; what is no image is an error that names it."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tflite_transfer.errors import ImageError
from tflite_transfer.images import keep, load_image

SHAPE = (8, 8, 3)
Pixels = NDArray[np.uint8]


def noise(*shape: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def smooth(height: int, width: int) -> Pixels:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([255 * x / width, 255 * y / height, 127 * (x + y) / (width + height)], axis=2).astype(np.uint8)


def test_every_kind_of_input_gives_the_same_pixels(tmp_path: Path) -> None:
    pixels = noise(*SHAPE)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    expected = pixels.astype(np.float32) / np.float32(255)
    inputs = {
        "path": tmp_path / "a.png", "text": str(tmp_path / "a.png"), "pil": Image.fromarray(pixels), "uint8": pixels,
        "float32": expected, "float64": pixels / 255,
    }  # fmt: skip
    for kind, image in inputs.items():
        found = load_image(image, SHAPE)
        assert found.dtype == np.float32, kind
        np.testing.assert_array_equal(found, expected, kind)
        assert not isinstance(image, np.ndarray) or not np.shares_memory(found, image)


@pytest.mark.parametrize("size", [(40, 40), (13, 31), (31, 13), (3, 5)])
def test_resizing_floats_and_bytes_agrees(size: tuple[int, int]) -> None:
    pixels = noise(*size, 3, seed=1)
    as_bytes, as_floats = load_image(pixels, SHAPE), load_image(pixels / 255, SHAPE)
    # PIL rounds bytes after each of its two passes, each time by half a step at the most. Seen: 0.9999999 of a step.
    assert np.abs(as_bytes - as_floats).max() <= 1.01 / 255
    assert as_floats.std() > 0.02  # not both blank


STORED: dict[int, Callable[[Pixels], Pixels]] = {  # what a camera held otherwise writes, for an upright picture
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("orientation", STORED)
def test_exif_orientation(orientation: int, tmp_path: Path) -> None:
    upright = smooth(32, 48)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.ascontiguousarray(STORED[orientation](upright))
    Image.fromarray(stored).save(tmp_path / "photo.jpg", exif=exif, quality=95, subsampling=0)
    found = load_image(tmp_path / "photo.jpg", SHAPE)
    assert np.abs(found - load_image(upright, SHAPE)).max() < 0.02  # JPEG; another orientation differs by > 0.5


@pytest.mark.parametrize(("pad", "crop"), [((0, 8), np.s_[:, 8:16]), ((8, 0), np.s_[8:16])])
@pytest.mark.parametrize("scale", [1, 255])
def test_the_middle_is_cropped(pad: tuple[int, int], crop: slice, scale: int) -> None:
    pixels = noise(8 + 2 * pad[0], 8 + 2 * pad[1], 3)
    image = pixels if scale == 1 else pixels / 255
    np.testing.assert_array_equal(load_image(image, SHAPE), pixels[crop].astype(np.float32) / np.float32(255))


def test_a_base_that_is_not_square_gets_its_own_proportions() -> None:
    pixels = noise(8, 8, 3)
    np.testing.assert_array_equal(load_image(pixels, (4, 8, 3)), pixels[2:6].astype(np.float32) / np.float32(255))


def test_resizing_keeps_a_slope() -> None:
    """A symmetric filter leaves a linear ramp linear, away from the borders."""
    ramp = np.tile(np.arange(16, dtype=np.float32) / 15, (16, 1))
    expected = (2 * np.arange(8) + 0.5) / 15
    found = load_image(ramp, (8, 8, 1))[..., 0]
    np.testing.assert_allclose(found[:, 1:-1], np.tile(expected[1:-1], (8, 1)), rtol=0, atol=1e-6)


def test_a_base_of_one_channel_gets_luminance() -> None:
    pixels = noise(*SHAPE)
    expected = pixels @ np.array([0.299, 0.587, 0.114]) / 255
    np.testing.assert_allclose(load_image(pixels / 255, (8, 8, 1))[..., 0], expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(load_image(pixels, (8, 8, 1))[..., 0], expected, rtol=0, atol=1 / 255)  # bytes


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 1)])
@pytest.mark.parametrize("scale", [1, 255])
def test_grey_images_fill_all_three_channels(shape: tuple[int, ...], scale: int) -> None:
    pixels = noise(*shape)
    found = load_image(pixels if scale == 1 else pixels / 255, SHAPE)
    expected = np.repeat(pixels.reshape(8, 8, 1), 3, axis=2).astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("mode", ["RGBA", "P", "LA", "L", "1", "CMYK"])
def test_other_modes_show_their_colours(mode: str, tmp_path: Path) -> None:
    image = Image.fromarray(noise(*SHAPE)).convert(mode)
    file = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    image.save(file)
    expected = np.asarray(image.convert("RGB"), np.float32) / np.float32(255)
    np.testing.assert_array_equal(load_image(file, SHAPE), expected)
    np.testing.assert_array_equal(load_image(image, SHAPE), expected)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB"])
def test_what_is_transparent_shows_white(mode: str, tmp_path: Path) -> None:
    """Whatever colour is hidden there; half of it shows through where the pixel is half transparent."""
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    half = mode in ("RGBA", "LA")
    image.paste((100, 100, 100, 127 if half else 255), (4, 0, 8, 8))
    image = image.convert(mode)
    if mode in ("P", "RGB"):
        image.info["transparency"] = image.getpixel((0, 0))
    image.save(tmp_path / "a.png")
    expected = np.full((8, 8, 3), 255, np.float32)
    expected[:, 4:] = 178 if half else 100  # 100 + 155 * 128 / 255
    for found in (load_image(tmp_path / "a.png", SHAPE), load_image(image, SHAPE)):
        np.testing.assert_allclose(255 * found, expected, atol=0.01)


def test_large_images_are_read_without_a_warning(tmp_path: Path) -> None:
    Image.new("1", (10_000, 9_000)).save(tmp_path / "large.png")
    Image.new("1", (20_000, 9_000)).save(tmp_path / "huge.png")
    code = (
        "import sys; from tflite_transfer.images import load_image\n"
        "load_image('large.png', (8, 8, 3))\n"
        "try: load_image('huge.png', (8, 8, 3))\n"
        "except ValueError as e: print(e)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("huge.png cannot be read as an image: Image size (180000000 pixels) exceeds limit")
    assert done.stderr == ""


def test_sixteen_bits_are_not_clipped(tmp_path: Path) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (8, 8), dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    found = load_image(tmp_path / "deep.png", (8, 8, 1))[..., 0]
    np.testing.assert_array_equal(found, deep.astype(np.float32) / np.float32(65535))


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I"])
def test_modes_of_more_than_eight_bits(mode: str) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (8, 8), dtype=np.uint16)
    image = Image.frombytes(mode, (8, 8), deep.astype({"I;16": "<u2", "I;16B": ">u2", "I": "=i4"}[mode]).tobytes())
    np.testing.assert_array_equal(load_image(image, (8, 8, 1))[..., 0], deep.astype(np.float32) / np.float32(65535))


@pytest.mark.parametrize("value", [-1, 65536, 2**31 - 1])
def test_integers_beyond_sixteen_bits_are_refused(value: int) -> None:
    image = Image.fromarray(np.full((4, 4), value, np.int32))
    assert image.mode == "I"
    with pytest.raises(ImageError, match=rf"mode I must lie in 0 to 65535, but goes from {value} to {value}"):
        load_image(image, SHAPE)


def test_pils_floats_are_a_float_array(tmp_path: Path) -> None:
    grey = np.random.default_rng(0).random((8, 8), np.float32)
    Image.fromarray(grey).save(tmp_path / "grey.tif")
    for image in (Image.fromarray(grey), tmp_path / "grey.tif"):
        np.testing.assert_array_equal(load_image(image, (8, 8, 1))[..., 0], grey)
    with pytest.raises(ImageError, match=r"a float image must lie in \[0, 1\], but goes from .* to 2\d\d"):
        load_image(Image.fromarray(grey * 255), SHAPE)


def test_a_kept_image_is_upright(tmp_path: Path) -> None:
    """A copy must not lose the orientation, which some of Pillow's formats keep outside the pixels."""
    exif = Image.Exif()
    exif[0x0112] = 6
    for name in ("a.png", "a.tif", "a.jpg", "a.webp"):
        Image.fromarray(smooth(32, 48)).save(tmp_path / name, exif=exif)
        with Image.open(tmp_path / name) as image:
            kept = keep(image)
        np.testing.assert_array_equal(load_image(kept, SHAPE), load_image(tmp_path / name, SHAPE), name)


def jpeg(path: Path) -> bytes:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    Image.fromarray(noise(32, 32, 3)).save(path, exif=exif)
    return path.read_bytes()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.6, 0.95])
def test_a_truncated_jpeg_is_named(share: float, tmp_path: Path) -> None:
    file = tmp_path / "cut.jpg"
    content = jpeg(file)
    file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ImageError, match=r"cut\.jpg (cannot be read as|is not) an image"):
        load_image(file, SHAPE)


def test_an_opened_image_whose_file_is_truncated_is_named(tmp_path: Path) -> None:
    file = tmp_path / "cut.jpg"
    file.write_bytes(jpeg(file)[:-200])
    with Image.open(file) as image, pytest.raises(ImageError, match=r"cut\.jpg cannot be read: image file is trunc"):
        load_image(image, SHAPE)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # what Pillow thinks of the damage
def test_damaged_exif_never_raises_anything_else(tmp_path: Path) -> None:
    file = tmp_path / "photo.jpg"
    content = jpeg(file)
    start, refused = content.index(b"Exif"), 0
    for position in range(start, start + 60):
        for value in (0, 1, 12, 128, 255):
            file.write_bytes(content[:position] + bytes([value]) + content[position + 1 :])
            try:
                assert load_image(file, SHAPE).shape == SHAPE
            except ImageError as e:
                assert "photo.jpg" in str(e)
                refused += 1
    assert refused


def test_what_is_no_image_file(tmp_path: Path) -> None:
    (tmp_path / "note.png").write_text("not a picture at all")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ImageError, match=r"note\.png is not an image that Pillow can read"):
        load_image(tmp_path / "note.png", SHAPE)
    with pytest.raises(ImageError, match=r"there is no image .*gone\.png"):
        load_image(str(tmp_path / "gone.png"), SHAPE)
    with pytest.raises(ImageError, match=r"folder\.png is a folder, and no image"):
        load_image(tmp_path / "folder.png", SHAPE)


FLAWED = np.full((4, 4, 3), 0.5)
FLAWED[1, 2, 0] = np.nan


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (FLAWED, r"must lie in \[0, 1\], but goes from nan to nan"),
        (np.full((4, 4), np.inf), r"must lie in \[0, 1\], but goes from inf to inf"),
        (np.full((4, 4, 3), 255.0), r"goes from 255 to 255; divide by 255\?"),
        (np.full((4, 4, 3), -0.1), r"goes from -0\.1 to -0\.1"),
        (np.zeros((4, 4, 4), np.uint8), r"\(H, W\), \(H, W, 1\) or \(H, W, 3\), but is \(4, 4, 4\)"),
        (np.zeros((1, 4, 4, 3), np.uint8), r"but is \(1, 4, 4, 3\)"),
        (np.zeros(4), r"but is \(4,\)"),
        (np.zeros((0, 4, 3)), r"but is \(0, 4, 3\)"),
        (np.zeros((4, 4, 3), np.int64), r"must be uint8, or float in \[0, 1\], but is int64"),
        (np.zeros((4, 4, 3), bool), r"but is bool"),
        (None, r"but is \(\)"),
    ],
)
def test_arrays_that_are_no_images(array: NDArray, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        load_image(array, SHAPE)
