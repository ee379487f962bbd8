"""Writes demo/photos: four Fashion-MNIST classes as folders of PNG files."""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from tflite_transfer.idx import read_idx

CLASSES = {"T-shirt": 0, "Trouser": 1, "Sneaker": 7, "Bag": 8}
PARTS = {"train": ("train", 20), "test": ("t10k", 50)}  # folder: (part of the data set, photos per class)
DEFAULT_TARGET = Path(__file__).resolve().parent / "photos"


def write_part(source: Path, target: Path, part: str, count: int) -> None:
    """Writes the first `count` photos of each class, in file order, as target/CLASS/NN.png."""
    images = read_idx(source / f"{part}-images-idx3-ubyte.gz")
    labels = read_idx(source / f"{part}-labels-idx1-ubyte.gz")
    for name, label in CLASSES.items():
        folder = target / name
        folder.mkdir(parents=True, exist_ok=True)
        for number, index in enumerate(np.flatnonzero(labels == label)[:count]):
            Image.fromarray(images[index]).save(folder / f"{number:02d}.png", optimize=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="folder of the *-ubyte.gz files of Debian's dataset-fashion-mnist")
    parser.add_argument("--target", type=Path, default=DEFAULT_TARGET)
    arguments = parser.parse_args()
    for folder, (part, count) in PARTS.items():
        write_part(arguments.source, arguments.target / folder, part, count)


if __name__ == "__main__":
    main()
