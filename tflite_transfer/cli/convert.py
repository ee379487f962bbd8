"""``convert``: a base and a head to five .tflite files. Flags as in the original converter, and more."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tflite_transfer.cli.options import names
from tflite_transfer.cli.output import check_outputs, tell
from tflite_transfer.reference.tflite.errors import ImageError, OptionError

if TYPE_CHECKING:
    from tflite_transfer.converter.options import Representative


def convert(
    optimizer: Annotated[str, typer.Option("--optimizer", metavar="sgd|adam", help="What trains the head.")],
    out_model_dir: Annotated[Path | None, typer.Option("--out_model_dir", help="Folder for the five files.")] = None,
    one_file: Annotated[Path | None, typer.Option("--one_file", help="Or one .tflite for base and head.")] = None,
    train_batch_size: Annotated[int, typer.Option("--train_batch_size", help="Examples in a training batch.")] = 20,
    num_classes: Annotated[
        int | None, typer.Option("--num_classes", help="Number of classes; 4 for a softmax head, else the head's own.")
    ] = None,
    base_mobilenetv2: Annotated[
        bool, typer.Option("--base_mobilenetv2", help="Base: MobileNetV2 (needs TensorFlow).")
    ] = False,
    base_model_dir: Annotated[
        Path | None, typer.Option("--base_model_dir", help="Base: a SavedModel (needs TensorFlow).")
    ] = None,
    base_tflite: Annotated[Path | None, typer.Option("--base_tflite", help="Base: a .tflite; no TensorFlow.")] = None,
    base_keras_model: Annotated[
        Path | None, typer.Option("--base_keras_model", help="Base: a .keras or .h5 file (needs TensorFlow).")
    ] = None,
    base_weights: Annotated[
        Path | None,
        typer.Option("--base_weights", help="Keras .h5 weights for MobileNetV2 without top, instead of the download."),
    ] = None,
    base_layer: Annotated[
        str | None, typer.Option("--base_layer", help="The tensor that is the bottleneck; the output by default.")
    ] = None,
    base_pooling: Annotated[
        str, typer.Option("--base_pooling", metavar="none|avg", help="avg: the mean over height and width.")
    ] = "none",
    base_quantize: Annotated[bool, typer.Option("--base_quantize", help="Quantise the base's weights.")] = False,
    representative_data: Annotated[
        Path | None,
        typer.Option("--representative_data", help="Folder of images: with --base_quantize, a full-integer base."),
    ] = None,
    image_size: Annotated[int | None, typer.Option("--image_size", help="MobileNetV2's image; 224 by default.")] = None,
    alpha: Annotated[float | None, typer.Option("--alpha", help="MobileNetV2's width; 1.0 by default.")] = None,
    input_range: Annotated[
        str | None,
        typer.Option("--input_range", metavar="0,1|-1,1|0,255", help="What the base takes black and white as; 0,1."),
    ] = None,
    head_softmax: Annotated[bool, typer.Option("--head_softmax", help="Head: a linear layer and softmax.")] = False,
    head_model_dir: Annotated[
        Path | None, typer.Option("--head_model_dir", help="Head: a SavedModel that gives logits (needs TensorFlow).")
    ] = None,
    head_keras_model: Annotated[
        Path | None, typer.Option("--head_keras_model", help="Head: a .keras or .h5 file (needs TensorFlow).")
    ] = None,
    head_tflite: Annotated[
        Path | None, typer.Option("--head_tflite", help="Head: a .tflite, its constants made trainable; no TensorFlow.")
    ] = None,
    head_l2_reg: Annotated[float | None, typer.Option("--head_l2_reg", help="L2: this times the sum of w^2.")] = None,
    sgd_learning_rate: Annotated[float | None, typer.Option("--sgd_learning_rate", help="Required with sgd.")] = None,
    adam_learning_rate: Annotated[float | None, typer.Option("--adam_learning_rate", help="0.001 by default.")] = None,
    adam_beta1: Annotated[float | None, typer.Option("--adam_beta1", help="0.9 by default.")] = None,
    adam_beta2: Annotated[float | None, typer.Option("--adam_beta2", help="0.999 by default.")] = None,
    adam_epsilon: Annotated[float | None, typer.Option("--adam_epsilon", help="1e-8 by default.")] = None,
    class_names: Annotated[
        str | None, typer.Option("--class_names", metavar="A,B,C", help="Names to keep in the files.")
    ] = None,
    checkpoint_signatures: Annotated[
        bool,
        typer.Option(
            "--checkpoint_signatures", help="With --one_file: save and restore take a checkpoint's path (Flex)."
        ),
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a model that is there.")] = False,
) -> None:
    """Make a trainable model of a base and a head: initialize, bottleneck, train_head, inference and optimizer .tflite.

    Or, with --one_file, one .tflite with the signatures load, train, infer, save, restore and initialize.
    """
    from tflite_transfer.converter.convert import convert as make
    from tflite_transfer.converter.options import ConversionOptions

    given = {**locals(), "class_names": names(class_names), "representative": _representative(representative_data)}
    sources = [base_tflite, base_keras_model, base_weights, head_tflite, head_keras_model]
    check_outputs({"--one_file": one_file}, sources)
    made = make(ConversionOptions(**{name: given[name] for name in ConversionOptions.__dataclass_fields__}))
    files = [made] if made.is_file() else sorted(made.glob("*.tflite"))
    tell(f"{file}  {file.stat().st_size:,} bytes" for file in files)


def _representative(folder: Path | None) -> Representative | None:
    """The images in and below ``folder``, read as a model reads its own; bad ones are named before anything slow."""
    if folder is None:
        return None
    from tflite_transfer.images import ENDINGS, load_image

    try:
        next(folder.iterdir(), None)  # rglob passes over a folder that it may not read
    except OSError as e:
        raise OptionError(f"--representative_data {folder} cannot be read: {e.strerror}.") from e
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in ENDINGS and not p.name.startswith("."))
    if not files:
        raise OptionError(f"--representative_data {folder} holds no image ({', '.join(sorted(ENDINGS))}).")
    bad: list[str] = []
    for file in files:
        try:
            load_image(file, (1, 1, 3))
        except ImageError as e:
            bad.append(str(e))
    if bad:
        raise ImageError("\n  ".join([f"{len(bad)} image(s) cannot be read:", *bad]))
    return lambda shape: (load_image(file, shape) for file in files)
