"""Whatever the text: a tree or `Refused`, and every message can be shown."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from netdsl.diagnostics import Refused
from netdsl.diagnostics.render import render_json, render_text
from netdsl.language.formatter import format_file
from netdsl.language.parser import parse, parse_expression
from netdsl.language.scanner import scan
from netdsl.language.words import KEYWORDS, SIGNS
from netdsl.source import Source

TOUR = (Path(__file__).parent / "tour.net").read_text("utf-8")
TOKENS = scan(Source("tour.net", TOUR))[0]
SCRAPS = [
    *SIGNS.values(), *(word.lower() for word in KEYWORDS), "x", "0", "1.5", '"s"', '"', "#", "'",
    ";", "&&", "!", "é", "→", "\t", "\n", "\r\n", "\\", "def ", "self.", "elif ", ".5", "3x",
]  # fmt: skip


def survives(text: str) -> None:
    source = Source("hostile.net", text)
    try:
        file = parse(source)
    except Refused as refused:
        assert refused.problems
        for problem in refused.problems:
            assert problem.code.startswith("N1")
            diagnostic = problem.describe()
            for name in ("$END", "RBRACE"):  # lark's own names for things are not for people
                assert name not in render_text(diagnostic) or name in text
            render_json(diagnostic)
    else:
        assert parse(Source("again.net", format_file(file))) == file


@st.composite
def mutated(draw) -> str:
    """The tour with a few tokens lost, doubled, moved, or scraps put in."""
    text = TOUR
    for _ in range(draw(st.integers(1, 4))):
        at, other = draw(st.sampled_from(TOKENS)), draw(st.sampled_from(TOKENS))
        start, end = min(at.start_pos, len(text)), min(at.end_pos, len(text))
        text = draw(
            st.sampled_from(
                [
                    text[:start] + text[end:],
                    text[:start] + text[start:end] * 2 + text[end:],
                    text[:start] + other.value + text[end:],
                    text[:start] + draw(st.sampled_from(SCRAPS)) + text[start:],
                    text[:start],
                    text[end:],
                ]
            )
        )
    return text


scraps = st.lists(st.sampled_from(SCRAPS), max_size=30).map(" ".join)


def quick(examples: int):
    return settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))


@quick(120)
@given(mutated())
def test_mutated_files(text):
    survives(text)


@quick(120)
@given(st.text(max_size=60) | scraps)
@example("model M {")
@example('"""')
@example("let x = '")
@example("layer L(x) { // don't\n")
def test_any_text(text):
    survives(text)


@pytest.mark.slow
@quick(8_000)
@given(mutated() | st.text() | scraps)
def test_any_text_at_length(text):
    survives(text)


@quick(120)
@given(st.text(max_size=20) | scraps)
@example("?")
@example("{")
@example("# nothing")
@example("1 let b = 2")
def test_any_expression(text):
    """What `-D name=…` and `--set name=…` give."""
    try:
        parse_expression(Source("-D name", text))
    except Refused as refused:
        assert refused.problems
        for problem in refused.problems:
            render_text(problem.describe())


HEAD = "layer L(x) { "
LARGE = {
    "names": "x " * 30_000,
    "names in a layer": HEAD + "x " * 30_000 + "}",
    "closing brackets": "}" * 30_000,
    "opening brackets": HEAD + "(" * 99 + "x = y " * 5_000,
    "semicolons": HEAD + "x = y;" * 30_000,
    "quotes": '"' * 50_001,
    "escapes": '"' + "\\q" * 50_000 + '"',
    "slashes": "/" * 50_000,
    "mistakes on every line": HEAD + "\n= 3" * 10_000,
    "misspellings on every line": HEAD + "\nretrun y" * 10_000,
    "mismatched brackets": HEAD + "x = (}\n" * 10_000,
    "colon blocks": HEAD + "if (c):\n" * 10_000,
    "conditionals": HEAD + "x = a if b else c " * 5_000,
    "conditions": HEAD + "if " * 30_000,
    "comparisons": HEAD + "x = a " + "< b " * 30_000,
    "digits": "let x = " + "1" * 100_000 + "x",
    "letters": "α" * 100_000,
    "a long string left open": 'let x = "' + "x" * 1_000_000,
    "a long comment": "#" * 1_000_000,
}


@pytest.mark.parametrize("text", LARGE.values(), ids=LARGE)
def test_mistakes_take_time_in_proportion(text):
    started = time.process_time()
    survives(text)
    assert time.process_time() - started < 5  # a few tenths of a second on an idle machine
