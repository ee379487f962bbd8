"""Files of one operator, run by LiteRT, and how far apart two results may be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from ai_edge_litert.interpreter import Interpreter as LiteRT
from ai_edge_litert.interpreter import OpResolverType

from tests.parity.sparse import Layout, compressed
from tflite_transfer.diagnostics.bounds import Call, Rule, ulps
from tflite_transfer.diagnostics.metrics import distance
from tflite_transfer.reference.interpreter import Interpreter
from tflite_transfer.reference.ops.table import TABLE
from tflite_transfer.reference.tflite import Quantization, write
from tflite_transfer.reference.tflite.builder import TYPES, GraphBuilder
from tflite_transfer.reference.tflite.enums import PADDINGS
from tflite_transfer.reference.tflite.texts import packed

Array = np.ndarray[Any, Any]
RESOLVERS = {"default": OpResolverType.AUTO, "reference": OpResolverType.BUILTIN_REF}
# The operators that a resolver does not have.
MISSING = {
    "default": frozenset[str](),
    "reference": frozenset({"CEIL", "ELU", "ROUND", "SEGMENT_SUM", "STABLEHLO_AND", "STABLEHLO_SHIFT_LEFT"}),
}


class Given(NamedTuple):
    """An input: given at each run or standing in the file; plain, or stored as ``scale * (value - zero)``.

    Or a variable of an operator's, 0 at first. An input that is None is left out.
    """

    value: Array
    in_file: bool = False
    scale: Array | None = None
    zero: Array | None = None
    axis: int = 0
    variable: bool = False
    halves: bool = False  # INT4: two values a byte
    layout: Layout | None = None  # sparse


class Out(NamedTuple):
    """An output's type, and its scale and zero point if it is quantised."""

    kind: str
    scale: float | None = None
    zero: int = 0


class Case(NamedTuple):
    """One operator. ``rule`` says how far LiteRT's output may be from ours, for both of its resolvers or by name."""

    opcode: str
    inputs: tuple[Given | None, ...]
    rule: Rule | Mapping[str, Rule]
    outputs: tuple[Out, ...]
    options: dict[str, Any]
    intermediates: tuple[Out, ...] = ()

    @property
    def values(self) -> list[Array]:
        return [i.value for i in self.inputs if i is not None]

    @property
    def stored(self) -> list[Given]:
        return [i for i in self.inputs if i is not None and i.scale is not None]

    @property
    def call(self) -> Call:
        """What the bounds look at."""
        options = {k: PADDINGS[v] if k == "padding" else v for k, v in self.options.items() if "fused" not in k}
        return Call(self.opcode, TABLE.get(self.opcode), self.values, options)

    def bound(self, resolver: str, y: Array) -> Any:
        rule = self.rule[resolver] if isinstance(self.rule, Mapping) else self.rule
        return rule(self.call, y)


def case(
    opcode: str,
    *inputs: Array | Given | None,
    rule: Any = None,
    kind: str = "",
    out: Out | Sequence[Out] = (),
    intermediates: tuple[Out, ...] = (),
    **options: Any,
) -> Case:
    """A case; the result has ``kind``, or is as ``out`` says, or has the type of the first input."""
    given = tuple(i if i is None or isinstance(i, Given) else Given(np.asarray(i)) for i in inputs)
    first = next(i.value for i in given if i is not None)
    outputs = (out,) if isinstance(out, Out) else tuple(out) or (Out(kind or TYPES[first.dtype]),)
    return Case(opcode, given, rule or ulps(0), outputs, options, intermediates)


def name(case: Case) -> str:
    """Opcode, shapes, integers and options."""
    shapes = [str(v.tolist() if v.dtype.kind == "i" and v.size < 20 else v.shape).replace(" ", "") for v in case.values]
    types = [v.dtype.name for v in case.values if v.dtype.name not in ("float32", "int32")]
    return " ".join([case.opcode, *shapes, *dict.fromkeys(types), *(f"{k}={v}" for k, v in case.options.items())])


def normal(*shape: int, seed: int = 0, scale: float = 1) -> Array:
    return (scale * np.random.default_rng([seed, *shape]).normal(size=shape)).astype(np.float32)


def weights(*shape: int) -> Given:
    return Given(normal(*shape, seed=1), in_file=True)


def fixed(values: Any, dtype: Any = np.int32) -> Given:
    return Given(np.array(values, dtype), in_file=True)


def state(*shape: int) -> Given:
    return Given(np.zeros(shape, np.float32), variable=True)


def content(case: Case, shape: tuple[int, ...] | None = None) -> tuple[bytes, list[Array]]:
    """The file of a case, and what is given to it. ``shape`` is the outputs', if running it must not tell."""
    g = GraphBuilder()
    inputs = [-1 if i is None else _input(g, f"x{n}", i) for n, i in enumerate(case.inputs)]
    given = [i.value for i in case.inputs if i is not None and not i.in_file and not i.variable]
    outputs = [
        g.tensor(f"y{n}", shape or (), o.kind, quantization=_quantization(o.scale, o.zero))
        for n, o in enumerate(case.outputs)
    ]
    between = [
        g.tensor(f"z{n}", (), o.kind, quantization=_quantization(o.scale, o.zero))
        for n, o in enumerate(case.intermediates)
    ]
    g.operator(case.opcode, inputs, outputs, intermediates=between, **case.options)
    for n, out in enumerate(outputs):
        g.output(f"y{n}", out)
    model = g.model("run")
    if shape is None:
        shapes = [y.shape for y in Interpreter(write(model), jit=False).call(*given)]
        for number, found in zip(outputs, shapes, strict=True):
            g.tensors[number] = replace(g.tensors[number], shape=found)
        model = g.model("run")
    return write(model), given


def _input(g: GraphBuilder, name: str, given: Given) -> int:
    kind, quantization = TYPES.get(given.value.dtype, "STRING"), _quantization(given.scale, given.zero, given.axis)
    if given.variable:
        return g.tensor(name, given.value.shape, kind, is_variable=True, quantization=quantization)
    if given.halves:
        return g.tensor(name, given.value.shape, "INT4", data=halves(given.value), quantization=quantization)
    if given.layout:
        data, sparsity = compressed(given.value, given.layout)
        extra = {"sparsity": sparsity}
        return g.tensor(name, given.value.shape, kind, data=data, quantization=quantization, extra=extra)
    if given.in_file:
        data = packed(given.value) if given.value.dtype == object else given.value
        return g.tensor(name, given.value.shape, kind, data=data, quantization=quantization)
    g.inputs[name] = g.tensor(name, given.value.shape, kind, quantization=quantization)
    return g.inputs[name]


def halves(values: Array) -> Array:
    """Numbers from -8 to 7, two a byte, the first one in the lower half."""
    flat = np.append(values.reshape(-1) & 15, np.zeros(values.size % 2, values.dtype)).astype(np.uint8)
    return flat[::2] | flat[1::2] << 4


def _quantization(scale: Any, zero: Any, axis: int = 0) -> Quantization | None:
    if scale is None:
        return None
    scales = np.atleast_1d(np.asarray(scale, np.float32))
    return Quantization(
        scales, np.broadcast_to(np.asarray(0 if zero is None else zero, np.int64), scales.shape).copy(), axis
    )


def litert(data: bytes, given: Sequence[Array], resolver: str) -> list[Array]:
    """LiteRT's outputs, by position."""
    interpreter = LiteRT(model_content=data, experimental_op_resolver_type=RESOLVERS[resolver], num_threads=1)
    interpreter.allocate_tensors()
    for details, value in zip(interpreter.get_input_details(), given, strict=True):
        interpreter.set_tensor(details["index"], value)
    interpreter.invoke()
    return [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]


def check(ours: Array, theirs: Array, bound: Any, kind: str) -> None:
    """Same shape, type and NaN, and no element further apart than ``bound``."""
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype), kind
    if ours.dtype.kind not in "fiuc":
        np.testing.assert_array_equal(ours, theirs)
        return
    apart = distance(ours, theirs)
    assert ((apart <= bound) | (apart == 0)).all(), f"largest difference {apart.max()}"  # the bound of NaN is NaN
