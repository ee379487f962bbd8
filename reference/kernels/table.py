"""Fast kernels that take the place of a plain operator: same arguments, same result up to the order of sums.

Those of stored integers have no such order: every bit is the same.

Beyond those, a kernel may take ``bounds`` and ``packed``: see ``plan.bind`` and ``plan.prepared``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any


class _Kernels(Mapping[str, Callable[..., Any]]):
    """Operator to kernel, which is imported when it is looked up: to know the operators shall not cost 0.3 s."""

    def __init__(self, **places: str) -> None:
        self._places = places  # module and name

    def __getitem__(self, opcode: str) -> Callable[..., Any]:
        module, _, name = self._places[opcode].rpartition(".")
        return getattr(import_module(f"tflite_transfer.reference.kernels.{module}"), name)

    def __contains__(self, opcode: object) -> bool:
        return opcode in self._places  # Mapping's own would look it up

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


FAST: Mapping[str, Callable[..., Any]] = _Kernels(
    CONV_2D="conv.conv_2d",
    DEPTHWISE_CONV_2D="depthwise.depthwise_conv_2d",
    FULLY_CONNECTED="conv.fully_connected",
    LOG_SOFTMAX="softmax.log_softmax",
    SOFTMAX="softmax.softmax",
)
FAST_QUANTIZED: Mapping[str, Callable[..., Any]] = _Kernels(
    ADD="quantized.pairs.add",
    CONV_2D="quantized.conv.conv_2d",
    DEPTHWISE_CONV_2D="quantized.depthwise.depthwise_conv_2d",
    FULLY_CONNECTED="quantized.linear.fully_connected",
)
