"""What a conversion can be told; everything that can be wrong is found here, before anything slow."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tflite_transfer.converter.classes import check_class_names
from tflite_transfer.converter.numbers import check_number
from tflite_transfer.converter.save import check_file
from tflite_transfer.reference.tflite.bundle import ROLES
from tflite_transfer.reference.tflite.errors import OptionError, OutputExistsError
from tflite_transfer.reference.tflite.graph import Array

MOST_BYTES = 2**31  # of one array: what a device can train is far below, and a .tflite's sizes are of 32 bits

INPUT_RANGES = {"0,1": (0.0, 1.0), "-1,1": (-1.0, 1.0), "0,255": (0.0, 255.0)}

# The shape of a base's image (H, W, D) -> typical images of that shape, float32 in [0, 1].
Representative = Callable[[tuple[int, int, int]], Iterable[Array]]


@dataclass(frozen=True)
class ConversionOptions:
    """The options of ``tflite-transfer-convert``, by the same names. B examples, C classes.

    ``representative`` stands for ``--representative_data``: how images are read is the caller's business.
    """

    out_model_dir: Path | None
    optimizer: str
    num_classes: int | None = None  # 4 with a softmax head; another head has its own
    train_batch_size: int = 20
    base_mobilenetv2: bool = False
    base_model_dir: Path | None = None
    base_tflite: Path | None = None
    base_keras_model: Path | None = None
    base_weights: Path | None = None
    base_layer: str | None = None
    base_pooling: str = "none"
    base_quantize: bool = False
    representative: Representative | None = None
    image_size: int | None = None
    alpha: float | None = None
    input_range: str | None = None
    head_softmax: bool = False
    head_model_dir: Path | None = None
    head_keras_model: Path | None = None
    head_tflite: Path | None = None
    head_l2_reg: float | None = None
    sgd_learning_rate: float | None = None
    adam_learning_rate: float | None = None
    adam_beta1: float | None = None
    adam_beta2: float | None = None
    adam_epsilon: float | None = None
    class_names: tuple[str, ...] | None = None
    one_file: Path | None = None
    checkpoint_signatures: bool = False
    overwrite: bool = False

    def check(self) -> None:
        """Raise OptionError, or OutputExistsError, for the first thing that cannot be."""
        self._check_base()
        self._check_head()
        self._check_optimizer()
        self._check_output()

    def _check_base(self) -> None:
        bases = {
            "--base_mobilenetv2": self.base_mobilenetv2, "--base_model_dir": self.base_model_dir is not None,
            "--base_tflite": self.base_tflite is not None, "--base_keras_model": self.base_keras_model is not None,
        }  # fmt: skip
        self._check_companions(_exactly_one("base", bases))
        _is_folder("--base_model_dir", self.base_model_dir)
        if self.base_model_dir is not None:
            _is_file("--base_model_dir holds no SavedModel:", self.base_model_dir / "saved_model.pb")
        _is_file("--base_tflite", self.base_tflite)
        _is_file("--base_keras_model", self.base_keras_model, ".keras", ".h5")
        _is_file("--base_weights", self.base_weights, ".h5")
        _one_of("--base_pooling", self.base_pooling, "none", "avg")
        _one_of("--input_range", self.input_range or "0,1", *INPUT_RANGES)
        if self.image_size is not None and self.image_size < 32:
            raise OptionError(f"--image_size must be at least 32 for MobileNetV2, but is {self.image_size}.")
        if self.image_size is not None and 12 * self.image_size**2 > MOST_BYTES:
            raise OptionError(f"--image_size must be at most {math.isqrt(MOST_BYTES // 12)}, but is {self.image_size}.")
        if self.alpha is not None and not (math.isfinite(self.alpha) and self.alpha > 0):
            raise OptionError(f"--alpha must be more than 0, but is {self.alpha}.")

    def _check_companions(self, base: str) -> None:
        """Options that go with some bases only."""
        only = {
            "--base_weights": self.base_weights, "--image_size": self.image_size, "--alpha": self.alpha,
        }  # fmt: skip
        for name, value in only.items():
            if value is not None and base != "--base_mobilenetv2":
                raise OptionError(f"{name} goes with --base_mobilenetv2; {base} has its own.")
        if self.input_range is not None and base == "--base_mobilenetv2":
            raise OptionError("--input_range is for other bases; --base_mobilenetv2 rescales inside its graph.")
        if self.base_quantize and base == "--base_tflite":
            raise OptionError("--base_quantize quantises while converting; a --base_tflite is converted already.")
        if self.representative is not None and not self.base_quantize:
            raise OptionError("--representative_data goes with --base_quantize.")

    def _check_head(self) -> None:
        given = _exactly_one(
            "head",
            {
                "--head_softmax": self.head_softmax, "--head_model_dir": self.head_model_dir is not None,
                "--head_keras_model": self.head_keras_model is not None, "--head_tflite": self.head_tflite is not None,
            },
        )  # fmt: skip
        _is_folder("--head_model_dir", self.head_model_dir)
        _is_file("--head_keras_model", self.head_keras_model, ".keras", ".h5")
        _is_file("--head_tflite", self.head_tflite)
        if self.head_l2_reg is not None and given != "--head_softmax":
            raise OptionError(f"--head_l2_reg goes with --head_softmax; {given} has its own regularisers.")
        if self.num_classes is not None and self.num_classes < 2:
            raise OptionError(f"--num_classes must be at least 2, but is {self.num_classes}.")
        if self.train_batch_size < 1:
            raise OptionError(f"--train_batch_size must be at least 1, but is {self.train_batch_size}.")
        self.check_sizes(1)
        check_number("--head_l2_reg", self.head_l2_reg, "0 or more", lambda v: v >= 0)
        if self.head_l2_reg is not None:  # the gradient's factor
            check_number("twice --head_l2_reg", 2 * self.head_l2_reg, "0 or more", lambda v: v >= 0)
        check_class_names(self.class_names)
        names, count = self.class_names, self.classes
        if names is not None and count not in (None, len(names)):
            raise OptionError(f"--class_names must be {count} different names, but is {', '.join(names)}.")

    @property
    def classes(self) -> int | None:
        """C, where the options say it."""
        return 4 if self.num_classes is None and self.head_softmax else self.num_classes

    def check_sizes(self, features: int) -> None:
        """Raise OptionError where arrays of a head with so many features would be too large to train."""
        count = self.classes or 1
        classes, batch = f"--num_classes {count}", f"--train_batch_size {self.train_batch_size}"
        for what, rows, columns in (
            (f"{classes} with {features:,} feature(s)", count, features),
            (f"{batch} with {features:,} feature(s)", self.train_batch_size, features),
            (f"{batch} with {classes}", self.train_batch_size, count),
        ):
            if 4 * rows * columns > MOST_BYTES:
                raise OptionError(f"{what} takes an array of {4 * rows * columns:,} bytes; {MOST_BYTES:,} is the most.")

    def _check_optimizer(self) -> None:
        _one_of("--optimizer", self.optimizer, "sgd", "adam")
        if self.optimizer == "sgd" and self.sgd_learning_rate is None:
            raise OptionError("--sgd_learning_rate is required when SGD is used as an optimizer.")
        for name in ("adam_learning_rate", "adam_beta1", "adam_beta2", "adam_epsilon"):
            if self.optimizer == "sgd" and getattr(self, name) is not None:
                raise OptionError(f"--{name} goes with --optimizer adam, but the optimizer is sgd.")
        for name in ("sgd_learning_rate", "adam_learning_rate", "adam_epsilon"):
            check_number("--" + name, getattr(self, name), "more than 0", lambda v: v > 0)
        for name in ("adam_beta1", "adam_beta2"):
            check_number("--" + name, getattr(self, name), "at least 0 and less than 1", lambda v: 0 <= v < 1)

    def _check_output(self) -> None:
        if (self.out_model_dir is None) == (self.one_file is None):
            raise OptionError("either --out_model_dir, for five files, or --one_file must be given.")
        if self.checkpoint_signatures and self.one_file is None:
            raise OptionError("--checkpoint_signatures goes with --one_file.")
        if self.one_file is not None:
            check_file(self.one_file, "--one_file", overwrite=self.overwrite)
        if self.out_model_dir is not None:
            self._check_folder(self.out_model_dir)

    def _check_folder(self, out: Path) -> None:
        try:
            if out.exists() and not out.is_dir():
                raise OutputExistsError(f"--out_model_dir {out} is a file.")
            there = {p.name for p in out.iterdir()} if out.is_dir() else set()
            folders = [f"{role}.tflite" for role in ROLES if (out / f"{role}.tflite").is_dir()]
        except OSError as e:
            raise OptionError(f"--out_model_dir {out} cannot be used: {e.strerror}.") from e
        if there and not self.overwrite:
            raise OutputExistsError(f"--out_model_dir {out} is not empty; --overwrite replaces the model in it.")
        if folders:
            raise OutputExistsError(f"--out_model_dir {out}: {', '.join(folders)} is a folder, which is not replaced.")


def _exactly_one(what: str, given: Mapping[str, bool]) -> str:
    """The one option of several that is given. Raises OptionError."""
    found = [name for name, is_given in given.items() if is_given]
    if len(found) != 1:
        raise OptionError(
            f"exactly one {what} must be given ({', '.join(given)}), but got {', '.join(found) or 'none'}."
        )
    return found[0]


def _is_file(name: str, path: Path | None, *endings: str) -> None:
    if path is None:
        return
    if endings and path.suffix not in endings:
        raise OptionError(f"{name} must end in {' or '.join(endings)}, but is {path}.")
    try:
        if not path.is_file():
            raise OptionError(f"{name} {path} is not a file.")
        path.open("rb").close()
    except OSError as e:
        raise OptionError(f"{name} {path} cannot be read: {e.strerror}.") from e


def _is_folder(name: str, path: Path | None) -> None:
    if path is None:
        return
    try:
        if not path.is_dir():
            raise OptionError(f"{name} {path} is not a folder.")
        next(path.iterdir(), None)
    except OSError as e:
        raise OptionError(f"{name} {path} cannot be read: {e.strerror}.") from e


def _one_of(name: str, value: str, *allowed: str) -> None:
    if value not in allowed:
        raise OptionError(f"{name} must be one of {' | '.join(allowed)}, but is {value!r}.")
