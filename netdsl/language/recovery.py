"""After a mistake: say what it is."""

from __future__ import annotations

from lark import Token, UnexpectedToken

from netdsl.diagnostics import Problem
from netdsl.diagnostics.syntax import Unexpected
from netdsl.language.grammar import grammar
from netdsl.source import Source, Span


def explain(source: Source, tokens: list[Token], problems: list[Problem]) -> list[Problem]:
    lark, _ = grammar()
    parser = lark.parse_interactive()
    try:
        for token in tokens:
            parser.feed_token(token)
        parser.feed_eof(tokens[-1] if tokens else None)
    except UnexpectedToken as error:
        span = Span(source, error.token.start_pos, error.token.end_pos)
        found = f"`{error.token.value}`"
        return [*problems, Unexpected(span, found, tuple(sorted(error.expected)))]
    return problems
