"""From text to `ast`: `parse` gives the file, or refuses it with every mistake it can tell."""

from __future__ import annotations

from itertools import islice
from threading import Lock

from lark import Token, UnexpectedInput

from netdsl.diagnostics import Problem, Refused
from netdsl.diagnostics.syntax import BadEdition, Unexpected
from netdsl.language import ast, bounds
from netdsl.language.grammar import grammar
from netdsl.language.scanner import MOST_PROBLEMS, scan
from netdsl.language.text import check_text, read_source
from netdsl.source import Source, Span

__all__ = ["parse", "parse_expression", "read_source"]

EDITIONS = ("1",)

_LET = tuple(  # with a line: what was put in to mend something has none
    Token(type, text, start_pos=0, end_pos=0, line=1)
    for type, text in (("LET", "let"), ("NAME", "value"), ("EQUAL", "="))
)

_one_at_a_time = Lock()  # the callbacks hold the source of the parse under way


def parse(source: Source) -> ast.File:
    """The file that `source` holds. Raises `Refused` with one problem per mistake."""
    check_text(source)
    with _one_at_a_time:
        return _parse(source)


def parse_expression(source: Source) -> ast.Expr:
    """The one expression that `source` holds: the value in `-D name=value`. Raises `Refused`."""
    check_text(source)
    with _one_at_a_time:
        declarations = _parse(source, before=_LET).declarations
    if len(declarations) > 1:
        at = declarations[1].span.start
        word = source.text[at:].split(maxsplit=1)[0]
        raise Refused(Unexpected(Span(source, at, at + len(word)), f"`{word}`", ("the end",)))
    return declarations[0].value


def _parse(source: Source, before: tuple[Token, ...] = ()) -> ast.File:
    """`before` holds tokens that stand before the text without being in it."""
    tokens, problems = scan(source)
    tokens = [*before, *tokens]
    too_deep = bounds.deepest_bracket(source, tokens)
    if too_deep:
        raise Refused(*problems, too_deep)
    problems.extend(islice(bounds.overlong(source, tokens), MOST_PROBLEMS))
    problems.extend(_unknown_edition(source, tokens))
    if problems:
        raise _explained(source, tokens, problems)
    try:
        file = _feed(tokens)
    except UnexpectedInput:
        raise _explained(source, tokens, problems) from None
    too_deep = bounds.deepest_node(file)
    if too_deep:
        raise Refused(too_deep)
    return file


def _explained(source: Source, tokens: list[Token], problems: list[Problem]) -> Refused:
    from netdsl.language.recovery import explain  # a file without mistakes does not wait for it

    return Refused(*explain(source, tokens, problems))


def _unknown_edition(source: Source, tokens: list[Token]) -> list[Problem]:
    if [token.type for token in tokens[:2]] != ["NET", "INT"] or tokens[1].value in EDITIONS:
        return []
    return [BadEdition(Span(source, tokens[1].start_pos, tokens[1].end_pos))]


def _feed(tokens: list[Token]) -> ast.File:
    parser = grammar()[0].parse_interactive()
    for token in tokens:
        parser.feed_token(token)
    return parser.feed_eof(tokens[-1] if tokens else None)
