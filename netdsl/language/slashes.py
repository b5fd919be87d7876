"""Which `//` of a text that does not parse begin comments, as in C, and are not divisions."""

from __future__ import annotations

from lark import Token, UnexpectedToken

from netdsl.diagnostics.habits import SlashComment
from netdsl.language.brackets import starts_line
from netdsl.language.grammar import grammar
from netdsl.language.scanner import made
from netdsl.language.words import CLOSING, END, NAMES, is_word
from netdsl.source import Source, Span

_BEFORE = (("LET", "let"), ("NAME", "value"), ("EQUAL", "="))


def without_comments(
    source: Source, tokens: list[Token]
) -> tuple[list[Token], list[SlashComment]]:
    """The tokens outside of `//` comments, and the comments."""
    kept: list[Token] = []
    found: list[SlashComment] = []
    position = 0
    while position < len(tokens):
        token = tokens[position]
        if token.type == "FLOOR":
            stop = _line_end(source, tokens, position)
            rest = tokens[position + 1 : stop]
            if _is_comment(rest, tokens[stop : stop + 1], starts_line(source, tokens, position)):
                found.append(SlashComment(Span(source, token.start_pos, token.end_pos)))
                position = stop
                continue
        kept.append(token)
        position += 1
    return kept, found


def _line_end(source: Source, tokens: list[Token], position: int) -> int:
    position += 1
    while position < len(tokens) and not starts_line(source, tokens, position):
        position += 1
    return position


def _is_comment(rest: list[Token], below: list[Token], alone: bool) -> bool:
    """Whether the rest of a line cannot be what is divided by, and what may follow that."""
    if not rest:
        return alone
    stop = _operand_end(rest)
    if stop == len(rest):
        return rest[-1].type == "DOT" and bool(below)  # `// the end.`
    ends = rest[stop]
    if alone:
        return ends.type not in CLOSING and ends.type != "COMMA"
    if not is_word(ends):
        return False
    following = rest[stop + 1] if stop + 1 < len(rest) else None
    return stop == 0 or ends.type in NAMES and (following is None or is_word(following))


def _operand_end(tokens: list[Token]) -> int:
    """How many tokens from the first on may be read as an expression, or the beginning of one."""
    parser = grammar()[0].parse_interactive()
    parser.parser_state.parse_conf.callbacks = _Nothing()
    for type, value in _BEFORE:
        parser.feed_token(made(type, value, 0, 0))
    for position, token in enumerate(tokens):
        try:
            parser.feed_token(token)
        except UnexpectedToken:
            return position
    return len(tokens)
