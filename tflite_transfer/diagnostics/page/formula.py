"""Formulas, each written once: MathML for a page and plain text for a terminal come out of the same expression.

>>> p, z = symbol("p", "c"), symbol("z", "c")
>>> row(p, "=", fraction(call("exp", z), total("k", call("exp", symbol("z", "k"))))).text
'p_c = exp(z_c) / Σ_k exp(z_k)'
"""

from __future__ import annotations

from html import escape
from typing import NamedTuple

_PRIME = '<mo lspace="0" rspace="0">′</mo>'
_RAISED = {"T": "ᵀ", "2": "²", "t": "ᵗ", "−1": "⁻¹"}


class Math(NamedTuple):
    """A piece of mathematics in both forms."""

    mathml: str
    text: str

    def block(self) -> str:
        """A MathML element of its own line."""
        return f'<math display="block" class="formula">{self.mathml}</math>'

    def inline(self) -> str:
        """The same within a line."""
        return f"<math>{self.mathml}</math>"


Part = Math | str


def row(*parts: Part) -> Math:
    """Pieces side by side. Of texts, digits are numbers, letters are names, and the rest are operators."""
    pieces = [_piece(p) for p in parts]
    text = " ".join(p.text for p in pieces)
    return Math(
        f"<mrow>{''.join(p.mathml for p in pieces)}</mrow>",
        text.replace(" ,", ",").replace("| ", "|", 1).replace(" |", "|"),
    )


def symbol(name: str, below: str = "", above: Part = "") -> Math:
    """A letter with what stands below and above it: ``symbol("w", "jc")``, ``symbol("x", above="T")``."""
    base, low, high = _piece(name), _indices(below) if below else None, _piece(above) if above else None
    text = base.text + (f"_{low.text}" if low else "") + (_raised(high.text) if high else "")
    if low and high:
        return Math(f"<msubsup>{base.mathml}{low.mathml}{high.mathml}</msubsup>", text)
    if low or high:
        tag, other = ("msub", low) if low else ("msup", high)
        assert other is not None
        return Math(f"<{tag}>{base.mathml}{other.mathml}</{tag}>", text)
    return base


def power(base: Part, above: Part) -> Math:
    """``base`` raised: a square, a transpose, a power of a number."""
    low, high = _piece(base), _piece(above)
    return Math(f"<msup>{low.mathml}{high.mathml}</msup>", low.text + _raised(high.text))


def of(letter: Math, name: Math) -> Math:
    """A letter for one parameter: ``m_W``."""
    return Math(f"<msub>{letter.mathml}{name.mathml}</msub>", f"{letter.text}_{name.text}")


def new(letter: Math) -> Math:
    """The value after a step: a prime, above what stands below."""
    inner, text = letter.mathml, f"{letter.text}'"
    if inner.startswith("<msub>"):
        return Math(f"<msubsup>{inner[6:-7]}{_PRIME}</msubsup>", text)
    return Math(f"<msup>{inner}{_PRIME}</msup>", text)


def hat(letter: str) -> Math:
    """A letter with a roof."""
    return Math(f'<mover accent="true"><mi>{letter}</mi><mo stretchy="false">^</mo></mover>', f"{letter}\u0302")


def fraction(above: Part, below: Part) -> Math:
    """One over the other."""
    high, low = _piece(above), _piece(below)
    return Math(f"<mfrac>{high.mathml}{low.mathml}</mfrac>", f"{_grouped(high.text)} / {_grouped(low.text)}")


def root(inner: Part) -> Math:
    """The square root."""
    piece = _piece(inner)
    return Math(f"<msqrt>{piece.mathml}</msqrt>", f"√({piece.text})" if len(piece.text) > 2 else f"√{piece.text}")


def total(index: str, body: Part) -> Math:
    """The sum over an index."""
    low, piece = _piece(index), _piece(body)
    sign = f"<munder><mo>∑</mo>{low.mathml}</munder>"
    return Math(f"<mrow>{sign}{piece.mathml}</mrow>", f"Σ_{low.text} {piece.text}")


def call(name: str, *inner: Part) -> Math:
    """A function's value."""
    piece = row(*inner)
    return Math(
        f"<mrow><mi>{name}</mi><mo>&#8289;</mo><mo>(</mo>{piece.mathml}<mo>)</mo></mrow>", f"{name}({piece.text})"
    )


def group(*inner: Part) -> Math:
    """In parentheses."""
    piece = row(*inner)
    return Math(f"<mrow><mo>(</mo>{piece.mathml}<mo>)</mo></mrow>", f"({piece.text})")


def _piece(part: Part) -> Math:
    if isinstance(part, Math):
        return part
    tag = "mn" if part.replace(".", "").isdigit() else "mi" if part.isalpha() else "mo"
    wide = ' rspace="1.2em"' if part == "," else ""
    return Math(f"<{tag}{wide}>{escape(part)}</{tag}>", part)


def _indices(text: str) -> Math:
    """Letters below are indices, each by itself; numbers are numbers."""
    if not text.isalpha() or len(text) == 1:
        return _piece(text)
    return Math(f"<mrow>{''.join(f'<mi>{letter}</mi>' for letter in text)}</mrow>", text)


def _raised(text: str) -> str:
    return _RAISED.get(text, f"^{_grouped(text)}")


def _grouped(text: str) -> str:
    """In parentheses where it would fall apart: where a space stands outside of any."""
    depth = 0
    for character in text.removeprefix("Σ_").partition(" ")[2] if text.startswith("Σ_") else text:
        depth += (character == "(") - (character == ")")
        if character == " " and depth == 0:
            return f"({text})"
    return text
