"""``python -m bench.readme [FILE]``: README's table and docs/measured.md from what a run wrote, its pictures beside it.

README names the file, which is taken where none is given.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from bench import growth
from bench.heads import LITERT
from bench.results import Goal, Results, Row, load, spread
from bench.table import digits, figure, sentence

ROOT = Path(__file__).parents[1]
README, PAGE = ROOT / "README.md", ROOT / "docs" / "measured.md"
BEGIN, END = "<!-- written by python -m bench.readme ", "<!-- to here -->"
ABOUT = """\
Medians over the rounds, and quartiles. *Byte floor*: the batch read twice, weights and slots read and
written. *FMA floor*: as many multiply-adds as the step has, at the rate of BLAS's product of small
matrices. *Hot*: one batch, again and again. *Same rows streamed*: read once, in the order of the epoch.
*Upstream's graph*: as the original converter writes it. Peers take steps on one batch, in environments of
their own, on one thread.
"""


def section(results: Results, name: str) -> str:
    """README's part: a line for every case. ``name`` is the file's, from README, without its ending."""
    told = ", ".join(f"{package} {version}" for package, version in results.machine.items() if package != "cpu")
    beside = [row for row in results.rows if {"numpy", "LiteRT"} <= set(row.values)]
    drawn = [row for row in results.rows if row.name == growth.CASES[0].name]
    parts = [
        f"{results.machine['cpu']}; {told}. [All sides and goals](docs/measured.md).",
        f"![Every case beside LiteRT]({name}.svg)",
        _table(("case", "numpy", "LiteRT", "times as fast (quartiles)"), map(_speed, beside)),
        _table(("what else", "measured"), (_rest(row) for row in results.rows if row not in [*beside, *drawn])),
    ]
    return "\n\n".join(parts) + "\n"


def _speed(row: Row) -> tuple[str, ...]:
    """One thread each; LiteRT's side is the faster of its graphs."""
    goal = Goal("faster", "numpy", LITERT[1])
    ((_, found),) = replace(row, goals=(goal,)).outcomes()
    sides = (figure(spread(row.values[name])[0], row.unit) for name in ("numpy", found.other))
    return row.name, *sides, f"{digits(found.figure)} ({digits(found.low)} to {digits(found.high)})"


def _rest(row: Row) -> tuple[str, ...]:
    return row.name, "; ".join(f"{name}: {figure(spread(v)[0], row.unit)}" for name, v in row.values.items())


def page(results: Results, name: str) -> str:
    """All sides of all cases with their quartiles, and every goal."""
    told = ", ".join(f"{package} {version}" for package, version in results.machine.items())
    parts = ["# Measured", f"Written by `python -m bench.readme` from `{name}.json`: {told}.", ABOUT.strip()]
    parts += [f"![Every case beside LiteRT](../{name}.svg)", f"![A step and an epoch](../{name}-growth.svg)"]
    for row in results.rows:
        figures = [(name, *(figure(v, row.unit) for v in spread(values))) for name, values in row.values.items()]
        sides = [(name, middle, f"{low} to {high}") for name, middle, low, high in figures]
        parts += [f"## {row.name}", _table(("side", "median", "quartiles"), sides)]
        goals = [f"- {sentence(goal, found, row.unit)}" for goal, found in row.outcomes()]
        parts += ["\n".join(goals)] if goals else []
    parts += [f"Left out: {name}: {why}." for name, why in results.left_out.items()]
    return "\n\n".join(parts) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"|{'|'.join(cells)}|" if cells[0] == "---" else f"| {' | '.join(cells)} |" for cells in lines)


def shown(text: str) -> tuple[str, Path, str, str]:
    """README in parts: before the table, the file that it tells of, the table, and what follows."""
    before, _, rest = text.partition(BEGIN)
    name, _, rest = rest.partition(" -->\n")
    table, _, after = rest.partition(END)
    return before, ROOT / name, table, after


def main() -> None:
    """Write them all."""
    before, path, _, after = shown(README.read_text())
    parser = argparse.ArgumentParser(prog="python -m bench.readme", description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=path, help="what python -m bench --json_out wrote")
    path = parser.parse_args().file.resolve()
    results = load(path)
    from bench.plots import growing, overview

    name = path.relative_to(ROOT)
    table = section(results, str(name.with_suffix("")))
    README.write_text(f"{before}{BEGIN}{name} -->\n{table}{END}{after}")
    PAGE.write_text(page(results, str(name.with_suffix(""))))
    overview(results, path.with_suffix(".svg"))
    growing(results, path.with_name(f"{path.stem}-growth.svg"))


if __name__ == "__main__":
    main()
