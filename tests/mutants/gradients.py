"""What finds faults in training: the gradient check of ``compare``, and what it saves."""

# ruff: noqa: E501 - a mutant is a line

from __future__ import annotations

from tests.mutants.mutant import Mutant

CHECK, EXPLORER = "tests/unit/diagnostics/test_gradient_check.py", "tests/unit/diagnostics/test_model_explorer.py"


def gradients(file: str, old: str, new: str, keyword: str) -> Mutant:
    return Mutant(f"tflite_transfer/diagnostics/gradients/{file}.py", old, new, CHECK, keyword)


MUTANTS = (
    gradients("slopes", "/ (2 * step)", "/ step", "golden"),
    gradients("slopes", "if math.isnan(apart)", "if False", "planted"),
    gradients("check", "replace(check, uncertain=max(check.uncertain, changes))", "replace(check, uncertain=1.0)", "planted"),
    gradients("wiring", "for t in reversed(self.parents)", "for t in self.parents", "planted"),
    gradients("wiring", "now[self.handles[o.inputs[0]]] = o.inputs[1]", "pass", "tutorial"),
    gradients("train_signature", "self._oracle.variables.update(values)", "pass", "goes_along"),
    gradients("report", "factors[(len(factors) - 1) // 2]", "1.0", "tutorial"),
    gradients("gradient_faults", "divisor = case.examples / k", "divisor = case.examples * k", "planted"),
    gradients("gradient_faults", "key=lambda part: _apart", "key=lambda part: -_apart", "planted"),
    gradients("loss_faults", "- math.log(classes)  #", "+ math.log(classes)  #", "planted"),
    gradients("update_faults", "if cosine > 0:", "if cosine < 0:", "planted"),
    gradients("update_faults", "if spread[0] > STEADY and spread", "if spread", "five_files"),
    gradients("update_faults", "1 - power for power in powers", "power for power in powers", "planted"),
    gradients("update_faults", "for n in (0, -1)]", "for n in (0, 0)]", "decide_more"),
    gradients("update_faults", "- other.after[p]", "- before[p]", "decide_more"),
    gradients("update_faults", "and np.ptp(np.diff(counted)) <=", "or np.ptp(np.diff(counted)) <=", "count"),
    gradients("wiring", "value = self._added(name)", "value = self.assigned[name]", "no_fault"),
    gradients("taken", "how in trusted else", "how else", "planted"),
    gradients("taken", "if len(told) == 1 else", "if False else", "no_fault"),
    gradients("taken", "_clipped(taken, g) or", "", "no_fault"),
    gradients("taken", "or _decayed(taken, g, losses.values[name])", "", "no_fault"),
    gradients("taken", "<= CHANGED", "<= 1", "no_fault"),
    gradients("taken", "np.where(free, k * g, end * np.sign(g))", "taken", "planted"),
    gradients("taken", "trusted = {way.how for *_, way in found if way and way.sure} |", "trusted =", "no_fault"),
    gradients("taken", "!= 1 or abs(k - 1) <= ALIKE", "> 0", "no_fault"),
    gradients("state_faults", "return any(not np.array_equal(kept[p]", "return any(p or not np.array_equal(kept[p]", "tutorial"),
    Mutant("tflite_transfer/diagnostics/model_explorer.py", "max(results.get(node, 0.0)", "min(results.get(node, 0.0)", EXPLORER, "share"),
    Mutant("tflite_transfer/cli/compare.py", "found.agrees and (checked is None or checked.agrees)", "found.agrees", "tests/e2e/test_compare_more.py", "wrong_batch"),
    Mutant("tflite_transfer/diagnostics/graphs.py", "yield replace(found, cut=self._cut(bound, runs)) if found.fault and i in isolated else found", "yield found", "tests/unit/diagnostics/test_repro.py", "constant"),
)  # fmt: skip
