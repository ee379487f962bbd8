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
KINDS, FORMS, OWN, TENSORFLOW = (
    f"tests/unit/explain/test_{name}.py" for name in ("kinds", "network_forms", "own_rules", "tensorflow_files")
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
        """for k in ("x", "z", *head.parameters)""",
        """for k in ("x", "z")""",
        WALK,
        "moves",
    ),
    Mutant(f"{EXPLAIN}/bounds.py", "SUMS = 40.0", "SUMS = 4e4", WALK, "fault"),
    Mutant(f"{EXPLAIN}/find_head.py", "o.inputs[1] in of_labels", "o.inputs[0] in of_labels", WALK, "both_backends"),
    Mutant(
        f"{EXPLAIN}/network.py", "self._made(self.passes.then(engine))", "self._made(now)", NETWORKS, "formulas and sgd"
    ),
    Mutant(
        f"{EXPLAIN}/given.py",
        '_tensor(head, passes.then(engine), f"R{i}")',
        '_tensor(head, passes.now(engine), f"R{i}")',
        KINDS,
        "l1",
    ),
    Mutant(f"{EXPLAIN}/given.py", "sum(parts[1:], parts[0])", "parts[0]", KINDS, "all"),
    Mutant(f"{EXPLAIN}/numbers.py", 'made[f"g_{k}"] + n[f"r_{k}"] if', 'made[f"g_{k}"] if', KINDS, "l1"),
    Mutant(f"{EXPLAIN}/last_layer.py", "trains or bias in features", "trains", KINDS, "alone"),
    Mutant(f"{EXPLAIN}/last_layer.py", 't != found["part"]', "False", KINDS, "l1"),
    Mutant(f"{EXPLAIN}/last_layer.py", "(matrices or order)[-1]", "(matrices or order)[0]", KINDS, "map"),
    Mutant(f"{EXPLAIN}/layout.py", "now[name] = inputs[1]", "pass", TENSORFLOW, "converter"),
    Mutant(f"{EXPLAIN}/settled.py", "    if agree(layout, passes):", "    if True:", OWN, "losss_own"),
    Mutant(f"{EXPLAIN}/settled.py", "BOUND = 1e-5", "BOUND = 2.0", OWN, "losss_own"),
    Mutant(f"{EXPLAIN}/last_layer.py", "if seen.intersection(others):", "if False:", KINDS, "alone"),
    Mutant(
        f"{EXPLAIN}/bounds.py", '"e": np.full(n["p"].shape, TINY)', '"e": np.zeros(n["p"].shape)', FORMS, "least_normal"
    ),
    Mutant(f"{EXPLAIN}/explanation.py", "if not _is_slope(head, found):", "if False:", KINDS, "smoothed"),
    Mutant(f"{EXPLAIN}/batch.py", "if _is_fixed(model) else", "if False else", FORMS, "is_fixed"),
    Mutant(f"{EXPLAIN}/find_head.py", "t not in taught", "True", KINDS, "l1"),
    Mutant(f"{EXPLAIN}/find_head.py", "if len(of_labels) != 1:", "if False:", FORMS, "two_losses"),
    Mutant(f"{EXPLAIN}/explanation.py", "and not agree(layout, passes)", "and False", FORMS, "twice_as_large"),
    Mutant(f"{EXPLAIN}/bounds.py", "np.maximum(allowed, FURTHER * lost)", "allowed", KINDS, "pooled"),
    Mutant(f"{EXPLAIN}/runs.py", "for name in self._weights", "for name in after", KINDS, "dropout"),
    Mutant(f"{EXPLAIN}/held.py", "UPDATE = 16", "UPDATE = 1e6", OWN, "fault"),
    Mutant(
        f"{EXPLAIN}/held.py",
        '{**{k: now[k] for k in ("x", "b", "z") if k in now}, **then, **new',
        '{**{k: now[k] for k in ("x", "b", "z") if k in now}, **new',
        KINDS,
        "pooled",
    ),
    Mutant(f"{EXPLAIN}/places.py", "value.argmax(axis=-1)", "value.argmin(axis=-1)", TENSORFLOW, "dense_adam"),
    Mutant(
        f"{EXPLAIN}/batch.py",
        "reshape(len(batch.classes), -1).astype(np.float32)",
        "reshape(len(batch.classes), -1)",
        KINDS,
        "words",
    ),
    Mutant(f"{EXPLAIN}/network.py", "after[n] - before[n]", "after[n]", NETWORKS, "formulas and sgd"),
    Mutant(f"{EXPLAIN}/numbers.py", "own + n[penalty]", "own + 0 * n[penalty]", NETWORKS, "formulas and both"),
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
        '(k[0] in "mv" and k[1:]',
        '(k[0] in "m" and k[1:]',
        OWN,
        "by_its_numbers",
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
