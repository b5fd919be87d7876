"""Bounds on a program before it means anything, so that no later walk over it can overflow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from functools import cache

from lark import Token

from netdsl.diagnostics import Problem
from netdsl.diagnostics.syntax import BadNumber, LongName, TooDeep
from netdsl.language import ast
from netdsl.language.words import CLOSED_BY, CLOSING
from netdsl.source import Source, Span

MOST_TOKENS = 1_000_000
MOST_BRACKETS = 100  # one in another
MOST_LEVELS = 150  # nodes from a declaration down; a walk may use six frames for each
MOST_DIGITS = 400  # of a number written out; float64 needs 309
MOST_LETTERS = 200  # of a name


def overlong(source: Source, tokens: list[Token]) -> Iterator[Problem]:
    """Names and numbers beyond their bounds."""
    for token in tokens:
        if token.type == "NAME":
            if len(token.value) > MOST_LETTERS:
                span = Span(source, token.start_pos, token.end_pos)
                yield LongName(span, MOST_LETTERS)
        elif token.type in ("INT", "FLOAT") and _digits(token.value) > MOST_DIGITS:
            span = Span(source, token.start_pos, token.end_pos)
            yield BadNumber(span, f"this number has more than {MOST_DIGITS} digits")


def _digits(text: str) -> int:
    """How many digits `text` has when written without an exponent, roughly from above."""
    mantissa, _, exponent = text.lower().partition("e")
    if len(exponent) > 6:
        return MOST_DIGITS + 1
    return len(mantissa) + abs(int(exponent or "0"))


def deepest_bracket(source: Source, tokens: list[Token]) -> Problem | None:
    depth = 0
    for token in tokens:
        if token.type in CLOSED_BY:
            depth += 1
            if depth > MOST_BRACKETS:
                return TooDeep(Span(source, token.start_pos, token.end_pos), MOST_BRACKETS)
        elif token.type in CLOSING:
            depth -= 1
    return None


def deepest_node(file: ast.File) -> Problem | None:
    """Operators, conditions and calls nest without brackets too: `- - - x`, `f.a.a.a`."""
    pending: list[tuple[object, int]] = [(declaration, 1) for declaration in file.declarations]
    while pending:
        part, level = pending.pop()
        if isinstance(part, tuple):
            pending.extend((item, level) for item in part if not isinstance(item, str))
        elif isinstance(part, ast.Syntax):
            if level > MOST_LEVELS:
                return TooDeep(part.span, MOST_LEVELS)
            pending.extend((getattr(part, name), level + 1) for name in _inner(type(part)))
    return None


@cache
def _inner(kind: type[ast.Syntax]) -> tuple[str, ...]:
    """The fields of a node that hold nodes."""
    plain = ("str", "str | None", "tuple[str, ...]")
    return tuple(f.name for f in fields(kind) if f.name != "span" and f.type not in plain)
