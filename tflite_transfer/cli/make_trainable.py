"""``make-trainable``: any network to a training model in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tflite_transfer.cli.options import names
from tflite_transfer.cli.output import check_outputs, tell
from tflite_transfer.reference.tflite.errors import OptionError


def make_trainable(
    network: Annotated[
        Path, typer.Argument(metavar="NETWORK", help="A .tflite, .keras, .h5, or a SavedModel's folder.")
    ],
    out: Annotated[Path, typer.Option("--out", help="The .tflite to write.")],
    loss: Annotated[
        str,
        typer.Option(
            "--loss",
            metavar="NAME",
            help="categorical_crossentropy, sparse_categorical_crossentropy, binary_crossentropy, mean_squared_error, "
            "mean_absolute_error. A cross-entropy is taken of the logits before the network's last softmax or sigmoid.",
        ),
    ] = "categorical_crossentropy",
    optimizer: Annotated[
        str, typer.Option("--optimizer", metavar="sgd|adam|adamw|rmsprop", help="Keras' formulas.")
    ] = "adam",
    learning_rate: Annotated[
        float | None, typer.Option("--learning_rate", help="Keras' default where not given.")
    ] = None,
    momentum: Annotated[float | None, typer.Option("--momentum", help="For sgd and rmsprop; 0 by default.")] = None,
    nesterov: Annotated[bool, typer.Option("--nesterov", help="For sgd with a momentum.")] = False,
    beta1: Annotated[float | None, typer.Option("--beta1", help="For adam and adamw; 0.9 by default.")] = None,
    beta2: Annotated[float | None, typer.Option("--beta2", help="For adam and adamw; 0.999 by default.")] = None,
    epsilon: Annotated[
        float | None, typer.Option("--epsilon", help="For adam, adamw and rmsprop; 1e-7 by default.")
    ] = None,
    weight_decay: Annotated[float | None, typer.Option("--weight_decay", help="For adamw; 0.004 by default.")] = None,
    rho: Annotated[float | None, typer.Option("--rho", help="For rmsprop; 0.9 by default.")] = None,
    trainable: Annotated[
        str,
        typer.Option(
            "--trainable",
            metavar="all|biases|last:N|NAME,...",
            help="Which weights train; names as inspect shows them, * for any part.",
        ),
    ] = "all",
    class_names: Annotated[
        str | None, typer.Option("--class_names", metavar="A,B,C", help="To keep in the file.")
    ] = None,
    input_range: Annotated[
        str, typer.Option("--input_range", metavar="0,1|-1,1|0,255", help="What the network takes black and white as.")
    ] = "0,1",
    batch_size: Annotated[int, typer.Option("--batch_size", help="Examples a step takes where nobody says.")] = 32,
    no_added_biases: Annotated[
        bool, typer.Option("--no_added_biases", help="Leave dense layers of a .tflite that have no bias without one.")
    ] = False,
    checkpoint_signatures: Annotated[
        bool,
        typer.Option("--checkpoint_signatures", help="save and restore take a TensorFlow checkpoint's path (Flex)."),
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
) -> None:
    """Make a training model in one file of NETWORK.

    Its signatures: train, infer, save, restore, initialize, set_learning_rate.
    """
    given = {
        "learning_rate": learning_rate, "momentum": momentum, "nesterov": nesterov or None, "beta1": beta1,
        "beta2": beta2, "epsilon": epsilon, "weight_decay": weight_decay, "rho": rho,
    }  # fmt: skip
    from tflite_transfer.converter.one_file import TrainingOptions
    from tflite_transfer.converter.one_file import make_trainable as make
    from tflite_transfer.converter.options import INPUT_RANGES
    from tflite_transfer.converter.training.optimizers import named_optimizer

    if input_range not in INPUT_RANGES:
        raise OptionError(f"--input_range must be one of {' | '.join(INPUT_RANGES)}, but is {input_range!r}.")
    options = TrainingOptions(
        loss, named_optimizer(optimizer, {k: v for k, v in given.items() if v is not None}), trainable,
        biases=not no_added_biases, class_names=names(class_names), input_range=INPUT_RANGES[input_range],
        batch_size=batch_size, checkpoints=checkpoint_signatures,
    )  # fmt: skip
    if not network.exists():
        raise OptionError(f"NETWORK {network} is not there.")
    check_outputs({"--out": out}, [network])
    file = make(network, out, options, overwrite=overwrite)
    tell([f"{file}  {file.stat().st_size:,} bytes"])
