"""From text to trees: precedence, the odd forms, places, and the bounds."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from netdsl.diagnostics import Refused
from netdsl.language import ast
from netdsl.language.bounds import MOST_BRACKETS, MOST_DIGITS, MOST_LEVELS
from netdsl.language.parser import parse
from netdsl.language.text import MOST_BYTES, read_source
from netdsl.source import Source

HERE = Path(__file__).parent


def read(text: str) -> ast.File:
    return parse(Source("test.net", text))


def expression(text: str) -> ast.Expr:
    return read(f"let x = {text}").declarations[0].value


def shape(node: ast.Expr) -> str:
    """An expression with every parenthesis."""
    match node:
        case ast.Chain():
            return f"({shape(node.first)}{''.join(f' {o} {shape(e)}' for o, e in node.rest)})"
        case ast.Compare():
            return f"({shape(node.left)} {node.operator} {shape(node.right)})"
        case ast.Prefix():
            return f"({node.operator} {shape(node.operand)})"
        case ast.Power():
            return f"({shape(node.base)} ** {shape(node.exponent)})"
        case ast.Range():
            return f"({shape(node.start)} .. {shape(node.stop)})"
        case ast.Choose():
            parts = (node.condition, node.then, node.otherwise)
            return f"(if {' '.join(map(shape, parts))})"
        case ast.Call() | ast.Construct():
            opening, closing = "()" if isinstance(node, ast.Call) else "{}"
            inner = ", ".join(map(argument, node.arguments))
            return f"{shape(node.callee)}{opening}{inner}{closing}"
        case ast.Index():
            return f"{shape(node.target)}[{', '.join(map(shape, node.items))}]"
        case ast.Member():
            return f"{shape(node.target)}.{node.name}"
        case ast.Labelled():
            return f"({node.label}: {shape(node.value)})"
        case ast.Pipeline():
            return f"({shape(node.head)}{''.join(map(stage, node.stages))})"
        case ast.ListOf():
            return f"[{', '.join(map(shape, node.items))}]"
        case ast.TupleOf():
            return f"<{', '.join(map(shape, node.items))}>"
        case ast.Number():
            return node.text
        case ast.Name():
            return node.id
    return repr(node)


def argument(node: ast.Argument) -> str:
    return f"{node.name}={shape(node.value)}" if node.name else shape(node.value)


def stage(node: ast.Stage) -> str:
    label = f"{node.label}: " if node.label else ""
    condition = f" when {shape(node.condition)}" if node.condition else ""
    return f" -> {label}{shape(node.value)}{condition}"


@pytest.mark.parametrize(
    "text, expected",
    [
        ("a + b - c * d // e", "(a + b - (c * d // e))"),
        ("a - (b - c)", "(a - (b - c))"),
        ("-x ** -y ** 2", "(- (x ** (- (y ** 2))))"),
        ("- -x * y", "((- (- x)) * y)"),
        ("not a == b and c or d", "(((not (a == b)) and c) or d)"),
        ("0..n - 1", "(0 .. (n - 1))"),
        ("0..1.5", "(0 .. 1.5)"),
        ("if a then b else if c then d else e", "(if a b (if c d e))"),
        ("if a then b else c -> f", "((if a b c) -> f)"),
        ("x -> f(a){b} when c or d -> e: g", "(x -> f(a){b} when (c or d) -> e: g)"),
        ("fc: linear{10}(x) -> relu", "((fc: linear{10}(x)) -> relu)"),
        ("x + (a -> f)", "(x + (a -> f))"),
        ("f(a: g{1}(x), axis = 1,)", "f((a: g{1}(x)), axis=1)"),
        ("x[_, 0..n][1]", "x[_, (0 .. n)][1]"),
        ("stage.0.1.layer.in", "stage.0.1.layer.in"),
        ("x.0.5 + x[0].0.5", "(x.0.5 + x[0].0.5)"),
        ("(a)", "a"),
        ("(a,)", "<a>"),
        ("(a, b,)", "<a, b>"),
        ("[]", "[]"),
        ("layer: conv{8}", "(layer: conv{8})"),
        ("x -> if: f -> in: g", "(x -> if: f -> in: g)"),
        ("sample", "sample"),
    ],
)
def test_precedence(text, expected):
    assert shape(expression(text)) == expected


def test_numbers_are_exact():
    assert expression("0.1").value * 10 == 1
    assert expression("1e-4").value * 10_000 == 1
    assert expression("007").value == 7


def test_strings_have_four_escapes():
    assert expression(r'"a \"b\" \\ \n \t é #"').value == 'a "b" \\ \n \t é #'


def test_statements():
    file = read(
        """
        layer L{a, b = 1}(x: [B, ...], m: bool[?] = none) -> ([B], f32[]) {
            a, b = f(x), g
            net: for (i, x in xs) {} if: if (a) {} else if (b) {} else {}
            return a, b
        }
        """
    )
    layer = file.declarations[0]
    bind, loop, condition, result = layer.body
    assert [len(bind.names), len(bind.values), len(result.values)] == [2, 2, 2]
    assert loop.label == "net" and len(loop.names) == 2 and loop.body == ()
    assert condition.label == "if"
    (inner,) = condition.otherwise
    assert isinstance(inner, ast.If) and inner.otherwise == ()
    assert layer.attributes[0].default is None and layer.attributes[1].default.text == "1"
    assert [type(dim) for dim in layer.operands[0].type.dims] == [ast.Name, ast.Rest]
    assert [type(dim) for dim in layer.operands[1].type.dims] == [ast.Hole]
    assert [type.dtype for type in layer.results] == [None, "f32"]


def test_a_train_program_needs_no_separators():
    train = read(
        "train t: M { batch 2 epochs -3 reset [a] data d(1) freeze a.*.0, rest lr x -> f let y = 1"
        " minimize l over layer.*, next with o() step S { minimize l with o() } every n + 1 }"
    ).declarations[0]
    kinds = [type(statement).__name__ for statement in train.body]
    assert kinds == ["Setting"] * 4 + ["Freeze", "Setting", "Let", "Minimize", "Step"]
    assert train.name.id == "t" and train.model.id == "M"
    freeze, minimize, step = train.body[4], train.body[7], train.body[8]
    assert [p.segments for p in freeze.patterns] == [("a", "*", "0"), ("rest",)]
    assert [p.segments for p in minimize.over] == [("layer", "*"), ("next",)]
    assert shape(step.every) == "(n + 1)"


def test_a_model_needs_no_empty_braces():
    model = read("model M { assert a else \"b\" x = y }").declarations[0]
    assert model.attributes == () and len(model.body) == 2
    assert len(read("model M{} { state s: [] = 0 }").declarations[0].body) == 1


@pytest.mark.parametrize("text", ["", "\n", "# only a comment", "\ufeff# a mark\r\n", "net 1"])
def test_files_without_declarations(text):
    assert read(text).declarations == ()


def test_line_ends_and_a_byte_order_mark():
    file = read("\ufeffnet 1\r\nlet a = 1 # one\r\n# two\r\n")
    assert file.edition == 1
    assert [(c.text, c.alone) for c in file.comments] == [("# one", False), ("# two", True)]


def test_every_sketch_parses(shared):
    sketches = sorted((shared / "design" / "examples").glob("*.net"))
    assert len(sketches) == 18
    for sketch in sketches:
        assert parse(read_source(sketch)).declarations


def test_places():
    """Leaves stand where their text is, and every node lies inside the one that holds it."""
    source = read_source(HERE / "tour.net")
    file = parse(source)
    seen = set()

    def visit(part: object, inside: ast.Syntax) -> None:
        if isinstance(part, tuple):
            for item in part:
                visit(item, inside)
        if not isinstance(part, ast.Syntax):
            return
        seen.add(type(part))
        assert inside.span.start <= part.span.start < part.span.end <= inside.span.end
        if isinstance(part, ast.Name):
            assert part.span.text == part.id
        if isinstance(part, ast.Number):
            assert part.span.text == part.text
        if isinstance(part, ast.Comment):
            assert part.span.text == part.text
        for f in fields(part):
            visit(getattr(part, f.name), part)

    visit(file, file)
    kinds = {kind for kind in vars(ast).values() if isinstance(kind, type)}
    everything = {kind for kind in kinds if issubclass(kind, ast.Syntax)}
    assert everything - seen == {ast.Syntax}


@pytest.mark.parametrize(
    "text, inside",
    [
        ("(a + b) * c", ["(a + b) * c", "(a + b)"]),
        ("f(x)[0].w{1}", ["f(x)[0].w{1}", "f(x)[0].w", "f(x)[0]", "f(x)", "f"]),
    ],
)
def test_parentheses_belong_to_the_place(text, inside):
    node, found = expression(text), []
    while isinstance(node, ast.Chain | ast.Call | ast.Construct | ast.Index | ast.Member):
        found.append(node.span.text)
        node = getattr(node, "first", None) or getattr(node, "callee", None) or node.target
    assert [*found, node.span.text][: len(inside)] == inside


# ---------------------------------------------------------------- bounds


def refused(text: str) -> list[str]:
    with pytest.raises(Refused) as caught:
        read(text)
    assert all(problem.describe().marks for problem in caught.value.problems)
    return [problem.code for problem in caught.value.problems]


@pytest.mark.parametrize("length", [1_000, 30_000])
def test_long_chains_are_flat(length):
    assert len(expression("1" + " + 1" * length).rest) == length
    assert len(expression("x" + " -> f" * length).stages) == length


NESTED = {
    "parentheses": "let x = {open}1{close}",
    "minus": "let x = " + "-" * 10_000 + "1",
    "not": "let x = " + "not " * 10_000 + "1",
    "power": "let x = " + "2 ** " * 10_000 + "1",
    "conditionals": "let x = " + "if a then b else " * 10_000 + "c",
    "conditions": "let x = " + "if " * 10_000,
    "calls": "let x = f" + "(a)" * 10_000,
    "members": "let x = f" + ".a" * 10_000,
    "blocks": "layer L(x) {" + "if (a) {" * 10_000,
    "ladder": "layer L(x) {" + "if (a) {} else " * 10_000 + "{} }",
    "lists": "let x = " + "[" * 100_000,
    "mixed": "let x = " + "f(-g[" * 10_000,
}


@pytest.mark.parametrize("text", NESTED.values(), ids=NESTED)
def test_deep_nesting_is_refused(text):
    text = text.replace("{open}", "(" * 10_000).replace("{close}", ")" * 10_000)
    assert refused(text)[-1] == "N104"


def test_the_bounds_are_met_exactly():
    expression("(" * MOST_BRACKETS + "1" + ")" * MOST_BRACKETS)
    assert refused("let x = (" + "(" * MOST_BRACKETS + "1" + ")" * (MOST_BRACKETS + 1)) == ["N104"]
    expression("-" * (MOST_LEVELS - 2) + "1")
    assert refused("let x = " + "-" * (MOST_LEVELS - 1) + "1") == ["N104"]
    assert expression("9" * MOST_DIGITS).value > 0
    assert refused("let x = " + "9" * (MOST_DIGITS + 1)) == ["N106"]
    assert refused("let x = 1e401") == refused("let x = 1e-99999999999") == ["N106"]
    with pytest.raises(Refused) as caught:
        read("#" * (MOST_BYTES + 1))
    assert caught.value.problems[0].code == "N103"


# ---------------------------------------------------------------- reading files


def test_files_that_cannot_be_read(tmp_path):
    import os

    (tmp_path / "latin.net").write_bytes(b"let a = 1\n# caf\xe9\n")
    (tmp_path / "big.net").write_bytes(b"#" * (MOST_BYTES + 1))
    os.mkfifo(tmp_path / "pipe.net")
    cases = {
        "missing.net": ("N101", "no such file or directory"),
        ".": ("N101", "it is a folder"),
        "pipe.net": ("N101", "it is not an ordinary file"),
        "a\0b": ("N101", "this is not a path"),
        "latin.net": ("N102", "not UTF-8"),
        "big.net": ("N103", "longer than 4 MiB"),
    }
    for name, (code, words) in cases.items():
        with pytest.raises(Refused) as caught:
            read_source(tmp_path / name)
        (problem,) = caught.value.problems
        assert problem.code == code
        assert words in problem.describe().message
    with pytest.raises(Refused, match="latin.net:2:6"):
        read_source(tmp_path / "latin.net", name="latin.net")


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no such device here")
def test_a_device_is_not_read():
    with pytest.raises(Refused, match="not an ordinary file"):
        read_source("/dev/zero")
