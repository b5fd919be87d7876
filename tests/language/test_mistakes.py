"""Mistakes and what is said about them: each `mistakes/*.net` has its picture beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from netdsl.diagnostics import Problem, Refused, forms, habits, syntax
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
    "model M { input x: f32[B, 3]\n output y = x -> h: linear{3} // end\n}": "N126",
    "model M { input y: i64[B] in 0..n\n// a comment\nx = y }": "N126",
    "model M { input y: i64[B] in 0..n\n// the input image\nx = y }": "N126",
    "layer L(x) { y = x // the end.\n return y }": "N126",
    "layer L(x) { y = x // e.g. this one\n // first, the stem\n return y }": "N126",
    "layer L(x) { y = f(x // 2, x // y) return x // y x }": "N110",
    "layer L(x) { y = if a then x // y else x\n return y = x // 2 z = x }": "N110",
    "train T { batch n // k data digits() minimize }": "N110",
    "layer L(x) { y = x // it's fine\n return y }": "N126",
    "layer L(x) { y = x |> f return y }": "N120",
    "layer L(x) { y: x -> relu\n return y }": "N125",
    "layer L(x) { y: f32[B, 10] = x return y }": "N125",
    "let a = 5..": "N111",
    "let a = [1, 2": "N112",
    "train T { batch = 3 }": "N125",
    "let a = f(1 2)": "N136",
    "let a = )": "N113",
    "let a = 2. let b = 3": "N106",
    "layer L(x) { return x -> f g }": "N110",
    "train T { freeze a. }": "N110",
}


@pytest.mark.parametrize("text, code", ONE_EACH.items())
def test_one_mistake_gives_one_message(text, code):
    assert [problem.code for problem in refusal(Source("test.net", text))] == [code]


HEADERS = {
    "for i in range(3) { x = image -> c: conv{16} }": ("for i in range(3)", "for (i in 0..3)"),
    "for i in range(1, n): x = a -> c: conv{16}": ("for i in range(1, n)", "for (i in 1..n)"),
    "if x == f{3} { y = x -> g{1} }": ("if x == f{3}", "if (x == f{3})"),
    "if f{3}(x) { y = x } else { y = z }": ("if f{3}(x)", "if (f{3}(x))"),
    "for i in 0..3 {\n x = f{1}(x)\n}": ("for i in 0..3", "for (i in 0..3)"),
}


@pytest.mark.parametrize("text, header, meant", [(t, *m) for t, m in HEADERS.items()])
def test_a_bare_header_is_marked_without_its_block(text, header, meant):
    (problem,) = refusal(Source("test.net", f"layer L(x) {{ {text} return x }}"))
    assert (problem.span.text, problem.meant) == (header, f"{meant} {{ … }}")


def test_a_division_by_lines_stays_one():
    parse(Source("test.net", "let a = b\n // c\nlet d = a // (b +\n c)"))


def test_a_line_of_very_many_divisions_is_read_once():
    (problem,) = refusal(Source("test.net", f"let a = {'b // ' * 20_000}"))
    assert problem.code == "N111"


def test_many_mistakes_are_bounded():
    lines = "\n".join("    retrun x" for _ in range(500))
    assert len(refusal(Source("test.net", f"layer L(x) {{\n{lines}\n}}"))) == 20


def test_every_kind_of_mistake_is_shown():
    """A problem without a picture or a test is one nobody has looked at."""
    folders = MISTAKES, MISTAKES.parent.parent / "mistakes"
    pictures = "".join(path.read_text("utf-8") for f in folders for path in f.glob("*.txt"))
    tested_elsewhere = {"N101", "N102", "N103", "N104", "N105", "N116"}
    for module in (syntax, habits, forms):
        for kind in vars(module).values():
            if isinstance(kind, type) and issubclass(kind, Problem) and kind is not Problem:
                assert f"[{kind.code}]" in pictures or kind.code in tested_elsewhere, kind
                assert kind.__doc__.count("\n") > 2, f"{kind.__name__} has no page"
