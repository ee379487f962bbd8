"""What a rule is given, and what it gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tflite_transfer.converter.expressions import Expression, Graph
from tflite_transfer.reference.tflite.errors import UnsupportedOpError
from tflite_transfer.reference.tflite.graph import Operator


@dataclass(frozen=True)
class Call:
    """An operator of a graph, with its tensors as expressions."""

    graph: Graph
    operator: Operator

    @property
    def operands(self) -> tuple[Expression, ...]:
        """The inputs. One that is left out must not be looked at."""
        return tuple(self.graph[i] for i in self.operator.inputs)

    @property
    def results(self) -> tuple[Expression, ...]:
        """The outputs."""
        return tuple(self.graph[i] for i in self.operator.outputs)

    @property
    def result(self) -> Expression:
        """The first output."""
        return self.results[0]

    @property
    def options(self) -> Mapping[str, Any]:
        """By the schema's names; the defaults may be absent."""
        return self.operator.options

    @property
    def opcode(self) -> str:
        """The builtin's name."""
        return self.operator.opcode

    def refused(self, why: str) -> UnsupportedOpError:
        """The error of an operator that has a gradient, but not in this form."""
        return no_gradient([f"{told(self.graph, self.operator)}: {why}"], [self.operator.name])


def told(graph: Graph, operator: Operator) -> str:
    """An operator as errors name it: with its result's name, which is the layer's."""
    return f"{operator.name} at {graph.tensors[operator.outputs[0]].name!r}" if operator.outputs else operator.name


def no_gradient(listed: Sequence[str], names: Sequence[str]) -> UnsupportedOpError:
    """The error of operators that no gradient goes through, as ``told``, with their ``names``."""
    return UnsupportedOpError(
        f"no gradient goes through {len(listed)} operator(s): {'; '.join(listed)}. Freeze the layers before them "
        "(--trainable last:N), or build the network of what docs/layers.md lists.",
        sorted(set(names)),
    )


# For each operand what writes its gradient; None where there is none. Only those that are wanted are called.
Later = Callable[[], Expression] | None
Pulled = tuple[Later, ...]

# An operator, and the gradient for each of its results, None for one that the loss does not depend on.
Rule = Callable[..., Pulled]
