"""Files that are damaged where it leads to code not seen before: by atheris, run by hand, not in CI.

    pip install atheris
    python -m tests.attacks.fuzz [seconds]

It begins with the small files of the tests: every operator, loops, training models. What is no typed error, or takes
too long or too much memory, ends it with a traceback, and leaves the file as ``crash-...``, ``timeout-...`` or
``oom-...`` in the working directory.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

SECONDS, LONGEST = 0.5, 2  # a run's budget; what one file may take, on the CPU
MEGABYTES = 1500  # of the process; the budget has 128


def main() -> int:
    """Run the fuzzer in a process of its own, which it ends as it likes, and in folders that go with it."""
    seconds = sys.argv[1] if len(sys.argv) > 1 else "600"
    with tempfile.TemporaryDirectory() as folder:
        return subprocess.run([sys.executable, "-m", "tests.attacks.fuzz", seconds, folder], check=False).returncode


def fuzz(seconds: str, folder: Path) -> None:
    """Never returns."""
    atheris: Any = import_module("atheris")
    with atheris.instrument_imports(include=["tflite_transfer"]):
        import tflite_transfer.reference.interpreter  # noqa: F401
    from tests.attacks.outcome import outcome
    from tests.attacks.zoo import FILES, GOLDEN
    from tests.parity.cases import ALL
    from tests.parity.operators import content
    from tflite_transfer.reference.budget import Budget

    corpus, saved = folder / "corpus", folder / "saved"
    corpus.mkdir()
    saved.mkdir()
    files = {**FILES, **{p.stem: p.read_bytes() for p in (GOLDEN / "flex").glob("*.tflite")}}
    files |= {f"{c.opcode} {bool(c.stored)}": content(c)[0] for c in ALL}
    for name, data in files.items():
        (corpus / name.replace("/", " ")).write_bytes(data)
        outcome(data, Budget(), saved)  # and its kernels are compiled
    budget = Budget(bytes=2**27, operators=1_000, trips=100, seconds=SECONDS)

    def one(data: bytes) -> None:
        start = time.process_time()
        outcome(data, budget, saved, jit=len(data) % 2 == 0)
        if time.process_time() - start > LONGEST:
            raise AssertionError(f"it took {time.process_time() - start:.1f} seconds")

    limits = [f"-max_total_time={seconds}", "-timeout=30", f"-rss_limit_mb={MEGABYTES}", "-max_len=70000"]
    atheris.Setup([sys.argv[0], *limits, f"-artifact_prefix={os.getcwd()}/", str(corpus)], one)  # noqa: PTH109
    atheris.Fuzz()


if __name__ == "__main__":
    if len(sys.argv) > 2:
        fuzz(sys.argv[1], Path(sys.argv[2]))
    sys.exit(main())
