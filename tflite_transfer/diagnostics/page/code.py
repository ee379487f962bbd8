"""Source code of the definitions, split into what a page colours."""

from __future__ import annotations

import inspect
import io
import keyword
import token
import tokenize
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple


class Span(NamedTuple):
    """A stretch of source; ``kind`` is keyword, text, comment, number or nothing."""

    kind: str
    text: str


class Source(NamedTuple):
    """A function's definition: where it stands, and its lines."""

    where: str
    text: str

    def spans(self) -> list[Span]:
        """The text, stretch by stretch: put together they are the source again."""
        return list(_spans(self.text))


def source(function: Callable[..., Any]) -> Source:
    """A function's own source: what ran, and not a copy of it."""
    plain = inspect.unwrap(function)
    return Source(f"{plain.__module__}.{plain.__qualname__}", inspect.getsource(plain).rstrip())


def _spans(text: str) -> Iterator[Span]:
    lines = text.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    at = 0
    for found in tokenize.generate_tokens(io.StringIO(text).readline):
        begin, end = (starts[r - 1] + c for r, c in (found.start, found.end))
        kind = _kind(found)
        if not kind or end <= begin:
            continue
        if begin > at:
            yield Span("", text[at:begin])
        yield Span(kind, text[begin:end])
        at = end
    if at < len(text):
        yield Span("", text[at:])


def _kind(found: tokenize.TokenInfo) -> str:
    if found.type == token.NAME:
        return "keyword" if keyword.iskeyword(found.string) else ""
    return {token.STRING: "text", tokenize.COMMENT: "comment", token.NUMBER: "number"}.get(found.type, "")
