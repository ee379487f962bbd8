"""Writes docs/layers.md from the table of gradients and what the tests' cases and networks measure: run it as

python -m tests.parity.layer_table
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tests.parity.layers import ALL, Layer
from tests.parity.test_gradients import measured
from tests.parity.trained import DELEGATES, Trained, trained
from tflite_transfer.converter.gradients.table import RULES

PAGE = Path(__file__).parents[2] / "docs" / "layers.md"
INTRODUCTION = """# What can be trained

Written by `python -m tests.parity.layer_table` from the converter's table of gradients and from the tests' cases and
networks, run in TensorFlow {tensorflow} and LiteRT {litert} on {cpu}.

A network trains if a gradient goes through each of its operators between the loss and what is trained; the converter
names those that stop it. Keras' `Dropout` and `SpatialDropout` train too: their masks are a hash of the file's own, so
there is no number for them here. Recurrent layers must be unrolled (`unroll=True`).

At a tie the gradient is TensorFlow's: the largest of a pooling's window is the first of several, `MAXIMUM` and
`MINIMUM` give all to their first operand, `REDUCE_MAX` and `REDUCE_MIN` equal parts to each; at 0 `RELU` and `ABS`
have none.
"""
OPERATORS = """
## {count} operators with a gradient

A difference is the largest |LiteRT - float64| of a gradient over all cases, in units of 2^-24 of its largest value;
*reference* is LiteRT's resolver of plain C++ kernels, *default* the one with XNNPACK. "None": LiteRT has no such
kernel.

| operator | its gradient | reference | default |
|---|---|---|---|
"""
LAYERS = """
## {count} layers

A small network around each layer, trained for 20 steps of SGD on 1, 3 and 20 examples. A difference is the largest of
a variable from TensorFlow's, in units of 2^-24 of the largest value of all variables: *numpy* is the reference
interpreter with its compiled kernels, *default* LiteRT with XNNPACK, *no delegates* and *reference* LiteRT without.

| layer | numpy | default | no delegates | reference |
|---|---|---|---|---|
"""
SIDES = ("numpy", *DELEGATES)
SIZES = (1, 3, 20)


def operator_lines() -> list[str]:
    worst = measured()
    return [
        f"| {name} | {_told(name)} | {_number(worst[name].get('reference'))} | {_number(worst[name].get('default'))} |"
        for name in sorted(RULES)
    ]


def _told(name: str) -> str:
    """The first line of the rule's description."""
    return (RULES[name].__doc__ or "").strip().splitlines()[0].replace("|", "\\|")


def _number(value: float | None) -> str:
    return "none" if value is None else "equal" if value == 0 else f"{value:.2g}"


def apart(found: Mapping[str, Trained], side: str) -> float | None:
    """The largest difference of a variable from TensorFlow's."""
    if side not in found:
        return None
    theirs = {n: v for n, v in found["tensorflow"].variables.items() if v.dtype.kind == "f"}
    ours = {n: v for n, v in found[side].variables.items() if n in theirs}
    largest = max(float(np.abs(theirs[n]).max()) for n in ours)
    return max(float(np.abs(v - theirs[n]).max()) for n, v in ours.items()) / largest * 2**24


def layer_line(layer: Layer) -> str:
    runs = [trained(layer, size) for size in SIZES]
    worst = {side: [a for a in (apart(found, side) for found in runs) if a is not None] for side in SIDES}
    return f"| `{layer.name}` | {' | '.join(_number(max(w, default=None)) for w in worst.values())} |"


def main() -> None:
    from importlib.metadata import version

    from bench.machine import processor

    told = {"tensorflow": version("tensorflow"), "litert": version("ai-edge-litert"), "cpu": processor()}
    operators, layers = operator_lines(), [layer_line(x) for x in ALL]
    parts = (INTRODUCTION.format(**told), OPERATORS.format(count=len(RULES)), "\n".join(operators), "\n")
    PAGE.write_text("".join([*parts, LAYERS.format(count=len(ALL)), "\n".join(layers), "\n"]))


if __name__ == "__main__":
    main()
