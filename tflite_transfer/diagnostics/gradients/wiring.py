"""How a train signature is wired: what its loss depends on, and which tensor is the gradient of a variable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from tflite_transfer.reference.matching import Matcher
from tflite_transfer.reference.memory import handles_of
from tflite_transfer.reference.tflite.graph import Subgraph
from tflite_transfer.reference.tflite.one_file import OneFile


@dataclass(frozen=True)
class Wiring:
    """A sub-graph's tensors by number, each with those that it is made of; a variable read after an assignment too.

    ``labels`` and ``loss`` are tensors. ``optimizer`` variables are those that the loss does not depend on.
    """

    graph: Subgraph
    labels: int
    loss: int

    @cached_property
    def handles(self) -> Mapping[int, str]:
        """The variable that each resource tensor stands for."""
        return handles_of(self.graph)

    @cached_property
    def assigned(self) -> Mapping[str, int]:
        """The tensor that each variable ends as."""
        made = (o for o in self.graph.operators if o.opcode == "ASSIGN_VARIABLE" and o.inputs[0] in self.handles)
        return {self.handles[o.inputs[0]]: o.inputs[1] for o in made}

    @cached_property
    def parents(self) -> dict[int, tuple[int, ...]]:
        """What each tensor is made of, in the order in which tensors are written."""
        found: dict[int, tuple[int, ...]] = {}
        now: dict[str, int] = {}
        for o in self.graph.operators:
            if o.opcode == "ASSIGN_VARIABLE" and o.inputs[0] in self.handles:
                now[self.handles[o.inputs[0]]] = o.inputs[1]
            from_variable = o.opcode == "READ_VARIABLE" and self.handles.get(o.inputs[0]) in now
            inputs = (now[self.handles[o.inputs[0]]],) if from_variable else tuple(i for i in o.inputs if i >= 0)
            found |= dict.fromkeys(o.outputs, inputs)
        return found

    def behind(self, *tensors: int) -> set[int]:
        """These tensors, and all that they are made of."""
        found, left = set[int](), list(tensors)
        while left:
            t = left.pop()
            if t not in found:
                found.add(t)
                left.extend(self.parents.get(t, ()))
        return found

    def after(self, tensors: set[int]) -> set[int]:
        """These tensors, and all that is made of them."""
        found = set(tensors)
        for t, made_of in self.parents.items():
            if not found.isdisjoint(made_of):
                found.add(t)
        return found

    def variables(self, *tensors: int) -> set[str]:
        """Whose values, as they were before the step, these tensors depend on."""
        return {self.handles[t] for t in self.behind(*tensors) if t in self.handles}

    @cached_property
    def optimizer(self) -> set[str]:
        """The variables that ``train`` reads or assigns, and that the loss does not depend on."""
        return set(self.handles.values()) - self.variables(self.loss)

    @cached_property
    def learning(self) -> tuple[str, ...]:
        """The variables that the loss depends on, and whose new values depend on the labels."""
        names, taught = self.variables(self.loss) & self.assigned.keys(), self.after({self.labels})
        return tuple(n for n in dict.fromkeys(self.handles.values()) if n in names and self.assigned[n] in taught)

    def counted(self, x: int) -> tuple[int, ...]:
        """What variables end as that is made of the examples x, and of no labels: a batch norm's moving mean."""
        seen = self.after({x}) - self.after({self.labels})
        return tuple(i for i in self.assigned.values() if i in seen)

    @cached_property
    def gradients(self) -> Mapping[str, int]:
        """Of each variable that learns, the tensor that is its gradient, where there is one.

        It is the last one of the variable's shape that depends on the labels and on no optimizer variable, and that
        everything which the update makes of the labels is made of.
        """
        tensors = self.graph.tensors
        shapes = {name: tensors[self.assigned[name]].shape for name in self.learning}
        found = {n: [t for t in self.candidates(n) if tensors[t].shape == shape] for n, shape in shapes.items()}
        return {name: numbers[0] for name, numbers in found.items() if numbers}

    def candidates(self, name: str) -> Iterator[int]:
        """All such tensors of a variable that learns, of any shape, from the last one on."""
        value = self._added(name)
        update = self.behind(value) - self._taught
        ends = {i for t in update for i in self.parents.get(t, ()) if i in self._taught} | ({value} & self._taught)
        shared = set.intersection(*map(self.behind, ends)) & self._taught if ends else set()
        return (t for t in reversed(self.parents) if t in shared)

    def _added(self, name: str) -> int:
        """What a variable ends as; where that is ``w - v``, and no optimizer variable is in it, v."""
        value, producer = self.assigned[name], Matcher(self.graph).producer
        while value in self._taught and (o := producer.get(value)) and o.opcode in ("ADD", "SUB"):
            taught = [i for i in o.inputs if i in self._taught]
            rest = [i for i in o.inputs if i not in self._taught]
            if len(rest) != 1:
                break
            value = taught[0]
            if self.variables(*rest) == {name} and (o.opcode == "ADD" or rest[0] == o.inputs[0]):
                break
        return value

    @cached_property
    def _taught(self) -> set[int]:
        """What depends on the labels, and on no optimizer variable."""
        return self.after({self.labels}) - self.after({t for t, n in self.handles.items() if n in self.optimizer})


def wiring_of(file: OneFile) -> Wiring:
    """Of a training model's train signature."""
    signature, roles = file.signature(file.roles.train.key), file.roles
    graph = file.model.subgraphs[signature.subgraph]
    return Wiring(graph, signature.inputs[roles.labels], signature.outputs[roles.train.result])
