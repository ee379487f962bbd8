"""In what compares: faults that are passed over, and right results that are called wrong."""

# ruff: noqa: E501 - a mutant is a line

from __future__ import annotations

from tests.mutants.mutant import Mutant

HERE, TESTS = "tflite_transfer/diagnostics", "tests/unit/diagnostics"
PLANTED, TRAINED = f"{TESTS}/test_planted_kernels.py", f"{TESTS}/test_planted_training.py"
RIGHT, STORED = f"{TESTS}/test_no_false_alarm.py", f"{TESTS}/test_stored.py"

MUTANTS = (
    Mutant(f"{HERE}/verdicts.py", "found.share <= 1:\n        return None\n    if found.max_abs", "found.share <= 1e9:\n        return None\n    if found.max_abs", PLANTED, "found_at"),
    Mutant(f"{HERE}/verdicts.py", "away <= FURTHER * near:", "away < np.inf:", TRAINED, "kernel or stale"),
    Mutant(f"{HERE}/findings.py", "to_a < to_b", "to_a > to_b", PLANTED, "found_at"),
    Mutant(f"{HERE}/metrics.py", "((size ^ minus) - minus)", "(size ^ minus)", f"{TESTS}/test_metrics.py", "last_place"),
    Mutant(f"{HERE}/metrics.py", "np.isnan(apart), np.inf", "np.isnan(apart), 0", f"{TESTS}/test_metrics.py", "nan"),
    Mutant(f"{HERE}/rules.py", "more = math.sqrt(terms)", "more = 0.0", RIGHT, "long_sums"),
    Mutant(f"{HERE}/rules.py", "+ 2 * _IN_ORDER", "+ 0 * _IN_ORDER", RIGHT, "long_sums"),
    Mutant(f"{HERE}/bounds.py", "& (terms > TINY * 2**24)", "", RIGHT, "underflow"),
    Mutant(f"{HERE}/bounds.py", ".max(initial=0) * terms", ".mean() * terms", RIGHT, "are_equal"),
    Mutant(f"{HERE}/rules.py", '"MEAN": Terms(4),  # 1.1', '"MEAN": Terms(4e6),', PLANTED, "whichever"),
    Mutant(f"{HERE}/graphs.py", 'return "a" if self.oracle is self.a else "b" if self.oracle is self.b else "oracle"', 'return "oracle"', RIGHT, "states"),
    Mutant(f"{HERE}/training.py", 'done["a" if forced else side].state', "done[side].state", TRAINED, "stale"),
    Mutant(f"{HERE}/training.py", "room.get(name, 0) + apart[name]", "1e9 + room.get(name, 0) + apart[name]", TRAINED, "kernel"),
    Mutant(f"{HERE}/five_files.py", "state[n].copy()", "state[n]", RIGHT, "five_files"),
    Mutant(f"{HERE}/replay.py", "(0, _ROUNDING), (0, -_ROUNDING)", "(0, 0), (0, 0)", f"{TESTS}/test_replay.py", "hide"),
    Mutant(f"{HERE}/matching.py", "if n not in known and o.opcode not in _STORES:", "if n not in known:", f"{TESTS}/test_matching.py", "stored"),
    Mutant(f"{HERE}/single.py", "if i in fixed:", "if i in ():", f"{TESTS}/test_matching.py", "single"),
    Mutant(f"{HERE}/litert.py", '"tflite-ref": "BUILTIN_REF"', '"tflite-ref": "AUTO"', "tests/e2e/test_compare.py", "lack"),
    Mutant(f"{HERE}/stored.py", "_STEPS = 2 ", "_STEPS = 0 ", STORED, "agrees and int8"),
    Mutant(f"{HERE}/stored.py", "0.51 * along_axis", "99.0 * along_axis", STORED, "wrong_weights"),
    Mutant("tflite_transfer/cli/compare.py", "0 if found.agrees and (checked is None or checked.agrees) else 1", "0", "tests/e2e/test_compare.py", "differ"),
)  # fmt: skip
