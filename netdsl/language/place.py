"""Where parsing failed and what is made of it: the data that the rules for mistakes work on.

A rule looks at the tokens around the one that did not fit and answers with a `Mistake`: the
problem to report and, where it is plain what was meant, the edits that mend the tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lark import Token

from netdsl.diagnostics import Problem
from netdsl.language.brackets import Pairing, indentation, starts_line
from netdsl.language.words import CLOSED_BY, CLOSING
from netdsl.source import Source, Span

MOST_QUOTED = 100  # characters of the user's text in a way out


@dataclass(frozen=True)
class Edit:
    """Tokens `start` up to `stop` give way to `tokens`, each a type and its text."""

    start: int
    stop: int
    tokens: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Mistake:
    problem: Problem
    edits: tuple[Edit, ...] = ()
    vague: bool = False  # says only that something does not fit


@dataclass(frozen=True)
class Place:
    """Where parsing failed, and what is known there."""

    source: Source
    tokens: list[Token]
    at: int  # the token that does not fit
    expected: frozenset[str]
    begin: int  # the first token of the statement
    kind: str  # of statements around: "declaration", "statement", "train", "step", "update"
    open: tuple[int, ...]
    pairs: Pairing

    def token(self, offset: int = 0) -> Token:
        position = self.at + offset
        inside = 0 <= position < len(self.tokens)
        return self.tokens[position] if inside else self.tokens[-1]

    def type(self, offset: int = 0) -> str:
        return self.token(offset).type

    def span(self, offset: int = 0, last: int | None = None) -> Span:
        end = self.token(offset if last is None else last).end_pos
        return Span(self.source, self.token(offset).start_pos, end)

    def span_at(self, position: int) -> Span:
        return self.span(position - self.at)

    def adjacent(self, offset: int) -> bool:
        """Whether a token follows the one before it without a space."""
        return self.token(offset - 1).end_pos == self.token(offset).start_pos

    def starts_line(self, offset: int = 0) -> bool:
        return starts_line(self.source, self.tokens, self.at + offset)

    def expects_expression(self) -> bool:
        return {"INT", "NAME"} <= self.expected and "PLUS" not in self.expected

    def line(self) -> range:
        """The positions of the tokens on this line."""
        first = last = self.at
        while first > 0 and not starts_line(self.source, self.tokens, first):
            first -= 1
        last += 1
        while last < len(self.tokens) - 1 and not starts_line(self.source, self.tokens, last):
            last += 1
        return range(first, min(last, len(self.tokens) - 1))

    def indentation(self, position: int) -> int:
        """The column of the first sign on the line of a token, from 1."""
        return indentation(self.source, self.tokens[position])

    def begins_block(self, brace: int) -> bool:
        """Whether a `{` opens the body of a declaration, loop or condition."""
        return self.tokens[brace - 1].type in ("RPAR", "ELSE", "UPDATE") or self.tokens[
            brace - 2].type in ("MODEL", "TRAIN", "SAMPLE", "STEP", "COLON", "ARROW")

    def declared_name(self, keyword: str) -> str | None:
        """The name of the declaration around that begins with this keyword."""
        for position in range(self.begin, 0, -1):
            if self.tokens[position - 1].type == keyword and self.tokens[position].type == "NAME":
                return self.tokens[position].value
        return None

    def text(self, first: int, last: int) -> str:
        """What the source says from one position to another, on one line."""
        text = self.source.text[self.tokens[first].start_pos : self.tokens[last].end_pos]
        text = " ".join(text.split())
        return text if len(text) <= MOST_QUOTED else f"{text[:50]} … {text[-20:]}"

    def text_behind(self, position: int) -> str:
        """What stands behind a token up to the end of its line; "…" for nothing."""
        last = self.line().stop - 1
        return self.text(position + 1, last) if last > position else "…"

    def operand(self, position: int, step: int) -> int:
        """The last position, going by `step`, of the expression that begins beside `position`."""
        last = position
        while 0 <= (next := last + step) < len(self.tokens) - 1:
            token = self.tokens[next]
            if token.type in CLOSED_BY or token.type in CLOSING:
                if (token.type in CLOSED_BY) != (step > 0) or next not in self.pairs.partner:
                    return last
                next = self.pairs.partner[next]
            elif token.type in _ENDS_OPERAND:
                return last
            if step > 0 and starts_line(self.source, self.tokens, next):
                return last
            last = next
        return last


_ENDS_OPERAND = frozenset({
    "EQUAL", "COMMA", "COLON", "ARROW", "RETURN", "IF", "ELSE", "THEN", "WHEN", "AND", "OR", "IN",
})

Rule = Callable[[Place], Mistake | None]
