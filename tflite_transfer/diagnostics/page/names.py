"""Names out of files, as short as a line can take them."""

from __future__ import annotations

from html import escape

from tflite_transfer.diagnostics.page.formula import Math


def printable(text: str) -> str:
    """What neither moves a terminal's cursor nor turns the direction of writing."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def ending(name: str, width: int = 36) -> str:
    """The end of a long name: converters put whole histories in front."""
    return printable(name if len(name) <= width else "…" + name[1 - width :])


def quoted(name: str) -> Math:
    """A name where a letter would stand. It is anybody's text, and never markup."""
    return Math(f"<mtext>{escape(ending(name))}</mtext>", ending(name))
