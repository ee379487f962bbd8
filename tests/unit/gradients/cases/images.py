"""Images in another size."""

from __future__ import annotations

from collections.abc import Iterator

from tests.parity.operators import fixed, normal
from tests.unit.gradients.differentiated import Derivative, of


def cases() -> Iterator[Derivative]:
    x = normal(3, 4, 5, 2)
    for size in ((8, 10), (7, 3), (4, 5), (2, 9), (1, 1)):
        for corners, centers in ((False, False), (True, False), (False, True)):
            for opcode in ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"):
                yield of(opcode, x, fixed(size), align_corners=corners, half_pixel_centers=centers)
