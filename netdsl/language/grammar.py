"""The parser that lark makes of `grammars/netdsl.lark`: made once per process, when first used,
from tables kept by an earlier one where there are any."""

from __future__ import annotations

from contextlib import suppress
from functools import cache

from lark import Lark

from netdsl.language.tables import keep_tables, kept_tables
from netdsl.language.transform import Transform
from netdsl.resources import grammar_file

GRAMMAR_FILE = "netdsl.lark"
START = "file"


@cache
def grammar() -> tuple[Lark, Transform]:
    """The parser, and the callbacks through which it builds nodes.

    The basic lexer knows nothing of the parser's state, so that a keyword is one everywhere.
    The callbacks run while parsing: no tree of lark's is built or walked.
    """
    transform = Transform()
    text = grammar_file(GRAMMAR_FILE).read_text("utf-8")
    callbacks = {"transformer": transform, "lexer_callbacks": {"COMMENT": transform.comment}}
    tables = kept_tables(text)
    if tables is not None:
        with suppress(Exception):  # whatever is wrong with what was kept, it can be made anew
            return Lark.__new__(Lark)._load(tables, **callbacks), transform
    lark = Lark(
        text, start=START, parser="lalr", lexer="basic", keep_all_tokens=True, **callbacks
    )
    keep_tables(text, lark)
    return lark, transform
