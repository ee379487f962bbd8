"""A training model in one file: which of its signatures does what, and its variables.

===========  ============================  ===============================================
signature    arguments                     results
===========  ============================  ===============================================
train        x, y                          loss; every variable moves by a step
infer        x                             output, logits
save         none                          every variable by name
restore      every variable by name        none
initialize   none                          none; every variable's first value
===========  ============================  ===============================================

With a frozen base ``load`` makes a bottleneck of x, which ``train`` then takes, and ``classify`` infers from it. Files
of other converters do the same by these names, but for ``save`` and ``restore``, which take a checkpoint's path.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tflite_transfer.reference.tflite.errors import ModelError
from tflite_transfer.reference.tflite.graph import Array, Model, Signature, Subgraph, Tensor
from tflite_transfer.reference.tflite.metadata import metadata
from tflite_transfer.reference.tflite.reader import content_of, read
from tflite_transfer.reference.tflite.trainable import FLOAT32, Shape, Trainable
from tflite_transfer.reference.tflite.verify import verify

BYTES = (0.0, 255.0)  # what is black and white where x is uint8
BATCH = 32  # where the file names none: Keras' own
_LABELS = ("y", "label", "labels")


@dataclass(frozen=True)
class Call:
    """A signature of one data argument and one result that is wanted."""

    key: str
    argument: str
    result: str


@dataclass(frozen=True)
class Roles:
    """What each signature is for. ``base`` is None where the whole network trains."""

    train: Call
    labels: str
    infer: Call
    base: Call | None


@dataclass(frozen=True, kw_only=True)
class OneFile(Trainable):
    """A training model in one file. ``sparse``: its labels are class numbers, not one-hot.

    ``parameters`` are the variables that ``infer`` reads, a batch norm's means among them; ``slots`` are the others.
    """

    content: bytes
    model: Model
    roles: Roles
    sparse: bool
    loss: str | None  # None where the file does not say

    @property
    def base_content(self) -> bytes:
        return self.content

    @property
    def x(self) -> Tensor:
        """What an example is given as: an image of the base, or the network's argument."""
        call = self.roles.base or self.roles.infer
        return _argument(self.model, call.key, call.argument)

    @property
    def classifies(self) -> bool:
        """Does it tell classes, as far as the file says?"""
        return self.loss is None or self.loss.endswith("categorical_crossentropy") or self.binary

    @property
    def binary(self) -> bool:
        """Is its output one number, the probability of the second of two classes?"""
        return _is_binary(self.loss, self.output.free_shape)

    @property
    def output(self) -> Tensor:
        """What it infers."""
        return _result(self.model, self.roles.infer)

    def signature(self, key: str) -> Signature:
        """One that the file has."""
        return _signature(self.model, key)

    def as_x(self, values: Array) -> Array:
        """(B, ...) as many values an example as x has, in its shape and type; bytes of an image are rounded."""
        shaped, dtype = values.reshape(len(values), *self.x.free_shape[1:]), self.x.dtype
        return (np.rint(shaped) if dtype.kind in "iu" else shaped).astype(dtype, copy=False)


def load_one_file(path: str | Path) -> OneFile:
    """Read a training model. Raises ModelError for a file that is damaged, or none."""
    return one_file(content_of(Path(path)), Path(path).name)


def one_file(content: bytes, source: str = "the model") -> OneFile:
    """The same from bytes."""
    model = read(content, source)
    verify(model)
    roles = roles_of(model)
    said = metadata(model)
    x = _argument(model, (roles.base or roles.infer).key, (roles.base or roles.infer).argument)
    cached = _argument(model, roles.train.key, roles.train.argument)
    labels = _argument(model, roles.train.key, roles.labels)
    variables = _variables(model)
    shapes = {name: t.shape for name, t in variables.items()}
    used = dict(_read(_graph(model, roles.infer.key)))
    loss = str(said.head["loss"]) if said and "loss" in said.head else None
    outputs = _result(model, roles.infer).free_shape
    return OneFile(
        content=content,
        model=model,
        roles=roles,
        sparse=labels.dtype.kind in "iu",
        loss=loss,
        id=said.bundle if said else hashlib.sha256(content).hexdigest()[:16],
        image_shape=image_of(x),
        bottleneck_shape=cached.free_shape[1:],
        batch=int(said.head.get("batch", BATCH)) if said else BATCH,
        classes=classes_of(loss, outputs),
        parameters={n: shapes[n] for n in used},
        slots={n: s for n, s in shapes.items() if n not in used},
        class_names=said.classes if said else None,
        input_range=BYTES if x.type == "UINT8" else said.input_range if said else (0.0, 1.0),
        types={n: t.dtype for n, t in variables.items() if t.dtype != FLOAT32},
    )


def trains(model: Model) -> bool:
    """Has it the signatures of a training model?"""
    return {"train", "infer"} <= {s.key for s in model.signatures}


def roles_of(model: Model) -> Roles:
    """Find the signatures by their names. Raises ModelError for a file that is no training model."""
    signatures = {s.key: s for s in model.signatures}
    if not trains(model):
        raise ModelError(
            f"{model.source} is no training model: it has the signatures {sorted(signatures) or 'none'}, and one has "
            "train and infer. make-trainable makes one of a network."
        )
    train, infer = signatures["train"], signatures["infer"]
    labels = [name for name in train.inputs if name in _LABELS]
    if len(train.inputs) != 2 or len(labels) != 1 or not train.outputs or len(infer.inputs) != 1 or not infer.outputs:
        raise ModelError(
            f"{model.source}: train must take data and labels ({', '.join(_LABELS)}), and infer data, but they take "
            f"{sorted(train.inputs)} and {sorted(infer.inputs)}."
        )
    (data,) = set(train.inputs) - set(labels)
    base = signatures.get("load")
    if base is not None:
        infer = signatures.get("classify", infer)
    return Roles(
        Call("train", data, _first(train, "loss")),
        labels[0],
        Call(infer.key, next(iter(infer.inputs)), _first(infer, "output")),
        None if base is None else Call("load", next(iter(base.inputs)), _first(base, "bottleneck")),
    )


def _first(signature: Signature, name: str) -> str:
    return name if name in signature.outputs else next(iter(signature.outputs))


def _signature(model: Model, key: str) -> Signature:
    return next(s for s in model.signatures if s.key == key)


def _graph(model: Model, key: str) -> Subgraph:
    return model.subgraphs[_signature(model, key).subgraph]


def _argument(model: Model, key: str, name: str) -> Tensor:
    return _graph(model, key).tensors[_signature(model, key).inputs[name]]


def _result(model: Model, call: Call) -> Tensor:
    return _graph(model, call.key).tensors[_signature(model, call.key).outputs[call.result]]


def classes_of(loss: str | None, outputs: Shape) -> int:
    """How many classes outputs (B, ..., C) tell."""
    return 2 if _is_binary(loss, outputs) else outputs[-1]


def _is_binary(loss: str | None, outputs: Shape) -> bool:
    return loss == "binary_crossentropy" and outputs[1:] == (1,)


def image_of(x: Tensor) -> Shape:
    """(H, W, D) of an argument that can be an image, of floats or of bytes; else ()."""
    size = x.free_shape[1:] if x.type in ("FLOAT32", "UINT8") else ()
    if len(size) == 2 and -1 not in size:
        return (*size, 1)
    return size if len(size) == 3 and -1 not in size and size[2] in (1, 3) else ()


def _variables(model: Model) -> dict[str, Tensor]:
    """Each variable with a tensor of its shape and type: what is read from it somewhere."""
    return {name: tensor for graph in model.subgraphs for name, tensor in _read(graph)}


def _read(graph: Subgraph) -> Iterator[tuple[str, Tensor]]:
    """The variables that a sub-graph reads, with their values' tensors."""
    opened = [o for o in graph.operators if o.opcode == "VAR_HANDLE"]
    handles = {o.outputs[0]: o.options.get("shared_name") or "" for o in opened}
    for operator in graph.operators:
        if operator.opcode == "READ_VARIABLE" and operator.inputs[0] in handles:
            yield handles[operator.inputs[0]], graph.tensors[operator.outputs[0]]
