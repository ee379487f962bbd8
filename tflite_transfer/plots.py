"""Pictures, by matplotlib (the extra ``plot``)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.prediction import Prediction
from tflite_transfer.reference.tflite.errors import OptionError, TransferError, missing_extra

COLUMNS = 6  # of the grid


def figure_for(path: Path) -> Any:
    """The class ``Figure``, which draws without a screen, if a picture can go to ``path``.

    Raises MissingExtraError without matplotlib, and OptionError for another path than a .png in a folder that is there.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as e:
        raise missing_extra("matplotlib", "a plot", "plot") from e
    if path.suffix.lower() != ".png" or path.is_dir() or not path.absolute().parent.is_dir():
        raise OptionError(f"a plot goes to a .png in a folder that is there, not to {path}.")
    return Figure


def plot_losses(losses: Mapping[str, Sequence[float]], path: Path, after: Mapping[str, int] | None = None) -> None:
    """Each curve's loss by epoch, with the curves' names as legend, into a .png.

    ``after``: how many epochs went before a curve that goes on from another; the rest begin at epoch 1.
    """
    from matplotlib.ticker import MaxNLocator

    figure = figure_for(path)(figsize=(6.4, 4), layout="constrained")
    axes = figure.add_subplot()
    styles = ["-", "--", ":", "-."]  # two backends' curves lie on one another
    for (name, values), style in zip(losses.items(), styles, strict=False):
        first = 1 + (after or {}).get(name, 0)
        marker = "o" if len(values) == 1 else ""
        axes.plot(range(first, first + len(values)), values, style, linewidth=2.5, marker=marker, label=name)
    axes.set(xlabel="epoch", ylabel="mean loss", title="Training loss")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    last = max(len(values) + (after or {}).get(name, 0) for name, values in losses.items())
    axes.set_xlim(1 - 0.02 * last, last + 0.02 * last)  # no epoch before the first
    axes.grid(alpha=0.3)
    axes.legend()
    _save(figure, path, 120)


def plot_predictions(
    pictures: Sequence[NDArray[Any]], predictions: Sequence[Prediction], truths: Sequence[str], path: Path
) -> None:
    """A grid of pictures, each with its predicted class: green where right, red where wrong, into a .png.

    A picture is grey (H, W) or RGB (H, W, 3), in uint8 or in floats from 0 to 1.
    """
    rows = math.ceil(len(pictures) / COLUMNS)
    figure = figure_for(path)(figsize=(1.5 * COLUMNS, 1.75 * rows), layout="constrained")
    grid = figure.subplots(rows, COLUMNS, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for axes, picture, best, truth in zip(grid.flat, pictures, predictions, truths, strict=False):
        right = best.class_name == truth
        axes.imshow(picture, cmap="gray", vmin=0, vmax=255 if picture.dtype == np.uint8 else 1)
        wrong = "" if right else f"\n(is {truth})"
        axes.set_title(
            f"{best.class_name} {best.confidence:.0%}{wrong}", fontsize=9, color="darkgreen" if right else "firebrick"
        )
    _save(figure, path, 110)


def _save(figure: Any, path: Path, dpi: int) -> None:
    try:
        figure.savefig(path, dpi=dpi)
    except OSError as e:
        raise TransferError(f"the plot cannot be written to {path}: {e.strerror}.") from e
