"""Reads a PyTorch state dict without PyTorch."""

import pickle
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

TORCH_MAGIC = 0x1950A86A20F9469CFC6C
TORCH_PROTOCOL = 1001
STORAGE_DTYPES = {"FloatStorage": "<f4", "LongStorage": "<i8"}


@dataclass(frozen=True)
class TensorRecord:
    """A pickled tensor: its view of a storage whose bytes come later in the stream (sizes in elements)."""

    storage: tuple[str, str, int]  # key, dtype, element count
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _rebuild_tensor(
    storage: tuple[str, str, int], offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
) -> TensorRecord:
    """Stands in for torch._utils._rebuild_tensor_v2."""
    return TensorRecord(storage, offset, shape, strides)


class _StateDictUnpickler(pickle.Unpickler):
    """Unpickles a state dict of tensors, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if module == "torch" and name in STORAGE_DTYPES:
            return STORAGE_DTYPES[name]
        raise pickle.UnpicklingError(f"refused: {module}.{name}")

    def persistent_load(self, pid: Any) -> tuple[str, str, int]:
        kind, dtype, key, _device, count, view = pid
        if kind != "storage" or dtype not in STORAGE_DTYPES.values() or view is not None:
            raise pickle.UnpicklingError(f"refused: persistent id {pid!r}")
        return key, dtype, count


def _read_storages(stream: BinaryIO, keys: list[str], records: list[TensorRecord]) -> dict[str, np.ndarray]:
    """Reads the raw storages that follow the pickles, each a 64-bit element count and its elements."""
    kinds = {record.storage[0]: record.storage[1:] for record in records}
    storages = {}
    for key in keys:
        dtype, count = kinds[key]
        if int.from_bytes(stream.read(8), "little") != count:
            raise ValueError(f"storage {key}: not {count} elements long")
        storages[key] = np.frombuffer(stream.read(count * np.dtype(dtype).itemsize), dtype, count)
    return storages


def _view(storage: np.ndarray, record: TensorRecord) -> np.ndarray:
    """The tensor that a record describes, checked to lie inside its storage."""
    last = record.offset + sum((size - 1) * stride for size, stride in zip(record.shape, record.strides, strict=True))
    if min(record.shape, default=1) < 1 or min(record.offset, *record.strides, 0) < 0 or last >= storage.size:
        raise ValueError("tensor outside its storage")
    strides = [stride * storage.itemsize for stride in record.strides]
    return np.lib.stride_tricks.as_strided(storage[record.offset :], record.shape, strides, writeable=False)


def load_state_dict(stream: BinaryIO) -> dict[str, np.ndarray]:
    """Reads a state dict in PyTorch's format from before 1.6: five pickles, then raw storages.

    Returns a float32 or int64 array per name, of the shape PyTorch gave it.
    """
    magic, protocol, system = (_StateDictUnpickler(stream).load() for _ in range(3))
    if magic != TORCH_MAGIC or protocol != TORCH_PROTOCOL or not system["little_endian"]:
        raise ValueError("not a little-endian PyTorch stream of protocol 1001")
    records: dict[str, TensorRecord] = _StateDictUnpickler(stream).load()
    keys: list[str] = _StateDictUnpickler(stream).load()
    storages = _read_storages(stream, keys, list(records.values()))
    return {name: _view(storages[record.storage[0]], record) for name, record in records.items()}
