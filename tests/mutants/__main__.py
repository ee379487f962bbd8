"""Run it as ``python -m tests.mutants [substring]``: all mutants, or those whose file or texts contain the substring.

The named tests first run on a copy of the tree as it is, where they must pass; then each mutant gets a copy of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.mutants.mutant import ROOT, Mutant
from tests.mutants.table import MUTANTS

IGNORED = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "*.egg-info", "out")
PASSED, FAILED = 0, 1  # pytest's exit codes; another one means that it ran no test to its end


def pytest_on_copy(mutant: Mutant | None, tests: str, keyword: str) -> int:
    """pytest's exit code for some tests in a scratch copy of the tree, with a mutant or without."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(ROOT, tree, symlinks=True, ignore=IGNORED)
        if mutant is not None:
            (tree / mutant.file).write_text(mutant.applied(ROOT))
        kernels = {"NUMBA_CACHE_DIR": f"{folder}/kernels"}  # none that were compiled from another tree
        environment = os.environ | kernels | {"PYTHONDONTWRITEBYTECODE": "1", "OPENBLAS_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "pytest", "-xq", "--tb=no", "-p", "no:cacheprovider", tests, "-k", keyword]
        return subprocess.run(command, cwd=tree, env=environment, capture_output=True, check=False).returncode


def verdict(mutant: Mutant) -> str:
    """``killed``, ``SURVIVED``, or what is wrong with the mutant."""
    try:
        code = pytest_on_copy(mutant, mutant.tests, mutant.keyword)
    except ValueError as e:
        return str(e)
    return {FAILED: "killed", PASSED: "SURVIVED"}.get(code, f"pytest ended with {code}")


def red_already(mutants: Iterable[Mutant]) -> list[str]:
    """The files of named tests that do not pass without any mutant."""
    keywords: dict[str, set[str]] = {}
    for m in mutants:
        keywords.setdefault(m.tests, set()).add(f"({m.keyword})")
    return [tests for tests, k in keywords.items() if pytest_on_copy(None, tests, " or ".join(sorted(k))) != PASSED]


def main(substring: str = "") -> int:
    """Exit code 1 if one survives."""
    mutants = [m for m in MUTANTS if any(substring in part for part in m)]
    for tests in red_already(mutants):
        print(f"{tests} fails without a mutant")
        return 1
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        verdicts = pool.map(verdict, mutants)
        wrong = 0
        for mutant, found in zip(mutants, verdicts, strict=True):
            print(f"{found:9} {mutant}", flush=True)
            wrong += found != "killed"
    print(f"{len(mutants) - wrong} of {len(mutants)} killed")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
