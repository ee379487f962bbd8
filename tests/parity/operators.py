"""Files of one operator, run by LiteRT, and how far apart two results may be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from ai_edge_litert.interpreter import Interpreter as LiteRT
from ai_edge_litert.interpreter import OpResolverType

from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.ops.table import TABLE
from tflite_transfer.reference.tflite import write
from tflite_transfer.reference.tflite.builder import TYPES, GraphBuilder
from tflite_transfer.reference.tflite.enums import PADDINGS

Array = np.ndarray[Any, Any]
RESOLVERS = {"default": OpResolverType.AUTO, "reference": OpResolverType.BUILTIN_REF}


class Fixed(NamedTuple):
    """An input that stands in the file."""

    value: Array


class Case(NamedTuple):
    """``rule`` says how far LiteRT's output may be from ours, ``kind`` is the output's type."""

    opcode: str
    inputs: tuple[Array | Fixed, ...]
    rule: Callable[[Case, Array], Any]
    kind: str
    options: dict[str, Any]

    @property
    def values(self) -> list[Array]:
        return [i.value if isinstance(i, Fixed) else i for i in self.inputs]


def case(opcode: str, *inputs: Array | Fixed, rule: Any = None, kind: str = "", **options: Any) -> Case:
    made = Case(opcode, inputs, rule or ulps(0), kind, options)
    return made if kind else made._replace(kind=TYPES[made.values[0].dtype])


def name(case: Case) -> str:
    """Opcode, shapes, integers and options."""
    shapes = [str(v.tolist() if v.dtype.kind == "i" else v.shape).replace(" ", "") for v in case.values]
    return " ".join([case.opcode, *shapes, *(f"{k}={v}" for k, v in case.options.items())])


def ulps(count: float) -> Callable[[Case, Array], Any]:
    return lambda _, y: count * np.spacing(np.abs(y))


def units(c: float) -> Callable[[Case, Array], Any]:
    """``c 2^-24``, relative where results are larger than 1."""
    return lambda _, y: c * 2**-24 * np.maximum(1, np.abs(y))


def terms(c: float) -> Callable[[Case, Array], Any]:
    """``c 2^-24 sum|terms|``: the operator in double, on absolute values."""

    def bound(case: Case, _: Array) -> Any:
        values = [np.abs(v.astype(np.float64)) if v.dtype.kind == "f" else v for v in case.values]
        options = {k: PADDINGS[v] if k == "padding" else v for k, v in case.options.items() if "fused" not in k}
        return c * 2**-24 * TABLE[case.opcode](*values, **options)

    return bound


def normal(*shape: int, seed: int = 0, scale: float = 1) -> Array:
    return (scale * np.random.default_rng([seed, *shape]).normal(size=shape)).astype(np.float32)


def weights(*shape: int) -> Fixed:
    return Fixed(normal(*shape, seed=1))


def fixed(values: Any, dtype: Any = np.int32) -> Fixed:
    return Fixed(np.array(values, dtype))


def content(case: Case, shape: tuple[int, ...] | None = None) -> tuple[bytes, dict[str, Array]]:
    """The file of a case, and what is given to it. ``shape`` is the output's, if running it must not tell."""
    g = GraphBuilder()
    inputs = [
        g.constant(f"x{n}", i.value) if isinstance(i, Fixed) else g.input(f"x{n}", i.shape, TYPES[i.dtype])
        for n, i in enumerate(case.inputs)
    ]
    given = {f"x{n}": i for n, i in enumerate(case.inputs) if not isinstance(i, Fixed)}
    g.output("y", g.op(case.opcode, inputs, "y", shape or (), case.kind, **case.options))
    data = write(g.model("run"))
    if shape is None:
        return content(case, Interpreter(data, jit=False).run(**given)["y"].shape)
    return data, given


def litert(data: bytes, given: dict[str, Array], resolver: str) -> Array:
    """LiteRT's output."""
    interpreter = LiteRT(model_content=data, experimental_op_resolver_type=RESOLVERS[resolver], num_threads=1)
    interpreter.allocate_tensors()
    for details in interpreter.get_input_details():
        interpreter.set_tensor(details["index"], given[details["name"]])
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
