"""The stage of an update by a rule that is none of those with a formula: what the file's own operators make of it."""

from __future__ import annotations

from tflite_transfer.diagnostics.explain.rule_lessons import G
from tflite_transfer.diagnostics.explain.stage import Stage, Symbol
from tflite_transfer.diagnostics.explain.step import Step, told_stage
from tflite_transfer.diagnostics.explain.update import every_number, move, others
from tflite_transfer.diagnostics.gradients.wiring import Wiring
from tflite_transfer.diagnostics.page.formula import new, of, symbol
from tflite_transfer.diagnostics.page.names import ending
from tflite_transfer.diagnostics.page.numbers import shape
from tflite_transfer.reference.ops.table import TABLE


def own_rule_stage(s: Step) -> Stage:
    """Parameters, gradients and slots before, and what becomes of them."""
    slots = [k for k in s.head.names if k[0] == "s"]
    letters = {k: of(symbol(slot), s.letters[name]) for k in slots for slot, _, name in [k.partition("_")]}
    symbols = [
        Symbol(symbol("w"), *every_number(s)),
        Symbol(G, "its gradient", "the same"),
        *(Symbol(letters[k], f"the file's {ending(s.head.names[k])}", shape(s.found[k].shape)) for k in slots),
    ]
    values = []
    for k in slots:
        values.append(s.whole(letters[k], "before the step"))
        values += [s.whole(new(letters[k]), "and after")] if f"{k}'" in s.found else []
    for k, letter in s.letters.items():
        values += [move(s, k), s.whole(new(letter), "after the step")]
    graph, update = s.head.update.part.graph, s.head.update.tensors
    wiring = Wiring(graph, -1, -1)
    made = wiring.behind(*(update[f"{k}'"] for k in s.head.parameters)) - wiring.behind(
        *(update[k] for k in (*s.head.parameters, *(f"g_{k}" for k in s.head.parameters), *slots))
    )
    functions = (TABLE[o.opcode] for o in graph.operators if o.opcode in TABLE and made.intersection(o.outputs))
    checks = s.checks(*(new(v) for v in (*s.letters.values(), *letters.values())))
    return told_stage("own-rule", symbols, values, tuple(dict.fromkeys(functions)), checks, others(s))
