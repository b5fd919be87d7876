"""The canonical layout, and what it must keep: the tree and every comment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netdsl.language import ast
from netdsl.language.bounds import MOST_BRACKETS, MOST_LEVELS
from netdsl.language.formatter import WIDTH, format_file, format_text
from netdsl.language.grammar import grammar
from netdsl.language.parser import parse
from netdsl.language.scanner import scan
from netdsl.language.text import read_source
from netdsl.source import Source

import trees

HERE = Path(__file__).parent
TOUR = (HERE / "tour.net").read_text("utf-8")


def reformatted(text: str) -> str:
    return format_text(Source("test.net", text))


def comments(file: ast.File) -> list[str]:
    return [comment.text.rstrip() for comment in file.comments]


def check(text: str) -> None:
    """Formatting keeps the tree and the comments in their order, and is idempotent."""
    before = parse(Source("before.net", text))
    formatted = format_file(before)
    after = parse(Source("after.net", formatted))
    assert after == before
    assert comments(after) == comments(before)
    assert format_file(after) == formatted


def test_the_tour_is_canonical():
    assert reformatted(TOUR) == TOUR


def test_a_file_on_one_line_and_one_word_per_line():
    tokens = [token.value for token in scan(Source("tour.net", TOUR))[0]]
    bare = parse(Source("bare.net", TOUR))
    for separator in (" ", "\n", "\r\n\t"):
        text = separator.join(tokens).replace(f". {separator}", ".")
        assert parse(Source("x.net", text)) == bare
        check(text)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("let x = ((a + b)) * (c)", "let x = (a + b) * c\n"),
        ("let x = (a ** b) ** (c ** d)", "let x = (a ** b) ** c ** d\n"),
        ("let x = (-a) ** b", "let x = (-a) ** b\n"),
        ("let x = a-(b-c)", "let x = a - (b - c)\n"),
        ("let x = (not a) == b", "let x = (not a) == b\n"),
        ("let x = (0..n)[0]", "let x = (0..n)[0]\n"),
        ("let x = (x -> f) -> (g)", "let x = (x -> f) -> g\n"),
        ("let x = x -> (a + b)", "let x = x -> (a + b)\n"),
        ("let x = (3).5", "let x = (3).5\n"),
        ("let x = [a,b,]", "let x = [a, b]\n"),
        ("layer L{}(x){}", "layer L{}(x) {}\n"),
        ("\n\n\nlet a = 1\n\n\n\nlet b = 2\nlet c = 3", "let a = 1\n\nlet b = 2\nlet c = 3\n"),
        ("let a = 1 layer L{}(x) {} use std", "let a = 1\n\nlayer L{}(x) {}\n\nuse std\n"),
        ("# a\n\n# b\nnet 1 # c", "# a\n\n# b\nnet 1  # c\n"),
        ("", ""),
        ("# a  \n\n\n# b", "# a\n\n# b\n"),
        ("layer L{}(x) { return x }", "layer L{}(x) { return x }\n"),
        ("layer L{}(x) {\nreturn x }", "layer L{}(x) {\n    return x\n}\n"),
        ("layer L{}(x) { a = x b = a }", "layer L{}(x) {\n    a = x\n    b = a\n}\n"),
        ("layer L{}(x) { # a\n}", "layer L{}(x) {  # a\n}\n"),
        ("layer L{}(x) {\n# a\n}", "layer L{}(x) {\n    # a\n}\n"),
        ("let x = f( # a\n)", "let x = f(  # a\n)\n"),
        ("let x = f(\n# a\n)", "let x = f(\n    # a\n)\n"),
        ("let x = a == # c\nb", "let x = a == b  # c\n"),
        ("let # c\nx = 1", "let x = 1  # c\n"),
        ("let x = a # c\n+ # d\nb", "let x = a  # c\n        # d\n        + b\n"),
    ],
)
def test_layout(text, expected):
    assert reformatted(text) == expected
    check(text)


def test_lines_break_where_they_read(golden):
    long = "argument_number"
    pieces = [
        f"let a = f({', '.join(f'{long}_{i} = {i}' for i in range(6))})",
        f"let b = {' + '.join(f'{long}_{i} * {i}' for i in range(6))}",
        f"let c = x -> {' -> '.join(f's{i}: {long}{{{i}}}' for i in range(6))}",
        f"let d = {long}(x, axis = 1) -> {' -> '.join(f's{i}: {long}{{{i}}}' for i in range(5))}",
        f"let e = if {long}_one == {long}_two then {long}_three + {long}_four else {long}_five * 2",
        f"let f = [{', '.join(str(i) * 8 for i in range(14))}]",
        f"layer L{{{', '.join(f'{long}_{i} = {i}' for i in range(6))}}}(x: [B]) -> [B] {{}}",
        f"layer M{{a, b}}({', '.join(f'{long}_{i}: [B, {i}]' for i in range(5))}) -> [B] {{}}",
        f"layer N{{a, b, c}}(x: [B, {long}_a, {long}_b]) -> [B, ceil({long}_a / 2), {long}_b] {{}}",
        f"layer O(x) {{ return {', '.join(f'{long}_{i}(x)' for i in range(6))} }}",
        f'layer P(x) {{ assert {long}_one == {long}_two else "{" ".join([long] * 4)}" }}',
        f"layer Q(x) {{ if ({long} == {long}_2) {{ x = {long}(x) + {long}(x) }} else {{ x=1 }} }}",
        f"sample S {{ autoregressive({', '.join(f'{long}_{i}' for i in range(6))}) }}",
    ]
    text = reformatted("\n".join(pieces))
    assert max(map(len, text.splitlines())) <= WIDTH
    check(text)
    golden(HERE / "golden" / "breaks.net", text)


def test_sketches_and_models_keep_tree_and_comments(shared):
    paths = sorted((shared / "design" / "examples").glob("*.net"))
    for path in (*paths, *sorted((HERE.parents[1] / "models").glob("*.net"))):
        check(read_source(path).text)


@pytest.mark.parametrize(
    "text",
    [
        "let x = " + "-" * (MOST_LEVELS - 2) + "1",
        "let x = " + "if a then b else " * (MOST_LEVELS - 3) + "c",
        "let x = " + "[" * MOST_BRACKETS + "]" * MOST_BRACKETS,
        "let x = " + "f(" * 74 + "x" + ")" * 74,
        "let x = f" + ".a" * (MOST_LEVELS - 2),
        "layer L{}(x) {" + "if (c) {" * 98 + "x = " + "-" * 46 + "1" + "}" * 99,
        "layer L{}(x) {" + "if (c) { x = 1 } else " * 140 + "{} }",
    ],
)
def test_the_deepest_trees_can_be_walked(text):
    check(text)


def quick(examples: int):
    return settings(
        max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck)
    )


def prints_and_parses_back(file: ast.File) -> None:
    text = format_file(file)
    again = parse(Source("generated.net", text))
    assert again == file
    assert format_file(again) == text


ALSO_WRITTEN = """
net 1
layer L(x) { return x }
layer M(x) -> [B] { return x }
layer N{a,}(x, y,) -> ([B], [B],) { return f(x,), (x), [x,], (x, y,), g{a,}, x[_,] }
"""  # as the printer does not write it


@quick(100)
@given(trees.files)
def test_trees_print_and_parse_back(file):
    prints_and_parses_back(file)


@pytest.mark.slow
def test_many_trees_print_and_parse_back():
    """And among them is every kind of node, with and without each part that may be left out, and
    every alternative of the grammar."""
    seen, rules = printed_trees(4_000)
    kinds = [kind for kind in vars(ast).values() if isinstance(kind, type)
             and issubclass(kind, ast.Syntax) and kind not in (ast.Syntax, ast.Comment)]
    assert len(kinds) > 40 and set(kinds) - seen == set()
    optional = {(kind, field.name) for kind in kinds for field in fields(kind)
                if "None" in str(field.type)}
    assert {(*part, is_there) for part in optional for is_there in (True, False)} - seen == set()
    rules.update(reductions(ALSO_WRITTEN))
    assert [rule for rule in grammar()[0].rules if rule not in rules] == []


def printed_trees(count: int) -> tuple[set, Counter]:
    """Prints trees, parses them back, and gives what they are made of."""
    seen: set = set()
    rules: Counter = Counter()

    @quick(count)
    @given(trees.files)
    def search(file):
        prints_and_parses_back(file)
        seen.update(forms(file))
        rules.update(reductions(format_file(file)))

    search()
    return seen, rules


def forms(node: object) -> Iterator[object]:
    """The kinds of the nodes of a tree, and which optional parts are there."""
    if isinstance(node, tuple):
        for item in node:
            yield from forms(item)
    elif isinstance(node, ast.Syntax):
        yield type(node)
        for field in fields(node):
            part = getattr(node, field.name)
            yield type(node), field.name, part is not None
            if field.name != "span":
                yield from forms(part)


def reductions(text: str) -> Counter:
    """How often each alternative of the grammar is taken in a text."""
    taken: Counter = Counter()
    parser = grammar()[0].parse_interactive()
    state = parser.parser_state
    state.parse_conf = copy(state.parse_conf)

    class Counting(dict):
        def __getitem__(self, rule):
            taken[rule] += 1
            return super().__getitem__(rule)

    state.parse_conf.callbacks = Counting(state.parse_conf.callbacks)
    tokens, _ = scan(Source("test.net", text))
    for token in tokens:
        parser.feed_token(token)
    parser.feed_eof(tokens[-1] if tokens else None)
    return taken


COMMENTS = (" # {}\n", "\n# {}\n", "\n\n  # {}\n\n# more\n")  # beside, above, apart


def commented(text: str, places: Mapping[int, str]) -> str:
    """The text with comments before some of its tokens, by number."""
    tokens = scan(Source("tour.net", text))[0]
    lines = {tokens[number % len(tokens)].start_pos: line for number, line in places.items()}
    for start in sorted(lines, reverse=True):
        if not text[:start].endswith("."):
            text = text[:start] + lines[start].format(start) + text[start:]
    return text


places = st.dictionaries(st.integers(0, 600), st.sampled_from(COMMENTS), min_size=1, max_size=12)


@quick(40)
@given(places)
def test_comments_survive_anywhere(places):
    check(commented(TOUR, places))


@pytest.mark.parametrize("line", COMMENTS)
def test_comments_survive_everywhere(line):
    count = len(scan(Source("tour.net", TOUR))[0])
    check(commented(TOUR, dict.fromkeys(range(count), line)))


@pytest.mark.slow
@pytest.mark.parametrize("line", COMMENTS)
def test_a_comment_survives_at_every_place(line):
    for number in range(len(scan(Source("tour.net", TOUR))[0])):
        check(commented(TOUR, {number: line}))


@pytest.mark.slow
@quick(2_000)
@given(trees.files.map(format_file).filter(bool), places)
def test_comments_survive_in_any_tree(text, places):
    check(commented(text, places))
