"""``python -m bench [SUBSTRING] [--json_out FILE] [--peers]``: both backends against LiteRT and the machine's limits.

Each case is validated first; then its sides take turns. The table shows medians over the rounds with quartiles, and
each goal's ratio with its own.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

# One thread means one thread, of NumPy's BLAS too; it reads this when it is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

if TYPE_CHECKING:
    from bench.case import Case, Setting
    from bench.results import Results


def main() -> None:
    """Run the cases whose name holds the substring."""
    try:
        from bench.case import Setting
        from bench.cases import CASES
        from bench.peers import installed
        from bench.results import save
    except ModuleNotFoundError as e:  # cases are those of the tests, and need what tests do
        print(f"python -m bench: error: {e.name} is missing: pip install '.[dev]', or make bench.", file=sys.stderr)
        raise SystemExit(2) from e

    arguments = _arguments([case.name for case in CASES])
    chosen = [case for case in CASES if arguments.substring in case.name]
    with installed() if arguments.peers else nullcontext({}) as peers:
        for results in _run(chosen, Setting(peers=peers)):
            if arguments.json_out:
                save(results, arguments.json_out)


def _arguments(names: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("substring", nargs="?", default="", help="run only the cases whose name holds this")
    parser.add_argument("--json_out", type=Path, metavar="FILE", help="write machine, versions and raw figures there")
    parser.add_argument(
        "--peers", action="store_true", help="beside other frameworks: those that python -m bench.peers made"
    )
    found = parser.parse_args()
    if not any(found.substring in name for name in names):
        listed = "\n  ".join(names)
        parser.error(f"no case's name holds {found.substring!r}; the cases are\n  {listed}")
    out = found.json_out
    if out and (out.is_dir() or not os.access(out.absolute().parent, os.W_OK)):
        parser.error(f"--json_out {out} must be a file in a folder that may be written.")
    return found


def _run(cases: Sequence[Case], setting: Setting) -> Iterator[Results]:
    """All that was measured so far, after each case. What needs a package that is not here is left out."""
    from bench.machine import machine
    from bench.results import Results, Row
    from bench.table import lines

    found = Results(machine(), [], {})
    for case in cases:
        try:
            row = Row(case.name, case.unit, case.measure(setting), case.goals)
        except ImportError as e:
            found.left_out[case.name] = str(e)
            print(f"{case.name}: left out, {e}", flush=True)
        else:
            found.rows.append(row)
            print("\n".join(lines(row)), flush=True)
        yield found


if __name__ == "__main__":
    main()
