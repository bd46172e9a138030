"""Arithmetic on words as people type it: `king - man + woman`, `0.5*paris + rome`, `"new york" - usa`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from wordgeo.errors import OptionError

__all__ = ["Operand", "parse_expression"]

# A quoted word, or a run without spaces; both may carry a weight.
OPERAND = re.compile(r'(?:(?P<weight>\d+(?:\.\d*)?|\.\d+)\*)?(?:"(?P<quoted>[^"]+)"|(?P<plain>[^\s"]+))')


@dataclass(frozen=True)
class Operand:
    """A word with its signed weight; `forms` are the spellings to try, in order."""

    weight: float
    forms: tuple[str, ...]


def parse_expression(expression: str) -> list[Operand]:
    """The operands of an expression, in order. `+` and `-` stand between spaces, so `south-east` is one word.

    Raises `OptionError` that shows where the expression ends to make sense.

    >>> [(operand.weight, operand.forms[0]) for operand in parse_expression("king - 0.5*man + woman")]
    [(1.0, 'king'), (-0.5, 'man'), (1.0, 'woman')]
    """
    operands: list[Operand] = []
    rest = expression.strip()
    while rest or not operands:
        sign = re.match(r"([+-])\s+", rest)
        if operands and not sign:
            raise _wrong(expression, f"expected + or - with spaces around it before '{rest}'")
        rest = rest[sign.end() :] if sign else rest
        match = OPERAND.match(rest)
        if not match or match["plain"] in ("+", "-") or not re.match(r"\s|$", rest[match.end() :]):
            raise _wrong(expression, f"expected a word at '{rest}'" if rest else "expected a word at the end")
        text = match["quoted"] or match["plain"]
        forms = (text, re.sub(r"\s+", "_", text)) if re.search(r"\s", text) else (text,)
        weight = float(match["weight"] or 1.0) * (-1.0 if sign and sign[1] == "-" else 1.0)
        operands.append(Operand(weight, forms))
        rest = rest[match.end() :].lstrip()
    return operands


def _wrong(expression: str, what: str) -> OptionError:
    return OptionError(f"cannot read the expression '{expression}': {what}; write for instance king - man + woman")
