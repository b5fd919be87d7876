"""The grammar itself: no conflicts, and the words of the language as the tools know them."""

from __future__ import annotations

import logging

import lark
import pytest
from lark.exceptions import GrammarError

from netdsl.language.grammar import GRAMMAR_FILE, START, grammar
from netdsl.language.words import KEYWORDS, KINDS, NAMES, SIGNS
from netdsl.resources import grammar_file


def conflicts(text: str) -> list[str]:
    """lark settles shift/reduce conflicts silently; at level DEBUG its log tells."""
    messages: list[str] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    handler, level = Collect(), lark.logger.level
    lark.logger.addHandler(handler)
    lark.logger.setLevel(logging.DEBUG)
    try:
        lark.Lark(text, start=START, parser="lalr", lexer="basic", debug=True)
    except GrammarError as error:
        messages.append(str(error))
    finally:
        lark.logger.removeHandler(handler)
        lark.logger.setLevel(level)
    return [message for message in messages if "onflict" in message]


def test_the_grammar_has_no_conflicts():
    assert conflicts(grammar_file(GRAMMAR_FILE).read_text("utf-8")) == []


@pytest.mark.parametrize(
    "before, after",
    [
        ('?word: statement_label | "and"', '?word: statement_label\n!extra: "and"'),
        ('?statement_label: NAME | "sample"', '?statement_label: NAME | "sample" | "else"'),
        ("?sum: product ((", "?sum: sum ((")
    ],
)
def test_the_conflict_test_can_fail(before, after):
    text = grammar_file(GRAMMAR_FILE).read_text("utf-8")
    assert before in text
    changed = text.replace(before, after)
    assert bool(conflicts(changed)) == ("extra" not in after)


def test_every_terminal_has_words():
    terminals = {terminal.name for terminal in grammar()[0].terminals}
    ignored = {"COMMENT", "SPACE"}
    assert terminals - ignored == KEYWORDS | NAMES | set(SIGNS) | set(KINDS) - {"$END"}
    for name, sign in SIGNS.items():
        assert grammar()[0].get_terminal(name).pattern.value == sign
