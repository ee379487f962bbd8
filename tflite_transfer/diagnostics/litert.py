"""LiteRT as a side: it keeps every tensor where it is told to, and runs an operator by itself in a file of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from warnings import catch_warnings, simplefilter

from tflite_transfer.backends.tflite import first_line, interpreter_class
from tflite_transfer.diagnostics.sides import Read, Source
from tflite_transfer.diagnostics.single import depends_on_nothing, has_meaning_alone, single
from tflite_transfer.reference.signatures import names
from tflite_transfer.reference.tflite.errors import ModelError
from tflite_transfer.reference.tflite.graph import Array, Subgraph
from tflite_transfer.reference.tflite.writer import write

_RESOLVERS = {"tflite-ref": "BUILTIN_REF"}  # the others: what LiteRT chooses


def interpreter(content: bytes, engine: str, source: str) -> Any:
    """LiteRT's interpreter with one thread, which always adds in the same order. Raises ModelError."""
    made = interpreter_class()
    from ai_edge_litert.interpreter import OpResolverType

    resolver = OpResolverType[_RESOLVERS.get(engine, "AUTO")]
    try:
        with catch_warnings():
            simplefilter("ignore", UserWarning)  # that all tensors are kept, which is meant
            return made(
                model_content=content,
                experimental_op_resolver_type=resolver,
                experimental_preserve_all_tensors=True,
                num_threads=1,
            )
    except (ValueError, RuntimeError) as e:
        raise ModelError(f"LiteRT ({engine}) refuses {source}: {first_line(e)}") from e


class LiteRTSide:
    """See ``Side``."""

    def __init__(self, engine: str, source: Source, key: str | None = None) -> None:
        self.engine, self._source, self._key = engine, source, key
        self._names = names(source.model, key)
        self._graph = source.model.subgraphs[self._names.subgraph]
        self._fixed = depends_on_nothing(self._graph)
        self._interpreter = interpreter(source.content, engine, source.name)
        self._runners: dict[str, Any] = {}

    def run(self, values: Sequence[Array]) -> Mapping[int, Array]:
        try:
            self._main(values) if self._key is None else self._signature(self._key, values)
            return self._kept(values)
        except (ValueError, RuntimeError) as e:
            raise ModelError(f"LiteRT ({self.engine}) cannot run {self._source.name}: {first_line(e)}") from e

    def alone(self, number: int, read: Read) -> tuple[Array, ...] | None:
        operator = self._graph.operators[number]
        if not has_meaning_alone(self._graph, operator):
            return None
        model, given = single(self._graph, number, read, self._fixed)
        runs = interpreter(write(model), self.engine, f"operator {number} ({operator.name}) of {self._source.name}")
        try:
            return tuple(_call(runs, given))
        except (ValueError, RuntimeError) as e:
            raise ModelError(f"LiteRT ({self.engine}) cannot run {operator.name} alone: {first_line(e)}") from e

    def variables(self) -> dict[str, Array]:
        return self._runner("save")()

    def assign(self, values: Mapping[str, Array]) -> None:
        self._runner("restore")(**values)

    def _main(self, values: Sequence[Array]) -> None:
        _invoke(self._interpreter, values)

    def _signature(self, key: str, values: Sequence[Array]) -> None:
        by_number = dict(zip(self._graph.inputs, values, strict=True))
        self._runner(key)(**{name: by_number[i] for name, i in self._names.inputs.items()})

    def _runner(self, key: str) -> Any:
        if key not in self._runners:  # a new runner allocates its sub-graph anew
            self._runners[key] = self._interpreter.get_signature_runner(key)
        return self._runners[key]

    def _kept(self, values: Sequence[Array]) -> dict[int, Array]:
        found = dict(zip(self._graph.inputs, values, strict=True))
        lost = unwritten(self._graph, self.engine)
        for operator in self._graph.operators:
            for i in operator.outputs:
                if i not in lost and self._graph.tensors[i].type not in ("RESOURCE", "VARIANT"):
                    found[i] = self._interpreter.get_tensor(i, self._names.subgraph)
        return found


def unwritten(graph: Subgraph, engine: str) -> set[int]:
    """What LiteRT does not keep: what nothing reads, and float16 constants where XNNPACK itself widens them."""
    read = {*graph.outputs, *(i for o in graph.operators for i in o.inputs)}
    lost = {i for o in graph.operators for i in o.outputs} - read
    for o in graph.operators:
        if engine != "tflite-ref" and o.opcode == "DEQUANTIZE" and graph.tensors[o.inputs[0]].type == "FLOAT16":
            lost.update(o.outputs)
    return lost


def _invoke(runs: Any, values: Sequence[Array]) -> None:
    """Run the main sub-graph on inputs by position."""
    details = runs.get_input_details()
    if any(tuple(d["shape"]) != v.shape for d, v in zip(details, values, strict=True)):
        for detail, value in zip(details, values, strict=True):
            runs.resize_tensor_input(detail["index"], value.shape)
    runs.allocate_tensors()
    for detail, value in zip(details, values, strict=True):
        runs.set_tensor(detail["index"], value)
    runs.invoke()


def _call(runs: Any, values: Sequence[Array]) -> list[Array]:
    _invoke(runs, values)
    return [runs.get_tensor(d["index"]) for d in runs.get_output_details()]
