"""The parser that lark makes of `grammars/netdsl.lark`: made once per process, when first used."""

from __future__ import annotations

from functools import cache

from lark import Lark

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
    lark = Lark(
        grammar_file(GRAMMAR_FILE).read_text("utf-8"),
        start=START,
        parser="lalr",
        lexer="basic",
        keep_all_tokens=True,
        transformer=transform,
        lexer_callbacks={"COMMENT": transform.comment},
    )
    return lark, transform
