"""What training has learned, in one ``.safetensors`` file: parameters, optimizer slots, and where the shuffle stands.

The file's tensors are the parameters and slots by name. Its header's metadata holds ``format`` (2), ``bundle`` (the
model's id), ``classes`` (a JSON list), ``seed``, and the fields of ``Position``. Either backend reads what the other
wrote.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_transfer.reference.atomic import write_atomically
from tflite_transfer.reference.tflite.errors import OptionError, StateError
from tflite_transfer.reference.tflite.trainable import Trainable

Array = NDArray[Any]
FORMAT = "2"


@dataclass(frozen=True)
class Position:
    """Where a training stands: with the seed, which batch comes next."""

    epoch: int = 0  # finished epochs
    done: int = 0  # batches of the epoch after them
    samples: int = 0  # N, for which this epoch's order was drawn; 0 where none was drawn yet
    loss: float = 0.0  # the sum over the batches done

    def among(self, samples: int) -> Position:
        """The same position, if the epoch's order was drawn for so many samples; else the beginning of the epoch."""
        return self if samples == self.samples else Position(self.epoch, samples=samples)

    def after(self, losses: Array) -> Position:
        """More batches of the same epoch done. Summed one by one: the same bits however the batches were grouped."""
        total = np.add.accumulate(np.concatenate([[self.loss], losses]), dtype=np.float64)[-1]
        return Position(self.epoch, self.done + len(losses), self.samples, float(total))


@dataclass(frozen=True)
class State:
    """Everything that training changes."""

    params: Mapping[str, Array]
    slots: Mapping[str, Array]
    classes: tuple[str, ...] | None
    seed: int
    position: Position

    @property
    def epoch(self) -> int:
        """How many epochs were finished."""
        return self.position.epoch


def check_state_path(path: Path) -> Path:
    """The same path, if a state can be there: after the training it would be too late. Raises OptionError."""
    if path.is_dir():
        raise OptionError(f"state {path} is a folder; it must name a file.")
    if not path.absolute().parent.is_dir():
        raise OptionError(f"state {path}: there is no folder {path.absolute().parent}.")
    return path


def save_state(path: Path, state: State, bundle: Trainable) -> None:
    """Write a state, whole or not at all. Raises StateError."""
    from safetensors.numpy import save

    metadata = {
        "format": FORMAT, "bundle": bundle.id, "classes": json.dumps(state.classes, ensure_ascii=False),
        "seed": str(state.seed), **{k: repr(v) for k, v in asdict(state.position).items()},
    }  # fmt: skip
    tensors = {k: np.asarray(v, order="C") for k, v in {**state.params, **state.slots}.items()}
    try:
        write_atomically(path, _in_order(save(tensors, metadata)))
    except OSError as e:
        raise StateError(f"the state cannot be written to {path}: {e.strerror}.") from e


def _in_order(content: bytes) -> bytes:
    """The same file with its header's names sorted: safetensors shuffles the metadata, and equal states differ."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8:end]), ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + content[end:]


def load_state(path: Path, bundle: Trainable) -> State:
    """Read a state of this very model. Raises StateError, which says what does not fit."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            there = set(file.keys()) & {*bundle.parameters, *bundle.slots}
            tensors = {name: file.get_tensor(name) for name in there}
    except (OSError, SafetensorError, TypeError) as e:  # TypeError: a type that NumPy does not have
        told = str(e).removesuffix(f": {path}")  # of a file that is not there
        raise StateError(f"{path} cannot be read as a state: {told}") from e
    if metadata.get("format") != FORMAT:
        raise StateError(f"{path} has state format {metadata.get('format')}; this program reads format {FORMAT}.")
    if metadata.get("bundle") != bundle.id:
        raise StateError(f"{path} belongs to the model {metadata.get('bundle')}, and this is {bundle.id}.")
    params, slots = (
        {k: _tensor(path, tensors, k, shape, bundle.type_of(k)) for k, shape in side.items()}
        for side in (bundle.parameters, bundle.slots)
    )
    try:
        classes = _classes(json.loads(metadata["classes"]), bundle.classes)
        seed, position = _whole(metadata["seed"]), _position(metadata, bundle.batch)
    except (KeyError, ValueError) as e:
        raise StateError(f"{path} is damaged: its header lacks seed, position or classes ({e}).") from e
    return State(params, slots, classes, seed, position)


def _classes(names: Any, count: int) -> tuple[str, ...] | None:
    if names is None:
        return None
    if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
        raise ValueError(f"{names!r} are no names")
    if not len(names) == len(set(names)) == count:
        raise ValueError(f"{names!r} are not the names of {count} classes")
    return tuple(names)


def _position(metadata: Mapping[str, str], batch: int) -> Position:
    epoch, done, samples = (_whole(metadata[key]) for key in ("epoch", "done", "samples"))
    if done and not (samples >= batch and done * batch < samples):
        raise ValueError(f"{done} batches of {batch} do not lie within an epoch of {samples} samples")
    return Position(epoch, done, samples, float(metadata["loss"]))


def _whole(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError(f"{number} is negative")
    return number


def _tensor(path: Path, tensors: Mapping[str, Array], name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    found = tensors.get(name)
    if found is None or found.shape != shape or found.dtype != dtype:
        what = "is not there" if found is None else f"is {found.dtype} {found.shape}"
        raise StateError(f"{path} does not fit the model: {name} must be {dtype} {shape}, but {what}.")
    return found
