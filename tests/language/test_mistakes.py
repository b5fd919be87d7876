"""Mistakes and what is said about them: each `mistakes/*.net` has its picture beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from netdsl.diagnostics import Problem, Refused, habits, syntax
from netdsl.diagnostics.render import render_text
from netdsl.language.parser import parse
from netdsl.language.text import read_source
from netdsl.source import Source

MISTAKES = Path(__file__).parent / "mistakes"


def refusal(source: Source) -> tuple[Problem, ...]:
    with pytest.raises(Refused) as caught:
        parse(source)
    return caught.value.problems


@pytest.mark.parametrize("path", sorted(MISTAKES.glob("*.net")), ids=lambda path: path.stem)
def test_mistakes(path, golden):
    problems = refusal(read_source(path, name=path.name))
    pictures = [render_text(problem.describe()) for problem in problems]
    golden(path.with_suffix(".txt"), "\n\n".join(pictures) + "\n")


CHARACTERS = {
    "null": ("let a = 1\0", "U+0000 null"),
    "escape in a comment": ("# \x1b[31m", "U+001B escape"),
    "carriage return alone": ("let a = 1\rlet b = 2", "U+000D carriage return"),
    "turned text in a string": ('let a = "\u202e"', "U+202E right-to-left override"),
    "line separator": ("# a\u2028b", "U+2028 line separator"),
    "a second byte order mark": ("\ufeff\ufeff", "U+FEFF zero width no-break space"),
    "half a pair": ("# \ud800", "U+D800 control character"),
    "no-break space": ("let a\xa0= 1", "U+00A0 no-break space"),
}


@pytest.mark.parametrize("text, name", CHARACTERS.values(), ids=CHARACTERS)
def test_characters_that_deceive_are_named(text, name):
    (problem,) = refusal(Source("test.net", text))
    assert problem.code == "N105"
    assert problem.name == name
    picture = render_text(problem.describe())
    assert all(c.isprintable() or c in "\n\xa0" for c in picture)


ONE_EACH = {
    "modle M { input x: f32 }": "N114",
    "layer L(x) { return x": "N112",
    "layer L(x) { return x }}": "N113",
    "let a = f(x": "N112",
    "let a = x if c else y": "N121",
    "let a = 1;": "N120",
    "let a = b && c": "N120",
    "net 2": "N116",
    "let a = 1 net 1": "N116",
    "let a =": "N111",
    "let a = a < b < c": "N118",
    "layer L(x) { for i in 0..3 { x = f(x) } return x }": "N123",
    "layer L(x) { for (i in 0..3): x = f(x) }": "N122",
    "layer L(x) { if (x = 3) { } }": "N124",
    "layer L(x) { x += 1 }": "N120",
    "model M { x = f }": "N110",
    'let a = "b': "N107",
    'let a = "\\d"': "N108",
    "let a = 1 // one two": "N126",
    "let a = 5..": "N111",
    "let a = [1, 2": "N112",
    "train T { batch = 3 }": "N125",
    "let a = f(1 2)": "N110",
    "let a = )": "N113",
    "let a = 2. let b = 3": "N106",
    "layer L(x) { return x -> f g }": "N110",
    "train T { freeze a. }": "N110",
}


@pytest.mark.parametrize("text, code", ONE_EACH.items())
def test_one_mistake_gives_one_message(text, code):
    assert [problem.code for problem in refusal(Source("test.net", text))] == [code]


def test_many_mistakes_are_bounded():
    lines = "\n".join("    retrun x" for _ in range(500))
    assert len(refusal(Source("test.net", f"layer L(x) {{\n{lines}\n}}"))) == 20


def test_every_kind_of_mistake_is_shown():
    """A problem without a picture or a test is one nobody has looked at."""
    pictures = "".join(path.read_text("utf-8") for path in MISTAKES.glob("*.txt"))
    tested_elsewhere = {"N101", "N102", "N103", "N104", "N105", "N116"}
    for module in (syntax, habits):
        for kind in vars(module).values():
            if isinstance(kind, type) and issubclass(kind, Problem) and kind is not Problem:
                assert f"[{kind.code}]" in pictures or kind.code in tested_elsewhere, kind
                assert kind.__doc__.count("\n") > 2, f"{kind.__name__} has no page"
