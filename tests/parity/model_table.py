"""Writes docs/models.md from the models and what LiteRT makes of them: run it as

python -m tests.parity.model_table
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from tests.parity.models import MODELS, REFUSED, Whole
from tests.parity.models.compare import Largest, Worst, first_of, pairs, worst
from tests.parity.models.convert import KINDS
from tests.parity.operator_table import number, told
from tests.parity.operators import RESOLVERS
from tflite_transfer.reference.tflite import read

PAGE = Path(__file__).parents[2] / "docs" / "models.md"
INTRODUCTION = """# Whole models in the reference interpreter

Written by `python -m tests.parity.model_table` from the models in `tests/parity/models`, each run in LiteRT {version}
on {cpu}. Their weights mean nothing, but keep the signal's size. Those that look
at images are narrow and see 96 px, ResNet 32, unless their names say 224.

All tensors of the main graph are compared. *reference* is LiteRT's resolver of plain C++ kernels, *default* the one
with XNNPACK. A difference is the largest |ours - theirs| of all tensors after a whole run, with and without the numba
kernels, and the operator that made it: for floats in units of 2^-24 of the tensor's largest value, or in per cent of
it; for full-integer models (int8, int16: the activations) in steps.

Differences grow from operator to operator. *alone* is the largest that one operator makes by itself, given LiteRT's own
inputs, of either resolver. Where weights alone are int8 (dynamic range), LiteRT rounds the other input of each product
to 8 bits as well, and ours does not: *alone* is then a share of what that rounding can do.

*refused*: TensorFlow 2.21 does not convert the model, or LiteRT does not load the file.

| model | numbers | operators | reference | default | alone |
|---|---|---|---|---|---|
"""


def measured(whole: Whole, kind: str, content: bytes) -> dict[str, Worst]:
    """The largest differences, by resolver, with and without the numba kernels."""
    x, integers = whole.given(content), kind.startswith("int")
    return {
        resolver: worst([p for jit in (False, True) for p in pairs(content, x, resolver, jit=jit)], integers=integers)
        for resolver in RESOLVERS
    }


def run(largest: Largest, kind: str) -> str:
    """The difference of a whole run."""
    value, op = largest
    if kind == "dynamic range":
        return f"{100 * value / 2**24:.2g} % ({op})"
    return f"{number(value, kind.startswith('int'))} ({op})" if value else "equal"


def alone(found: Collection[Worst]) -> str:
    """The differences of operators by themselves."""
    steps, a = first_of(w.stored for w in found)
    units, b = first_of(largest for w in found for largest in (w.sums, w.floats))
    share, c = first_of(w.rounded for w in found)
    said = [f"{number(steps, True)} ({a})" if steps else "", f"{number(units, False)} ({b})" if units else ""]
    said.append(f"{share:.2g} of the rounding ({c})" if share else "")
    return ", ".join(filter(None, said)) or "equal"


def row(name: str, kind: str) -> str:
    if (name, kind) in REFUSED:
        return f"| {name} | {kind} | refused: {REFUSED[name, kind]} | | | |"
    content = MODELS[name].file(kind)
    by = measured(MODELS[name], kind, content)
    operators = sum(len(g.operators) for g in read(content).subgraphs)
    runs = " | ".join(run(by[r].run, kind) for r in ("reference", "default"))
    return f"| {name} | {kind} | {operators} | {runs} | {alone(by.values())} |"


def main() -> None:
    rows = [row(name, kind) for name in MODELS for kind in KINDS]
    PAGE.write_text(told(INTRODUCTION) + "\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
