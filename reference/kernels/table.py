"""Fast kernels that take the place of a plain operator: same arguments, same result up to the order of sums.

Beyond those, a kernel may take ``bounds`` and ``packed``: see ``plan.bind`` and ``plan.prepared``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tflite_transfer.reference.kernels import conv, depthwise

FAST: Mapping[str, Callable[..., Any]] = {
    "CONV_2D": conv.conv_2d,
    "DEPTHWISE_CONV_2D": depthwise.depthwise_conv_2d,
    "FULLY_CONNECTED": conv.fully_connected,
}
