"""The same stages for a terminal, by rich."""

from __future__ import annotations

import io
from collections.abc import Iterable

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tflite_transfer.diagnostics.explain.decision import Decision
from tflite_transfer.diagnostics.explain.detail import Detail
from tflite_transfer.diagnostics.explain.explanation import Explanation
from tflite_transfer.diagnostics.explain.operations import Trace
from tflite_transfer.diagnostics.explain.stage import Check, Stage, Value
from tflite_transfer.diagnostics.page.names import ending
from tflite_transfer.diagnostics.page.numbers import largest, percent, shape, short

BAR = 30  # characters of a probability of 1


def as_lines(parts: Iterable[RenderableType], *, width: int, colours: bool) -> list[str]:
    """What rich draws, line by line."""
    content = io.StringIO()
    console = Console(file=content, width=width, force_terminal=colours, color_system="auto" if colours else None)
    for part in parts:
        console.print(part)
    return [line.rstrip() for line in content.getvalue().splitlines()]


def explanation_text(told: Explanation) -> list[RenderableType]:
    """A step: what came of it, then stage by stage."""
    head = Text.assemble((told.model, "bold"), f" · step {told.step} · {told.rule}")
    loss = Text(f"loss {short(told.losses[0], 6)} → {short(told.losses[1], 6)}, ")
    d = told.decision
    loss.append(f"right {d.right[0]} → {d.right[1]} of {len(d.moves)}")
    parts: list[RenderableType] = [head, Text(f"the sample: {d.sample}, a {d.truth}"), loss, Text(), _bars(d)]
    if told.unheld:
        parts.append(Text(told.unheld))
    for number, stage in enumerate(told.stages, 1):
        parts += [Text(), Text(f"{number}  {stage.lesson.title}", "bold"), *(_indented(p) for p in _stage(stage, told))]
    if told.roundings:
        table = Table(
            "", "by itself", "so far", title="where rounding enters, as shares", box=None, title_justify="left"
        )
        for r in told.roundings:
            table.add_row(r.letter, short(r.own, 3), short(r.all, 3))
        parts += [Text(), table]
    return parts


def _bars(told: Decision) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, before, after in told.bars:
        drawn = Text("█" * round(BAR * after), "blue").append(
            "░" * max(0, round(BAR * before) - round(BAR * after)), "dim"
        )
        table.add_row(
            Text(name, "bold" if name == told.truth else ""), drawn, Text(f"{percent(before)} → {percent(after)}")
        )
    return table


def _stage(stage: Stage, told: Explanation) -> Iterable[RenderableType]:
    yield Text(stage.lesson.says)
    yield Group(*(Text(f"    {math.text}", "cyan") for math in stage.lesson.formulas))
    yield Group(*(Text(f"· {line}", "dim") for line in stage.lesson.why))
    yield Text(f"{stage.lesson.reference.text}: {stage.lesson.reference.link}", "dim")
    symbols = Table.grid(padding=(0, 2))
    for symbol in stage.symbols:
        symbols.add_row(Text(symbol.letter.text, "cyan"), Text(symbol.meaning), Text(symbol.here))
    yield symbols
    for value in stage.values:
        if value.kind != "image":
            yield from _value(value)
    yield from (_check(c, told.engine_name) for c in stage.checks)
    if stage.note:
        yield Text(stage.note.replace("``", ""), "italic")
    if stage.sources:
        yield Text(f"computed by {', '.join(s.where for s in stage.sources)}", "dim")


def trace_text(told: Trace) -> list[RenderableType]:
    """A run, a few lines an operator."""
    head = Text.assemble((told.model, "bold"), f" · {told.signature} · given: {told.told}")
    parts: list[RenderableType] = [head, *([Text(told.why, "italic")] if told.why else [])]
    if told.decision is not None:
        parts += [Text(f"the sample: {told.decision.sample}, a {told.decision.truth}"), _bars(told.decision), Text()]
    for o in told.operations:
        place = f"{o.subgraph}/{o.number}" if o.subgraph else str(o.number)
        parts += [Text.assemble(f"{place:>5}  ", (o.op, "bold"), "  " + o.says.replace("``", ""))]
        given = ", ".join(f"{ending(t.name)} {shape(t.shape)}" for t in o.inputs)
        parts += [Text(f"       {given}", "dim")] if given else []
        for t in o.outputs:
            numbers = " ".join(short(v, 3) for v in t.first) + (
                " …" if t.value is not None and t.value.size > 6 else ""
            )
            parts.append(Text.assemble("       → ", (ending(t.name), "cyan"), f" {t.kind} {shape(t.shape)}  {numbers}"))
    for name, (before, after) in told.variables.items():
        moved = short(largest(after - before) if before.dtype.kind == "f" else 0)
        parts.append(Text(f"variable {name} {shape(before.shape)}: moved by {moved} at most"))
    return parts


def detail_text(told: Detail) -> list[RenderableType]:
    """One operator."""
    o = told.operation
    parts: list[RenderableType] = [
        Text.assemble((f"{told.model}: operator {o.number}, {o.op}", "bold")),
        Text(o.says.replace("``", "")),
    ]
    parts += [Text(", ".join(f"{k} = {v}" for k, v in o.options.items()), "dim")] if o.options else []
    for value in told.values:
        parts += [Text(), *_value(value)]
    parts += [Text(), *(_check(c, told.engine) for c in told.checks)]
    if told.without:
        parts.append(Text(f"Nothing is held against {told.engine}: {told.without}"))
    return [*parts, Text(), Text(told.source.text, "dim")]


def _check(found: Check, engine: str) -> Text:
    allowed = "" if found.allowed is None else f", {short(found.allowed)} allowed"
    verdict = ("agrees", "green") if found.agrees else ("differs", "bold red")
    ulp = "" if found.found.max_ulp is None else f", {short(found.found.max_ulp)} ULP"
    return Text.assemble(f"{engine}: {found.what.text} ", verdict, f", by {short(found.found.max_abs)}{ulp}{allowed}")


def _value(value: Value) -> Iterable[RenderableType]:
    letter = Text(value.letter.text, "cyan")
    if value.is_scalar:
        yield letter.append(f" = {short(value.array, 7)}", "").append(f"  {value.meaning}", "dim")
    else:
        grid = value.grid
        yield letter.append(f"  {value.meaning}", "dim").append(f"  {grid.factor}", "dim")
        table = Table(box=None, pad_edge=False, padding=(0, 0, 0, 2), show_header=bool(grid.columns))
        if grid.rows:
            table.add_column("")
        for name in grid.columns or [""] * max(map(len, grid.cells)):
            table.add_column(Text(name), justify="right", no_wrap=True)
        for i, line in enumerate(grid.cells):
            table.add_row(*([Text(grid.rows[i])] if grid.rows else []), *line)
        yield Padding(table, (0, 0, 0, 2))
        if not value.is_small:
            yield Text(value.told_slice, "dim")
    if value.rounding is not None:
        apart, ulp = (short(v) for v in value.rounding)
        yield Text(f"float32 is {apart} from float64 at most, {ulp} units in the last place", "dim")


def _indented(part: RenderableType) -> Padding:
    return Padding(part, (0, 0, 0, 3))
