"""From text to tokens. Where no token begins, it says what is wrong and goes on behind it."""

from __future__ import annotations

from lark import Token, UnexpectedCharacters
from lark.lexer import TextSlice

from netdsl.diagnostics import Problem, Refused
from netdsl.diagnostics.syntax import StrangeCharacter
from netdsl.language.grammar import grammar
from netdsl.language.text import BYTE_ORDER_MARK, character_name
from netdsl.source import Source, Span


def scan(source: Source) -> tuple[list[Token], list[Problem]]:
    lark, _ = grammar()
    text = source.text
    tokens: list[Token] = []
    start = len(BYTE_ORDER_MARK) if text.startswith(BYTE_ORDER_MARK) else 0
    try:
        tokens.extend(lark.lex(TextSlice(text, start, len(text))))
    except UnexpectedCharacters as error:
        at = error.pos_in_stream
        span = Span(source, at, at + 1)
        raise Refused(StrangeCharacter(span, character_name(text[at]), "no token")) from None
    return tokens, []
