"""Which `//` of a text that does not parse begin comments, as in C, and are not divisions."""

from __future__ import annotations

from lark import Token, UnexpectedToken

from netdsl.diagnostics.habits import SlashComment
from netdsl.language.automaton import Automaton
from netdsl.language.brackets import starts_line
from netdsl.language.scanner import made
from netdsl.language.words import CLOSING, NAMES, TRAIN_SETTINGS, is_word
from netdsl.source import Source, Span

_BEFORE = (("LET", "let"), ("NAME", "value"), ("EQUAL", "="))
_MOST_READ = 20  # tokens behind a `//`, so that a line of very many is read in linear time


def without_comments(
    source: Source, tokens: list[Token], automaton: Automaton
) -> tuple[list[Token], list[SlashComment]]:
    """The tokens outside of `//` comments, and the comments."""
    kept: list[Token] = []
    found: list[SlashComment] = []
    position = 0
    while position < len(tokens):
        token = tokens[position]
        if token.type == "FLOOR":
            rest = tokens[position + 1 : _line_end(source, tokens, position, _MOST_READ)]
            if _is_comment(rest, automaton, starts_line(source, tokens, position)):
                found.append(SlashComment(Span(source, token.start_pos, token.end_pos)))
                position = _line_end(source, tokens, position, len(tokens))
                continue
        kept.append(token)
        position += 1
    return kept, found


def _line_end(source: Source, tokens: list[Token], position: int, most: int) -> int:
    """Where the line ends that `position` lies on; at most `most` tokens on."""
    last = min(position + 1 + most, len(tokens))
    following = range(position + 1, last)
    return next((p for p in following if starts_line(source, tokens, p)), last)


def _is_comment(rest: list[Token], automaton: Automaton, alone: bool) -> bool:
    """Whether the rest of a line cannot be what is divided by, and what may follow that."""
    if not rest:
        return alone
    stop = _operand_end(rest, automaton)
    if stop == len(rest):
        return rest[-1].type == "DOT"  # `// the end.`
    ends = rest[stop]
    if alone:
        return ends.type not in CLOSING and rest[-1].type != "COMMA"
    if not is_word(ends) or ends.value.upper() in TRAIN_SETTINGS:
        return False
    following = rest[stop + 1] if stop + 1 < len(rest) else None
    goes_on = following is None or is_word(following) or following.type in ("DOT", "COMMA")
    return stop == 0 or ends.type in NAMES and goes_on


def _operand_end(tokens: list[Token], automaton: Automaton) -> int:
    """How many tokens may be read as an expression, or as the beginning of one."""
    automaton.stack = automaton.stack[:1]
    for type, value in _BEFORE:
        automaton.feed(made(type, value, 0, 0))
    for position, token in enumerate(tokens):
        try:
            automaton.feed(token)
        except UnexpectedToken:
            return position
    return len(tokens)
