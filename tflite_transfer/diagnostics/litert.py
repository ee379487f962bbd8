"""LiteRT as a side: it keeps every tensor where it is told to, and runs an operator by itself in a file of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from warnings import catch_warnings, simplefilter

import numpy as np

from tflite_transfer.backends.runner import LiteRTRunner
from tflite_transfer.backends.tflite import first_line, interpreter_class
from tflite_transfer.diagnostics.sides import Read, Source
from tflite_transfer.diagnostics.single import depends_on_nothing, has_meaning_alone, single
from tflite_transfer.reference.signatures import names
from tflite_transfer.reference.tflite.errors import ModelError
from tflite_transfer.reference.tflite.graph import Array, Subgraph
from tflite_transfer.reference.tflite.writer import write

_RESOLVERS = {"tflite-ref": "BUILTIN_REF"}  # the others: what LiteRT chooses


def runner(content: bytes, engine: str, name: str) -> LiteRTRunner:
    """LiteRT that keeps every tensor, with one thread, which always adds in the same order. Raises ModelError."""
    interpreter_class()  # says what to install
    from ai_edge_litert.interpreter import OpResolverType

    with catch_warnings():
        simplefilter("ignore", UserWarning)  # that all tensors are kept, which is meant
        return LiteRTRunner(
            content,
            1,
            name=name,
            experimental_op_resolver_type=OpResolverType[_RESOLVERS.get(engine, "AUTO")],
            experimental_preserve_all_tensors=True,
        )


class LiteRTSide:
    """See ``Side``."""

    def __init__(self, engine: str, source: Source) -> None:
        self.engine, self._source = engine, source
        self._names = names(source.model, source.key)
        self.graph: Subgraph = source.model.subgraphs[self._names.subgraph]
        self._fixed = depends_on_nothing(self.graph)
        self._runner = runner(source.content, engine, source.name)
        self.variables, self.assign = self._runner.variables, self._runner.assign

    def run(self, values: Sequence[Array]) -> Mapping[int, Array]:
        if self._source.key is None:
            _call(self._runner, values, self._source.name)
        else:
            by_number = dict(zip(self.graph.inputs, values, strict=True))
            self._runner.run(self._source.key, **{name: by_number[i] for name, i in self._names.inputs.items()})
        lost, found = unwritten(self.graph, self.engine), dict(zip(self.graph.inputs, values, strict=True))
        for i in (i for operator in self.graph.operators for i in operator.outputs):
            if i not in lost and self.graph.tensors[i].type not in ("RESOURCE", "VARIANT"):
                found[i] = self._runner.interpreter.get_tensor(i, self._names.subgraph)
        return found

    def alone(self, number: int, read: Read) -> tuple[Array, ...] | None:
        operator = self.graph.operators[number]
        if not has_meaning_alone(self.graph, operator):
            return None
        model, given = single(self.graph, number, read, self._fixed)
        try:
            return tuple(_call(runner(write(model), self.engine, model.source), given, model.source))
        except ModelError as e:
            if not operator.name.startswith("Flex"):
                raise
            raise ModelError(f"LiteRT's packages come without TensorFlow's kernels, so without {operator.name}.") from e


def unwritten(graph: Subgraph, engine: str) -> set[int]:
    """What LiteRT does not keep: what nothing reads, and narrow constants where XNNPACK itself widens them."""
    read = {*graph.outputs, *(i for o in graph.operators for i in o.inputs)}
    lost = {i for o in graph.operators for i in o.outputs} - read
    for o in graph.operators:
        if engine != "tflite-ref" and o.opcode == "DEQUANTIZE" and graph.tensors[o.inputs[0]].data is not None:
            lost.update(o.outputs)
    return lost


def _call(runs: LiteRTRunner, values: Sequence[Array], source: str) -> list[Array]:
    """The main sub-graph by position, whatever its tensors are called. Raises ModelError."""
    litert = runs.interpreter
    details = litert.get_input_details()
    try:
        for detail, value in zip(details, values, strict=True):
            if tuple(detail["shape"]) != np.shape(value):
                litert.resize_tensor_input(detail["index"], value.shape)
        litert.allocate_tensors()
        for detail, value in zip(details, values, strict=True):
            litert.set_tensor(detail["index"], np.asarray(value, detail["dtype"]))
        litert.invoke()
        return [litert.get_tensor(d["index"]) for d in litert.get_output_details()]
    except (ValueError, RuntimeError) as e:
        raise ModelError(f"LiteRT cannot run {source}: {first_line(e)}") from e
