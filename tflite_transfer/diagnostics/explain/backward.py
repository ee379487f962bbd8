"""The stages of the gradients. B examples, F features, C classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from tflite_transfer.backends.base import Array
from tflite_transfer.diagnostics.explain import lessons
from tflite_transfer.diagnostics.explain.lessons import LESSONS, D, G, X
from tflite_transfer.diagnostics.explain.numbers import one_sample
from tflite_transfer.diagnostics.explain.stage import Stage, Symbol, Value
from tflite_transfer.diagnostics.explain.step import Step, told_stage
from tflite_transfer.diagnostics.gradients.wiring import Wiring
from tflite_transfer.diagnostics.page.formula import group, of, row, symbol
from tflite_transfer.diagnostics.page.names import ending
from tflite_transfer.diagnostics.page.numbers import shape, short
from tflite_transfer.reference import head as definition
from tflite_transfer.reference.ops.table import TABLE
from tflite_transfer.reference.tflite.errors import ShapeError


def gradients_stage(s: Step) -> Stage:
    """The gradients of a dense layer's W and b."""
    gradients = [of(G, letter) for letter in s.letters.values()]
    symbols = [
        Symbol(X, "features", shape(s.found["x"].shape)),
        Symbol(D, "the loss's derivative by each score", shape(s.found["d"].shape)),
        *(Symbol(of(G, v), f"the gradient of {k}", shape(s.found[f"g_{k}"].shape)) for k, v in s.letters.items()),
    ]
    added = {of(symbol("r"), v): k for k, v in s.letters.items() if f"r_{k}" in s.found}
    if s.head.l2 is not None:
        symbols.append(Symbol(symbol("λ"), "the file's L2 factor", short(s.head.l2)))
    symbols += [
        Symbol(r, f"what regularisers add: R's derivative by {k}", shape(s.found[f"r_{k}"].shape))
        for r, k in added.items()
    ]
    formula = lessons.gradients(s.letters, added, decayed=s.head.l2 is not None)
    lesson = replace(LESSONS["gradients"], formulas=(formula,))
    lesson = lesson if "b" in s.letters else replace(lesson, why=lessons.UNBIASED_WHY)
    j, c = (int(i) for i in np.unravel_index(np.abs(s.found["g_W"]).argmax(), s.found["g_W"].shape))
    terms = s.found["x"][:, j] * s.found["d"][:, c]
    together = short(terms.sum(), 6)
    if s.head.l2 is not None:
        lesson = replace(lesson, why=(*lesson.why, lessons.DECAY_WHY))
        together += f", and 2 λ W adds {short(2 * s.head.l2 * s.found['W'][j, c], 6)}"
    values = (
        *(s.whole(of(G, v), "of every weight" if k == "W" else "of b") for k, v in s.letters.items()),
        *(s.whole(r, "what regularisers add") for r in added),
        Value(
            row(symbol("x", f"i,{j}"), symbol("d", f"i,{c}")),
            f"the terms of the largest one, feature {j} for {s.batch.class_names[c]}; together {together}",
            terms,
        ),
    )
    return told_stage("gradients", symbols, values, (definition.gradients,), s.checks(*gradients), lesson=lesson)


def chain_stage(s: Step) -> Stage:
    """The gradients of the layer that gives the scores, as the file's own operators hand them back."""
    gradients = {k: of(G, v) for k, v in s.letters.items()}
    symbols = [
        Symbol(D, "the loss's derivative by each score", shape(s.found["d"].shape)),
        *(
            Symbol(v, f"the file's {ending(s.head.names[k])}", shape(s.found[k].shape)) for k, v in s.letters.items()
        ),
        *(Symbol(g, f"the gradient of {k}", shape(s.found[f"g_{k}"].shape)) for k, g in gradients.items()),
    ]  # fmt: skip
    values = [s.whole(g, f"of every number of {k}") for k, g in gradients.items()]
    return told_stage("chain", symbols, values, _handing_back(s), s.checks(*gradients.values()))


def _handing_back(s: Step) -> tuple[Callable[..., object], ...]:
    """The operators between d, or the scores where the file has no d, and the gradients."""
    places, graph = s.head.step.tensors, s.head.step.part.graph
    wiring = Wiring(graph, places["y"], places["L"])
    start = next(letter for letter in ("d", "e", "p", "z") if letter in places)
    made = wiring.behind(*(places[f"g_{k}"] for k in s.head.parameters)) & wiring.after({places[start]})
    functions = (TABLE[o.opcode] for o in graph.operators if o.opcode in TABLE and made.intersection(o.outputs))
    return tuple(dict.fromkeys(functions))


def each_sample_stage(s: Step) -> Stage:
    """Each sample alone, and the mean of all."""
    try:
        alone = [_alone(s, i) for i in range(len(s.batch.classes))]
    except ShapeError as e:
        return told_stage("batch", (), (), (), (), f"This file's step takes no sample by itself: {e}")
    mean = np.mean([g["g_W"] for g in alone], axis=0)
    apart = float(np.abs(mean - s.found["g_W"]).max())
    rows = tuple(f"{i}  {name}" for i, name in enumerate(s.batch.names))
    share = ", by its row of x" if s.head.dense else ""
    symbols = (
        Symbol(symbol("g", above=group("i")), f"the gradient of sample i alone{share}", shape(s.found["g_W"].shape)),
        Symbol(G, "the gradient of the batch", shape(s.found["g_W"].shape)),
    )
    letter, key = (s.letters["b"], "g_b") if "b" in s.letters else (s.letters["W"], "g_W")
    each = np.stack([g[key] for g in alone])
    columns = s.batch.class_names if key == "g_b" and each.shape[1:] == (len(s.batch.class_names),) else ()
    sizes = np.array([np.sqrt(np.square(g["g_W"], dtype=np.float64).sum()) for g in alone])
    values = [
        Value(symbol("g", letter.text, group("i")), "one row a sample", each.reshape(len(alone), -1), rows, columns),
        Value(row("mean"), "of the rows", each.mean(axis=0), columns=columns),
        s.whole(of(G, letter), "the batch's own"),
        Value(row("|", symbol("g", "W", group("i")), "|"), "how far each sample pulls", sizes),
    ]
    note = f"The mean of the {len(alone)} weight gradients is {short(apart)} at most from the batch's own, "
    note += f"whose largest number is {short(float(np.abs(s.found['g_W']).max()))}{_why(s, apart)}"
    return told_stage("batch", symbols, values, (definition.gradients,) if s.head.dense else (), (), note)


def _alone(s: Step, i: int) -> Mapping[str, Array]:
    """By the formulas; without them by the file's own step, taken with this sample alone."""
    if s.head.dense:
        return one_sample(s.head, s.found, i)
    run = s.passes.alone(i)
    return {f"g_{k}": run.tensors[s.head.step.tensors[f"g_{k}"]] for k in s.head.parameters}


def _why(s: Step, apart: float) -> str:
    if s.head.divisor is not None and s.head.divisor != len(s.batch.classes):
        return ": the file divides by its own batch."
    if apart > 1e-4 * float(np.abs(s.found["g_W"]).max()):
        return ": a layer's work on a sample depends on the others, as a batch norm's, or on chance, as dropout's."
    return ": a few roundings."
