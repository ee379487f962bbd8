"""What is told of one stage of a training step, as plain data: the page and the terminal show the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from tflite_transfer.diagnostics.findings import Difference
from tflite_transfer.diagnostics.metrics import difference
from tflite_transfer.diagnostics.page.code import Source, source
from tflite_transfer.diagnostics.page.formula import Math
from tflite_transfer.diagnostics.page.numbers import short, table
from tflite_transfer.reference.tflite.graph import Array

FULL = 80  # numbers that are shown one by one; of more a slice, and a picture
ROWS, COLUMNS = 8, 10  # of the slice
SHORT = {
    "image": "image", "bottleneck": "features", "logits": "scores", "softmax": "softmax", "loss": "loss",
    "dlogits": "p − y", "gradients": "gradients", "batch": "each sample", "sgd": "SGD", "adam": "Adam",
    "rmsprop": "RMSprop", "scores": "scores", "chain": "gradients", "own-rule": "the step", "after": "after",
}  # fmt: skip


@dataclass(frozen=True)
class Reference:
    """Where a formula can be read up."""

    text: str
    link: str


@dataclass(frozen=True)
class Lesson:
    """What holds of a stage whatever the model: its formulas, and in two lines where they come from."""

    title: str
    says: str
    formulas: tuple[Math, ...]
    why: tuple[str, str]
    reference: Reference


@dataclass(frozen=True)
class Symbol:
    """A letter, what it stands for, and its shape or number in this model."""

    letter: Math
    meaning: str
    here: str


def is_image(array: Array) -> bool:
    """Is it what a convolution takes, (1, H, W, D), and large enough to be seen?"""
    return array.ndim == 4 and len(array) == 1 and min(array.shape[1:3]) >= 4 and array.dtype.kind in "fiu"


def seen(array: Array) -> Array:
    """(H, W, D) -> (H, W): the mean size over the channels, the least as 0 and the largest as 1."""
    size = np.abs(array.astype(np.float64)).mean(axis=-1)
    low, high = size.min(), size.max()
    return (size - low) / (high - low or 1)


class Grid(NamedTuple):
    """Numbers as they are shown, with the names of rows and columns where they have any."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: list[list[str]]
    factor: str


@dataclass(frozen=True, eq=False)
class Value:
    """An array with the names of its rows and columns. ``exact`` is the same computed in float64, where it was."""

    letter: Math
    meaning: str
    array: Array
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    exact: Array | None = None
    kind: str = "numbers"  # or image, or path: numbers that have no scale in common

    @property
    def laid(self) -> Array:
        """As rows and columns (R, C); what is tall and large lies down."""
        array = np.asarray(self.array)
        flat = array.reshape(1, -1) if array.ndim < 2 or array.shape[-1] == 1 else array.reshape(-1, array.shape[-1])
        return flat.T if self._lies else flat

    @property
    def _lies(self) -> bool:
        array = np.asarray(self.array)
        if self.kind == "path" or array.ndim < 2 or array.size <= FULL:
            return False
        return array.size > array.shape[-1] ** 2 and array.shape[-1] > 1

    @property
    def is_scalar(self) -> bool:
        """One number?"""
        return np.size(self.array) == 1

    @property
    def is_small(self) -> bool:
        """Can every number be shown?"""
        rows, columns = self.laid.shape
        return self.kind == "path" or (rows * columns <= FULL and (rows == 1 or columns <= 2 * COLUMNS))

    @property
    def is_row(self) -> bool:
        """A number for each name, which goes into one table with others of the same names."""
        return (
            self.kind == "numbers"
            and np.ndim(self.array) == 1
            and 1 < len(self.columns) == np.size(self.array) <= COLUMNS
        )

    @property
    def grid(self) -> Grid:
        """What is shown number by number: all, or the first rows and columns."""
        laid = self.laid
        if self.kind == "path":  # unlike numbers, each in its own scale
            return Grid(self.rows, self.columns, [[short(v, 5) for v in line] for line in laid], "")
        rows, columns = (self.columns, self.rows) if self._lies else (self.rows, self.columns)
        if len(laid) == 1 and not columns and self.is_small:  # a long row is broken like a line of text
            cells = table(laid)
            lines = [cells.cells[0][i : i + COLUMNS] for i in range(0, laid.shape[1], COLUMNS)]
            names = tuple(f"{i} …" for i in range(0, laid.shape[1], COLUMNS)) if len(lines) > 1 else ()
            return Grid(names, (), lines, cells.factor)
        part = laid if self.is_small else laid[:ROWS, :COLUMNS]
        shown = table(part)
        if not rows and len(part) > 1:
            rows = tuple(map(str, range(len(part))))
        columns = columns or tuple(map(str, range(part.shape[1])))
        return Grid(rows[: len(part)], columns[: part.shape[1]], shown.cells, shown.factor)

    @property
    def picture(self) -> Array:
        """As a picture: an image's channels by their mean size; one long row is folded to a block."""
        array = np.asarray(self.array)
        if is_image(array):
            return seen(array[0])
        laid = self.laid
        if len(laid) > 1 or laid.size <= 64:
            return laid
        width = 4 * int(np.ceil(np.sqrt(laid.size) / 2))
        folded = np.full(-(-laid.size // width) * width, 0.0)
        folded[: laid.size] = laid[0]
        return folded.reshape(-1, width)

    @property
    def picture_height(self) -> float:
        """In rem: a strip must be high enough to be seen, a block not higher than a screen."""
        rows, columns = self.picture.shape
        return round(min(13.0, max(0.75 * rows, 52.0 * rows / columns)), 2)

    @property
    def picture_style(self) -> str:
        """CSS: images keep their proportions, and tables are as wide as the page."""
        rows, columns = self.picture.shape
        if is_image(np.asarray(self.array)):
            return f"width:{round(13 * columns / rows, 2)}rem;max-width:100%"
        return f"height:{self.picture_height}rem"

    @property
    def told_slice(self) -> str:
        """Which part of the whole the numbers are."""
        laid, part = self.laid.shape, self.laid[:ROWS, :COLUMNS].shape
        rows = f"{part[0]} of {laid[0]:,} rows and " if part[0] < laid[0] else ""
        columns = f"{part[1]} of {laid[1]:,}" if part[1] < laid[1] else f"all {laid[1]:,}"
        most = short(float(np.abs(self.laid).max(initial=0)))
        return f"The first {rows}{columns}; the largest of all is {most} in size."

    @property
    def rounding(self) -> tuple[float, float] | None:
        """How far float32 is from float64 here, with all that came before; and the same in units in the last place."""
        if self.exact is None:
            return None
        ours = np.asarray(self.array)
        apart = np.abs(ours.astype(np.float64) - self.exact)
        return float(apart.max(initial=0)), float((apart / np.spacing(np.abs(ours))).max(initial=0))


@dataclass(frozen=True)
class Check:
    """What LiteRT gives for the same inputs: the difference, and what rounding allows, both where they are nearest."""

    what: Math
    found: Difference
    allowed: float | None  # where the share is largest; None where nothing says it

    @property
    def agrees(self) -> bool:
        """Is the difference within what rounding allows? True where nothing says what that is, and all is finite."""
        share = self.found.share
        return np.isfinite(self.found.max_abs) if share is None else share <= 1


def check(what: Math, ours: Array, theirs: Array, allowed: Array | None) -> Check:
    """Hold our values against another backend's; ``allowed`` is what may lie between them, element by element."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    found = difference(ours, theirs, allowed=allowed)
    if allowed is None:
        return Check(what, found, None)
    every = np.broadcast_to(allowed, ours.shape)
    return Check(what, found, float(every[found.worst.index] if found.worst else every.max(initial=0.0)))


@dataclass(frozen=True, eq=False)
class Stage:
    """One stage of this very step."""

    key: str
    lesson: Lesson
    symbols: tuple[Symbol, ...]
    values: tuple[Value, ...]
    functions: tuple[Callable[..., Any], ...]
    checks: tuple[Check, ...] = ()
    note: str = ""

    @property
    def sources(self) -> tuple[Source, ...]:
        """The definitions that computed it, as they stand in the package."""
        return tuple(source(f) for f in self.functions)

    @property
    def blocks(self) -> list[list[Value]]:
        """The values, those that go into one table together."""
        found = groupby(enumerate(self.values), key=lambda pair: pair[1].columns if pair[1].is_row else pair[0])
        return [[value for _, value in pairs] for _, pairs in found]

    @property
    def short(self) -> str:
        """What a list of the stages calls it."""
        return SHORT[self.key]
