"""What explains and what draws pages."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

EXPLAIN, PAGE = "tflite_transfer/diagnostics/explain", "tflite_transfer/diagnostics/page"
WALK, NETWORKS, PARTS, PAGES = (
    "tests/unit/explain/test_walk.py",
    "tests/unit/explain/test_networks.py",
    "tests/unit/explain/test_page_parts.py",
    "tests/pages/test_pages.py",
)

MUTANTS = (
    Mutant(
        f"{EXPLAIN}/numbers.py",
        "mean[k] / correction1",
        "mean[k] / correction2",
        WALK,
        "numbers_are_the_formulas and adam",
    ),
    Mutant(
        f"{EXPLAIN}/numbers.py",
        """given["x"]), y, found["W'"]""",
        """given["x"]), y, found["W"]""",
        WALK,
        "moves",
    ),
    Mutant(f"{EXPLAIN}/bounds.py", "SUMS = 40.0", "SUMS = 4e4", WALK, "fault"),
    Mutant(f"{EXPLAIN}/find_head.py", "o.inputs[1] == labels", "o.inputs[0] == labels", WALK, "both_backends"),
    Mutant(f"{EXPLAIN}/network.py", '"x\'": self._x(then)', '"x\'": self._x(now)', NETWORKS, "formulas and sgd"),
    Mutant(f"{EXPLAIN}/network.py", "after[n] - before[n]", "after[n]", NETWORKS, "formulas and sgd"),
    Mutant(f"{EXPLAIN}/numbers.py", "+ n[penalty] if", "+ 0 * n[penalty] if", NETWORKS, "formulas and both"),
    Mutant(f"{EXPLAIN}/places.py", '"W" in name else', '"W" == name else', NETWORKS, "formulas and sgd"),
    Mutant(
        "reference/recognize_update.py",
        'op("SQRT", correction2)',
        'op("SQRT", correction1)',
        NETWORKS,
        "formulas and keras",
    ),
    Mutant(
        f"{EXPLAIN}/find_head.py",
        'k[0] in "mv" and k[1:]',
        'k[0] in "m" and k[1:]',
        "tests/unit/explain/test_network_forms.py",
        "why_another",
    ),
    Mutant(
        "reference/optimizers.py", "rule.momentum * then[k] - rule", "then[k] - rule", NETWORKS, "formulas and nesterov"
    ),
    Mutant("reference/optimizers.py", "then[k] + rule.epsilon", "then[k]", NETWORKS, "formulas and rmsprop"),
    Mutant("reference/optimizers.py", "summed[k] + moves[k]", "summed[k] - moves[k]", NETWORKS, "formulas and rmsprop"),
    Mutant("reference/optimizers.py", "w - w * shrink", "w + w * shrink", NETWORKS, "formulas and decay"),
    Mutant(
        f"{EXPLAIN}/batch.py",
        "left, epoch = left - len(rows), epoch + 1",
        "left, epoch = left - len(rows), epoch",
        WALK,
        "step_k",
    ),
    Mutant(f"{PAGE}/template.py", "autoescape=True", "autoescape=False", PAGES, "never_markup"),
    Mutant(f"{PAGE}/names.py", "escape(ending(name))", "ending(name)", PARTS, "names_out_of_files"),
    Mutant(f"{PAGE}/picture.py", "(wide >= 0)", "(wide <= 0)", PARTS, "heat"),
    Mutant(f"{PAGE}/numbers.py", "(exponent // 3)", "(exponent // 3 + 1)", PARTS, "one_scale"),
    Mutant(f"{PAGE}/chart.py", "(v - low) / (high - low)", "(v - low) / high", PARTS, "charts"),
    Mutant(
        "tflite_transfer/diagnostics/report.py",
        "if not finding.agrees:",
        "if finding.agrees:",
        PAGES,
        "names_the_fault",
    ),
)
