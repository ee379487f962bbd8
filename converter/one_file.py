"""Any network -> a training model in one file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from numbers import Integral
from pathlib import Path

from tflite_transfer.converter.classes import check_class_names, check_range
from tflite_transfer.converter.deployment.labels import labels_of
from tflite_transfer.converter.networks.network import Network
from tflite_transfer.converter.save import check_file, save_file
from tflite_transfer.converter.training.file import TrainingFile
from tflite_transfer.converter.training.losses import LOSSES, Loss
from tflite_transfer.converter.training.optimizers import Optimizer, described, named_optimizer
from tflite_transfer.reference.tflite.errors import ModelError, OptionError
from tflite_transfer.reference.tflite.graph import Model
from tflite_transfer.reference.tflite.metadata import KEY, Metadata
from tflite_transfer.reference.tflite.one_file import BATCH, classes_of, image_of
from tflite_transfer.reference.tflite.reader import read
from tflite_transfer.reference.tflite.writer import write


@dataclass(frozen=True)
class TrainingOptions:
    """How a network learns, and what its file says of itself.

    Parameters
    ----------
    loss : a name of ``LOSSES``, Keras' own. A cross-entropy is of the logits in front of the network's last SOFTMAX or
        LOGISTIC; where it ends in neither, its outputs are taken as the logits themselves
    optimizer : see ``training.optimizers``, or one of the command line's names, with Keras' numbers
    trainable : ``all``, ``biases``, ``last:N`` layers, or names with commas between them; see ``selection``
    biases : give dense layers of a .tflite that have no bias one of zeros
    class_names : in the order of the labels' columns; where not given, the labels that a .tflite carries
    input_range : what the network takes black and white as
    batch_size : how many examples a step takes where nobody says; any other may be given
    checkpoints : ``save`` and ``restore`` take a checkpoint's path; see ``TrainingFile``
    """

    loss: str = "categorical_crossentropy"
    optimizer: Optimizer | str = "adam"
    trainable: str = "all"
    biases: bool = True
    class_names: tuple[str, ...] | None = None
    input_range: tuple[float, float] = (0.0, 1.0)
    batch_size: int = BATCH
    checkpoints: bool = False

    @property
    def rule(self) -> Optimizer:
        """The optimizer itself. Raises OptionError for a name that there is not."""
        if isinstance(self.optimizer, str):
            return named_optimizer(self.optimizer, {})
        if not isinstance(self.optimizer, Optimizer):
            raise OptionError(f"the optimizer must be a name, or such as SGD(0.01), and not {self.optimizer!r}.")
        return self.optimizer

    def check(self) -> None:
        """Raise OptionError for what cannot be, whatever the network is."""
        if self.loss not in LOSSES:
            raise OptionError(f"the loss must be one of {', '.join(LOSSES)}, but is {self.loss!r}.")
        if not isinstance(self.batch_size, Integral) or not 1 <= self.batch_size < 2**31:
            raise OptionError(f"the batch size must be at least 1, and whole, but is {self.batch_size!r}.")
        if not isinstance(self.trainable, str):
            raise OptionError(f"trainable must be all, biases, last:N or names, but is {self.trainable!r}.")
        described(self.rule)
        check_class_names(self.class_names)
        check_range(self.input_range)


def make_trainable(
    source: str | Path | bytes | Model,
    out: str | Path,
    options: TrainingOptions | None = None,
    *,
    overwrite: bool = False,
) -> Path:
    """Write a training model to ``out``, and return that path.

    ``source``: a .tflite (also its bytes, or a ``Model``), a .keras or .h5 file, a SavedModel's folder, or a Keras
    model. The same source and options give the same bytes. Raises OptionError, OutputExistsError, ModelError, and
    UnsupportedOpError, which names every operator without a gradient; then nothing is written.
    """
    options, out = options or TrainingOptions(), Path(out)
    if not isinstance(options, TrainingOptions):
        raise OptionError(f"the options must be TrainingOptions, but are {options!r}.")
    options.check()
    check_file(out, "--out", overwrite=overwrite)
    network = network_of(source, options)
    if not network.trainable:
        raise ModelError(f"{network.source} has no weights that could train: its layers are frozen, or have none.")
    if options.class_names is None:
        options = replace(options, class_names=_labels(source, network))
    save_file(trainable_content(network, options), out)
    return out


def _labels(source: object, network: Network) -> tuple[str, ...] | None:
    """The class names that a .tflite carries, where there is one for each output."""
    file = Path(source) if isinstance(source, str) else source
    names = labels_of(file) if isinstance(file, bytes | Path) else None
    classes = network.infer.graph[network.infer.output].shape[-1]
    return names if names is not None and len(set(names)) == len(names) == classes else None


def network_of(source: str | Path | bytes | Model, options: TrainingOptions) -> Network:
    """The network that a source holds, with its variables."""
    if isinstance(source, str | Path):
        source = Path(source)
        if source.is_dir():
            from tflite_transfer.converter.networks.from_saved_model import load_saved_model
            from tflite_transfer.converter.networks.from_saved_model import network_of as of_saved_model

            return of_saved_model(load_saved_model(source), options.trainable, str(source))
        if source.suffix in (".keras", ".h5"):
            from tflite_transfer.converter.networks.from_keras import load_keras
            from tflite_transfer.converter.networks.from_keras import network_of as of_keras

            return of_keras(load_keras(source), options.trainable, source.name)
    if isinstance(source, str | Path | bytes | Model):
        from tflite_transfer.converter.networks.from_tflite import network_of as of_tflite

        model = source if isinstance(source, Model) else read(source)
        return of_tflite(model, options.trainable, biases=options.biases)
    from tflite_transfer.converter.networks.from_keras import network_of as of_keras

    if not hasattr(source, "stateless_call"):
        raise ModelError(f"a network is a path, a .tflite's bytes, a Model or a Keras model, and not {type(source)}.")
    return of_keras(source, options.trainable)


def trainable_content(network: Network, options: TrainingOptions) -> bytes:
    """The file's bytes."""
    loss = LOSSES[options.loss]
    model = TrainingFile(network, loss, options.rule, checkpoints=options.checkpoints).model()
    told = _told(network, loss, options)
    unsigned = write(model)
    told = replace(told, bundle=hashlib.sha256(unsigned + told.to_bytes()).hexdigest()[:16])
    return write(replace(model, metadata={KEY: told.to_bytes()}, description="tflite-transfer training"))


def _told(network: Network, loss: Loss, options: TrainingOptions) -> Metadata:
    graph, function = network.infer.graph, network.infer
    outputs, names = graph[function.output].shape, options.class_names
    classes = classes_of(options.loss, outputs)
    if names is not None and len(names) != classes:
        raise OptionError(f"{network.source} tells {classes} classes, and {len(names)} class names were given.")
    size = image_of(graph.tensors[function.x])[:2]
    return Metadata(
        bundle="",
        role="training",
        classes=names,
        image_size=(size[0], size[1]) if size else None,
        input_range=options.input_range,
        bottleneck_shape=graph[function.x].shape[1:],
        head={
            "type": "network", "loss": options.loss, "sparse": loss.sparse, "classes": classes,
            "batch": options.batch_size, "trainable": list(network.trainable),
        },
        optimizer=described(options.rule),
    )  # fmt: skip
