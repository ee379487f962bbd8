"""Training steps in a row as one graph: train_head and optimizer, their operators copied once for each step.

P parameters, Z slots, B examples, S bottleneck without the batch, C classes, K steps.
"""

from __future__ import annotations

import math

from tflite_transfer.reference.tflite.builder import GraphBuilder
from tflite_transfer.reference.tflite.bundle import Bundle
from tflite_transfer.reference.tflite.graph import DTYPES, Model, Subgraph

PARTS = ("train_head", "optimizer")
RANDOM = frozenset({"MULTINOMIAL", "RANDOM_STANDARD_NORMAL", "RANDOM_UNIFORM"})
# A step of 1,280 x 4 takes 71 us by itself, and 55 among four (Adam 89, 70), of which LiteRT's kernels 36 (45) and the
# batch's rows, read from memory, 10. Among eight it takes as long, and the graph twice as long to write.
MOST = 4
# Where steps hold more than the second cache, a row gains little, or loses, and takes its memory again and again: two
# of 6,272 x 4 take 216 us each, one by itself 219; of 62,720 x 4 then 2.7 ms and 2.5, with Adam 3.6 and 3.9.
HELD = 1 << 20  # bytes


def joinable(bundle: Bundle) -> bool:
    """Is a row of copies the same as run after run? Not where a file remembers a run, or draws random numbers."""
    return all(_pure(bundle.models[role]) for role in PARTS)


def steps_in_a_row(bundle: Bundle) -> int:
    """K for a bundle."""
    numbers = bundle.batch * (bundle.features + bundle.classes)
    numbers += sum(map(math.prod, (*bundle.parameters.values(), *bundle.slots.values())))
    constants = [t.data.nbytes for role in PARTS for t in bundle.models[role].main.tensors if t.data is not None]
    return MOST if MOST * (4 * numbers + sum(constants)) <= HELD else 1


def joined(bundle: Bundle, steps: int) -> Model:
    """``P, Z, K times (B, S) and labels (B, C) -> K losses, new P, new Z`` and what lies between two files.

    Gradients, and the parameters and slots between two steps, are outputs, though nobody reads them: LiteRT keeps no
    other tensor apart from the memory that it shares between operators, and it forgets that some are still needed
    (https://github.com/google-ai-edge/LiteRT/issues/8889).
    """
    head, rule = (bundle.models[role].main for role in PARTS)
    n, g = len(bundle.parameters), GraphBuilder()
    g.tensors = [head.tensors[i] for i in head.inputs[2:]] + [rule.tensors[i] for i in rule.inputs[2 * n :]]
    state = list(range(len(g.tensors)))
    inputs, losses, between = [*state], [], []
    for step in range(steps):
        between += state if step else []
        made = g.splice(head.tensors, head.operators, dict(zip(head.inputs[2:], state[:n], strict=True)))
        inputs += [made[i] for i in head.inputs[:2]]
        loss, *grads = (made[i] for i in head.outputs)
        losses.append(loss)
        between += grads
        given = dict(zip(rule.inputs, [*state[:n], *grads, *state[n:]], strict=True))
        made = g.splice(rule.tensors, rule.operators, given)
        state = [made[i] for i in rule.outputs]
    outputs = (*losses, *state, *between)
    return Model((Subgraph(tuple(g.tensors), tuple(g.operators), tuple(inputs), outputs),), source="the joined step")


def _pure(model: Model) -> bool:
    """No sub-graphs, variables, tables, custom operators or random numbers; each output is its operator's own."""
    graph = model.main
    written = {i for o in graph.operators for i in o.outputs}
    return (
        len(model.subgraphs) == 1
        and all(t.type in DTYPES and not t.is_variable for t in graph.tensors)
        and not any(o.opcode == "CUSTOM" or o.opcode in RANDOM for o in graph.operators)
        and len(set(graph.outputs) & written) == len(graph.outputs)
        and len(set(graph.inputs)) == len(graph.inputs)
    )
