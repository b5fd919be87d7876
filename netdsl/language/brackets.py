"""Which brackets belong together, and, when some have no partner, which those most likely are."""

from __future__ import annotations

from dataclasses import dataclass, field

from lark import Token

from netdsl.language.bounds import MOST_BRACKETS
from netdsl.language.words import CLOSED_BY, CLOSING
from netdsl.source import Source

_OUTERMOST = frozenset({"USE", "LAYER", "MODEL", "TRAIN"})


@dataclass
class Pairing:
    """Brackets by the positions of their tokens."""

    partner: dict[int, int] = field(default_factory=dict)  # both ways
    unclosed: set[int] = field(default_factory=set)
    unopened: set[int] = field(default_factory=set)

    @property
    def complete(self) -> bool:
        return not self.unclosed and not self.unopened


def pair(source: Source, tokens: list[Token]) -> Pairing:
    """Pairs by kind and order; where that leaves some over, anew and with the indentation."""
    plain = _pair(tokens, None)
    return plain if plain.complete else _pair(tokens, source)


def _pair(tokens: list[Token], source: Source | None) -> Pairing:
    found = Pairing()
    stack: list[int] = []
    for position, token in enumerate(tokens):
        if token.type in CLOSED_BY:
            stack.append(position)
        elif token.type in CLOSING:
            match = _match(tokens, stack, position, source)
            if match is None:
                found.unopened.add(position)
                continue
            found.unclosed.update(stack[match + 1 :])
            found.partner[stack[match]] = position
            found.partner[position] = stack[match]
            del stack[match:]
        elif source and stack and token.type in _OUTERMOST and begins_declaration(tokens, position):
            found.unclosed.update(stack)
            stack.clear()
    found.unclosed.update(stack)
    return found


def _match(
    tokens: list[Token], stack: list[int], position: int, source: Source | None
) -> int | None:
    """Where on the stack the bracket lies that `position` closes."""
    closing = tokens[position]
    near = range(len(stack) - 1, max(-1, len(stack) - 1 - MOST_BRACKETS), -1)
    matches = [i for i in near if CLOSED_BY[tokens[stack[i]].type] == closing.type]
    if not matches:
        return None
    if source and closing.type == "RBRACE" and starts_line(source, tokens, position):
        # A `}` on its own line stands below the line its block began on.
        column = source.position(closing.start_pos)[1]
        for i in matches:
            if indentation(source, tokens[stack[i]]) == column:
                return i
    return matches[0]


def starts_line(source: Source, tokens: list[Token], position: int) -> bool:
    """Whether a token is the first on its line."""
    start = tokens[position - 1].end_pos if position else 0
    return position == 0 or "\n" in source.text[start : tokens[position].start_pos]


def begins_declaration(tokens: list[Token], position: int) -> bool:
    """Whether a declaration's keyword stands in the first column, and is no label."""
    token = tokens[position]
    label = position + 1 < len(tokens) and tokens[position + 1].type == "COLON"
    return token.column == 1 and not label


def indentation(source: Source, token: Token) -> int:
    """The column of the first sign on a token's line, from 1."""
    line = source.line(source.position(token.start_pos)[0])
    return len(line) - len(line.lstrip()) + 1
