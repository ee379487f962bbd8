"""Sparse constants written from dense ones, level by level as the schema has it; the reader's way is another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]


class Layout(NamedTuple):
    """The order of the levels, those that are CSR, and the size of the blocks of each axis that is cut."""

    order: tuple[int, ...]
    csr: frozenset[int]
    blocks: Mapping[int, int]


def layout(order: Sequence[int], csr: Sequence[int], blocks: Mapping[int, int] | None = None) -> Layout:
    """``csr`` are places in the order."""
    return Layout(tuple(order), frozenset(csr), blocks or {})


def compressed(x: Array, made: Layout) -> tuple[Array, dict[str, Any]]:
    """The values that stay, and the table SparsityParameters."""
    cut = [a for a in range(x.ndim) if a in made.blocks]
    sizes = [
        n for a, size in enumerate(x.shape) for n in ((size // made.blocks[a], made.blocks[a]) if a in cut else (size,))
    ]
    axes = [a + sum(b < a for b in cut) for a in range(x.ndim)]
    axes += [axes[a] + 1 for a in cut]
    parts, metadata = [x.reshape(sizes).transpose([axes[a] for a in made.order])], []
    for level in range(len(made.order)):
        kept = [[i for i in range(len(p)) if level not in made.csr or p[i].any()] for p in parts]
        metadata.append(_level(level in made.csr, len(parts[0]), kept))
        parts = [p[i] for p, indices in zip(parts, kept, strict=True) for i in indices]
    table = {"traversal_order": np.array(made.order, np.int32), "block_map": np.array(cut, np.int32)}
    return np.array(parts, x.dtype), table | {"dim_metadata": metadata}


def _level(csr: bool, size: int, kept: list[list[int]]) -> dict[str, Any]:
    if not csr:
        return {"format": 0, "dense_size": size}
    segments, indices = np.cumsum([0, *map(len, kept)]), [i for k in kept for i in k]
    level: dict[str, Any] = {"format": 1}
    for name, values, (number, dtype) in (
        ("array_segments", segments, (1, np.int32)), ("array_indices", indices, (3, np.uint8))
    ):  # fmt: skip
        level |= {f"{name}_type": number, name: {"values": np.array(values, dtype)}}
    return level
