"""The five .tflite files of one transfer-learning model: reading them, and checking that they belong together.

Positions are the contract; names are incidental. B training batch, S bottleneck without the batch, C classes,
P the n parameters, Z the optimizer's slots:

===========  ===========================  =======================
file         inputs                       outputs
===========  ===========================  =======================
initialize   a scalar 0                   P
bottleneck   image (1, H, W, D)           (1, S)
train_head   (B, S), labels (B, C), P     loss, gradients as P
inference    (1, S), P                    probabilities (1, C)
optimizer    P, gradients as P, Z         new P, new Z
===========  ===========================  =======================
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tflite_transfer.reference.tflite.errors import BundleError, ModelError
from tflite_transfer.reference.tflite.graph import Model, Tensor
from tflite_transfer.reference.tflite.metadata import Metadata, common_metadata
from tflite_transfer.reference.tflite.reader import read
from tflite_transfer.reference.tflite.trainable import Shape, Trainable
from tflite_transfer.reference.tflite.verify import verify

ROLES: tuple[str, ...] = ("initialize", "bottleneck", "train_head", "inference", "optimizer")


@dataclass(frozen=True, kw_only=True)
class Bundle(Trainable):
    """Five files that fit together, and what they say of themselves."""

    contents: Mapping[str, bytes]  # role -> the file's bytes
    models: Mapping[str, Model]

    @property
    def base_content(self) -> bytes:
        return self.contents["bottleneck"]


def load_bundle(folder: str | Path) -> Bundle:
    """Read a folder of five files. Raises BundleError where they do not fit, ModelError for a damaged one."""
    folder = Path(folder)
    absent = [f"{role}.tflite" for role in ROLES if not (folder / f"{role}.tflite").is_file()]
    if absent:
        what = "is no folder" if not folder.is_dir() else f"has no {', '.join(absent)}"
        raise BundleError(f"{folder} {what}; a model is a folder of {', '.join(f'{r}.tflite' for r in ROLES)}.")
    try:
        return bundle({role: (folder / f"{role}.tflite").read_bytes() for role in ROLES}, str(folder))
    except OSError as e:
        raise ModelError(f"{e.filename} cannot be read: {e.strerror}.") from e


def bundle(contents: Mapping[str, bytes], source: str = "the bundle") -> Bundle:
    """Check five files' bytes against each other, and what they say of themselves against their tensors."""
    models = {role: read(contents[role], f"{role}.tflite") for role in ROLES}
    described = common_metadata(models, source)
    shapes = _Shapes(models, source)
    batch, classes = shapes.check()
    for model in models.values():
        verify(model)
    found = Bundle(
        contents=contents,
        models=models,
        id=described.bundle if described else _digest(contents),
        image_shape=shapes.shape("bottleneck", "inputs", 0)[1:],
        bottleneck_shape=shapes.shape("bottleneck", "outputs", 0)[1:],
        batch=batch,
        classes=classes,
        parameters=shapes.parameters(),
        slots=shapes.slots(),
        class_names=described.classes if described else None,
        input_range=described.input_range if described else (0.0, 1.0),
    )
    if described:
        _check_said(described, found, source)
    return found


def _check_said(said: Metadata, found: Bundle, source: str) -> None:
    """Hold what the metadata says against the tensors."""
    names, n, slots = said.classes, len(found.parameters), len(found.slots)
    facts = {
        "image_size": (said.image_size, found.image_shape[:2]),
        "bottleneck_shape": (said.bottleneck_shape, found.bottleneck_shape),
        "number of class names": (found.classes if names is None else len(names), found.classes),
        "head's number of classes": (said.head.get("classes"), found.classes),
        "head's batch": (said.head.get("batch"), found.batch),
        "number of parameters": ({"softmax": 2}.get(str(said.head.get("type")), n), n),
        "number of slots": ({"sgd": 0, "adam": 2 * n + 1}.get(str(said.optimizer.get("type")), slots), slots),
    }
    for what, (told, true) in facts.items():
        if told != true:
            raise BundleError(
                f"{source}: by its metadata the {what} is {told}, and by its tensors {true}; convert the model again."
            )
    if names is not None and (len(set(names)) < len(names) or "" in names):
        raise BundleError(f"{source} must name {len(names)} different classes, but names {', '.join(names)}.")


def _digest(contents: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for role in ROLES:
        digest.update(contents[role])
    return digest.hexdigest()[:16]


class _Shapes:
    """The shapes of five files' inputs and outputs, and the rules between them."""

    def __init__(self, models: Mapping[str, Model], source: str) -> None:
        self.source = source
        self.tensors: dict[tuple[str, str], list[Tensor]] = {}
        for role, model in models.items():
            graph = model.main
            self.tensors[role, "inputs"] = [graph.tensors[i] for i in graph.inputs]
            self.tensors[role, "outputs"] = [graph.tensors[i] for i in graph.outputs]

    def shape(self, role: str, side: str, position: int) -> Shape:
        return self.tensors[role, side][position].shape

    def check(self) -> tuple[int, int]:
        """Training batch and number of classes, when everything fits."""
        self._count("initialize", "inputs", 1)
        self._count("bottleneck", "inputs", 1)
        self._count("bottleneck", "outputs", 1)
        self._count("inference", "outputs", 1)
        params = [t.shape for t in self.tensors["initialize", "outputs"]]
        n = len(params)
        if n == 0:
            raise BundleError(f"{self.source}: initialize.tflite must have the parameters as outputs, but has none.")
        self._count("train_head", "inputs", 2 + n)
        self._float32()
        bottleneck = self._base()
        batch, classes = self._labels()
        slots = [t.shape for t in self.tensors["optimizer", "inputs"][2 * n :]]
        self._same("initialize", "inputs", [()])
        self._same("train_head", "inputs", [(batch, *bottleneck), (batch, classes), *params])
        self._same("train_head", "outputs", [(), *params])
        self._same("inference", "inputs", [(1, *bottleneck), *params])
        self._same("inference", "outputs", [(1, classes)])
        self._same("optimizer", "inputs", [*params, *params, *slots])
        self._same("optimizer", "outputs", [*params, *slots])
        return batch, classes

    def _float32(self) -> None:
        for (role, side), tensors in self.tensors.items():
            for t in tensors:
                if t.type != "FLOAT32":
                    what = f"the {side} of {role}.tflite must be float32"
                    raise BundleError(f"{self.source}: {what}, but {t.name!r} is {t.type.lower()}.")

    def _base(self) -> Shape:
        """The bottleneck's shape; of image and bottleneck only the batch may be free."""
        image, bottleneck = (self.tensors["bottleneck", side][0] for side in ("inputs", "outputs"))
        size = image.free_shape
        if len(size) != 4 or size[0] not in (1, -1) or min(size[1:]) < 1 or size[3] not in (1, 3):
            raise BundleError(
                f"{self.source}: bottleneck.tflite must take images (1, H, W, 1 or 3) of a fixed size, not {size}."
            )
        size = bottleneck.free_shape
        if len(size) < 2 or size[0] not in (1, -1) or min(size[1:]) < 1:
            raise BundleError(f"{self.source}: bottleneck.tflite must give (1, ...) of a fixed size, not {size}.")
        return bottleneck.shape[1:]

    def _labels(self) -> tuple[int, int]:
        labels = self.shape("train_head", "inputs", 1)
        if len(labels) != 2 or labels[0] < 1 or labels[1] < 2:
            raise BundleError(
                f"{self.source}: the labels of train_head.tflite must be (B, C), for 1 or more examples of 2 or more "
                f"classes, but are {labels}."
            )
        return labels[0], labels[1]

    def _count(self, role: str, side: str, count: int) -> None:
        found = len(self.tensors[role, side])
        if found != count:
            raise BundleError(f"{self.source}: {role}.tflite must have {count} {side}, but has {found}.")

    def _same(self, role: str, side: str, wanted: list[Shape]) -> None:
        found = [t.shape for t in self.tensors[role, side]]
        if found != wanted:
            raise BundleError(f"{self.source}: the {side} of {role}.tflite must be {wanted}, but are {found}.")

    def parameters(self) -> dict[str, Shape]:
        inputs = self.tensors["train_head", "inputs"][2:]
        return _by_name([_plain(t.name) for t in inputs], [t.shape for t in inputs], "parameter")

    def slots(self) -> dict[str, Shape]:
        params = self.parameters()
        state = self.tensors["optimizer", "inputs"][2 * len(params) :]
        names = [t.name for t in state]
        if len(state) == 2 * len(params) + 1:  # Adam's order, whatever a converter called them
            names = [*(f"m_{p}" for p in params), *(f"v_{p}" for p in params), "step"]
        return _by_name(names, [t.shape for t in state], "slot")


def _plain(name: str) -> str:
    """``head/placeholder_ws:0`` -> ``ws``, as the original converter calls a head's tensors."""
    return name.partition(":")[0].removeprefix("head/").removeprefix("placeholder_")


def _by_name(names: list[str], shapes: list[Shape], kind: str) -> dict[str, Shape]:
    if len(set(names)) < len(names) or "" in names:
        names = [f"{kind}_{i}" for i in range(len(names))]
    return dict(zip(names, shapes, strict=True))
