"""Diagnostics as text and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from netdsl.diagnostics import Diagnostic, Mark
from netdsl.diagnostics.render import render_json, render_text
from netdsl.source import Source, Span

GOLDEN = Path(__file__).parent / "golden"

RESNET = Source(
    "resnet.net",
    "layer Bottleneck{c}(x) {\n"
    "    main = x -> conv{c}\n"
    "    skip = x -> proj: conv{c} when cin != c\n"
    "    return relu(main + skip)\n"
    "}\n",
)
WIDE = Source("wide.net", 'let a = f("日本語", "é")\n\tx = a\tb + c\n')
LONG = Source("long.net", "let a = [" + "1, " * 2000 + "bad, " + "2, " * 2000 + "]\n")
COMBINED = Source("combined.net", 'x = "e\u0301漢" b "👍🏽é" c\n')
HOSTILE = Source("a\x1b[31m.net", 'let a = "\x1b]0;title\x07\u202e" b\n')


def mark(source: Source, text: str, words: str = "", nth: int = 0) -> Mark:
    start = -1
    for _ in range(nth + 1):
        start = source.text.index(text, start + 1)
    return Mark(Span(source, start, start + len(text)), words)


def error(*marks: Mark, **more) -> Diagnostic:
    return Diagnostic("N301", "error", "the sizes differ", marks, **more)


CASES = {
    "two marks on one line": error(
        mark(RESNET, "main", "main: [B, 256, 56, 56]", 1),
        mark(RESNET, "skip", "skip: [B, 64, 56, 56]", 1),
        notes=(
            "axis 1 (channels): 256 = c * expand  (c = 64)\n"
            "                    64 = cin, because `proj` was skipped",
            "in ResNet50.stage.0.block.0",
        ),
        suggestion="`when cin != c * expand`",
    ),
    "three marks on one line, one silent": error(
        mark(RESNET, "return", "first"),
        mark(RESNET, "relu", ""),
        mark(RESNET, "main", "second", 1),
        mark(RESNET, "skip", "third", 1),
    ),
    "several lines, in their order": error(
        mark(RESNET, "skip", "used here", 1), mark(RESNET, "skip", "made here")
    ),
    "lines far apart": error(mark(RESNET, "}", "to here", 2), mark(RESNET, "layer", "from here")),
    "several files": error(mark(RESNET, "main", "here"), mark(WIDE, "f", "and there")),
    "a call around its operands": error(
        mark(RESNET, "relu(main + skip)"), mark(RESNET, "main", "main: [B]", 1),
        mark(RESNET, "skip", "skip: [C]", 1),
    ),
    "a call with a text of its own": error(
        mark(RESNET, "relu(main + skip)", "outside"), mark(RESNET, "main", "inside", 1),
    ),
    "very many marks": error(*(mark(LONG, "1", f"mark {i}", i) for i in range(40))),
    "no place": Diagnostic("N101", "error", "cannot read `a.net`", suggestion="look for it"),
    "a warning without texts": Diagnostic("N208", "warning", "unused", (mark(RESNET, "main"),)),
    "wide characters and tabs": error(
        mark(WIDE, '"日本語"', "three"), mark(WIDE, "b", "behind two tabs"), mark(WIDE, "é", "one")
    ),
    "a long line is cut": error(mark(LONG, "bad", "in the middle")),
    "a long line is cut at its end": error(mark(LONG, "]", "at the end")),
    "control characters": error(
        mark(HOSTILE, "b", "\x1b[2J"), notes=("a\rb\nc",), suggestion="\x07\x9b"
    ),
    "at the end of the file": error(Mark(Span(RESNET, len(RESNET.text), len(RESNET.text)), "end")),
    "combining and double-width characters": error(
        mark(COMBINED, "b", "behind four cells"), mark(COMBINED, "c", "behind six more"),
    ),
    "over several lines": error(mark(RESNET, "main = x -> conv{c}\n    skip", "from here on")),
}


def test_pictures(golden):
    pictures = [f"# {name}\n{render_text(case)}" for name, case in CASES.items()]
    golden(GOLDEN / "render.txt", "\n\n".join(pictures) + "\n")


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_colours_change_nothing_else(case):
    import re

    plain, colored = render_text(case), render_text(case, color=True)
    assert "\x1b" not in plain
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == plain
    assert "\x1b[1;31m" in colored or case.severity != "error"


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_source_lines_keep_within_the_width(case):
    for width in (40, 80, 100):
        lines = [line for line in render_text(case, width=width).splitlines() if "[1, 1" in line]
        assert all(len(line) <= width for line in lines)


def test_a_line_of_ten_megabytes():
    source = Source("big.net", "x" * 5_000_000 + " ! " + "y" * 5_000_000)
    text = render_text(error(Mark(Span(source, 5_000_001, 5_000_002), "here")))
    assert len(text) < 1_000 and "^ here" in text


def test_long_names_do_not_flood():
    text = render_text(Diagnostic("N201", "error", f"unknown name `{'n' * 10_000}`"))
    assert len(text) < 1_000


def test_json():
    case = CASES["two marks on one line"]
    data = json.loads(json.dumps(render_json(case)))
    assert data["code"] == "N301" and data["severity"] == "error"
    assert data["marks"][0] == {
        "file": "resnet.net",
        "line": 4,
        "column": 17,
        "end_line": 4,
        "end_column": 21,
        "start": RESNET.text.index("main + skip"),
        "end": RESNET.text.index(" + skip"),
        "text": "main: [B, 256, 56, 56]",
    }
    assert data["notes"] == list(case.notes)
    assert data["suggestion"] == "`when cin != c * expand`"
    over = render_json(CASES["over several lines"])["marks"][0]
    assert (over["line"], over["end_line"], over["end_column"]) == (2, 3, 9)
