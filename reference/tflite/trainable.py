"""A model that can be trained, as all that trains it sees it: five files or one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Shape = tuple[int, ...]
FLOAT32 = np.dtype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Trainable:
    """Sizes and names. ``bottleneck_shape`` is that of what is cached of a sample: of a network without a base, x."""

    id: str
    image_shape: Shape  # (H, W, D)
    bottleneck_shape: Shape  # S
    batch: int  # B
    classes: int  # C
    parameters: Mapping[str, Shape]  # in the order of the files
    slots: Mapping[str, Shape]  # what else training moves
    class_names: tuple[str, ...] | None
    input_range: tuple[float, float]
    types: Mapping[str, np.dtype[Any]] = field(default_factory=dict)  # of slots that are not float32

    @property
    def features(self) -> int:
        """F, the number of values in a bottleneck."""
        return math.prod(self.bottleneck_shape)

    @property
    def base_content(self) -> bytes:
        """The bytes of the file that makes bottlenecks."""
        raise NotImplementedError

    def type_of(self, name: str) -> np.dtype[Any]:
        """A parameter's or slot's type."""
        return self.types.get(name, FLOAT32)
