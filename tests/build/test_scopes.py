"""Names are checked where they are written: in layers that no model uses, and once."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

import pytest

from building import codes_of, problems_of
from netdsl.build.modules import load_module
from netdsl.build.scopes import check_bodies
from netdsl.diagnostics import Report
from netdsl.language.text import read_source
from netdsl.source import Source

ROOT = Path(__file__).parent.parent.parent
SHIPPED = sorted([*(ROOT / "models").glob("*.net"), *(ROOT / "netdsl").rglob("*.net")])
MODEL = "\nmodel M { input x: f32[B, 8]  output y = x }\n"

UNUSED = {  # the body of a layer that no model uses: what is said of it
    "return x -> conv{c, k = kk}": ["N201"],
    "return x -> f": ["N201"],
    "return f(x)(g)": ["N201", "N201"],
    "y = zz + zz  return zz": ["N201"],
    "return x -> a: linear{c, bais = false}": ["N202"],
    "return maxpool(x, 2, strides = 2)": ["N202"],
    "return x -> a: L{c}": ["N221"],
    "return y  y = x": ["N201", "N246"],
    "y = x": ["N222"],
    "x = x -> a: linear{c}  return a": ["N240"],
    "for (i in 0..3) { h = x }  return h": ["N241"],
    "for (i in 0..3) { x = i }  return i": ["N241"],
    "true = x  return x": ["N243"],
    "return x  x = x": ["N246"],
    "return if c > 1 then x else x -> relu": ["N247"],
    "return x -> a: linear{c: 3}": ["N248"],
    "return x -> relu when (c > 1) { relu }": ["N249"],
    # what the builder settles, and what is right
    "if (c > 1) { y = x } else { z = x }  return y + z": [],
    "for (i, c in [1, 2]) { x = x * i * c }  return x -> a: linear{c}": [],
    "y = x  for (i in 0..3) { y = relu(y) }  return y": [],
    "return rearrange(x, \"b (h d) -> b h d\", h = c)": [],
    "f = relu  return x -> f -> f{}": [],
    "i = 3  for (i in 0..3) { x = x * i }  return x * i": [],
    "return x -> a: linear{len([c, floor(c / 2)])}": [],
    "a, _ = x, x  return a": [],
    "return x[_, 0..c] + x[_, c]": [],
}


@pytest.mark.parametrize("body", UNUSED)
def test_a_layer_that_no_model_uses_is_read(body):
    assert codes_of(f"layer L{{c}}(x: [B, c]) {{ {body} }}{MODEL}") == UNUSED[body]


SIGNATURES = {
    "{c}(x: [B, c, H, W]) -> [B, c, H, ceil(W / 2)] { return x }": [],
    "{c}(x: [B, c, H, W]) -> [B, c, H, ceil(V / 2)] { return x }": ["N201"],
    "{c, d = 2 * c}(x: [B, c, d]) { return x }": [],
    "{c = 2 * d, d = 3}(x: [B, c, d]) { return x }": ["N201"],
    "{c}(x: [B, c], m: [B, S] = none) -> [B, S] { return if m != none then m else x * c }": [],
    "{c}(x: [B, L]) { return reshape(x, [L, B * c]) }": [],
    "{c}(x) { parameter p: f32[1, d] = zeros()  return x * p * c }": ["N201"],
}


@pytest.mark.parametrize("signature", SIGNATURES)
def test_a_signature_brings_its_sizes(signature):
    assert codes_of(f"layer L{signature}{MODEL}") == SIGNATURES[signature]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_nothing_is_said_of_what_is_right(path):
    report = Report()
    load_module(read_source(path, path.name), report)
    assert report.problems == []


def test_what_is_told_of_a_layer_is_not_told_again_where_it_is_built():
    text = """
layer L{c, deep}(x) {
    if (deep) { x = x -> rellu }
    return x -> rellu -> fc: linear{c, bais = true}
}
model First { input x: f32[B, 8]  output y = x -> a: L{8, true} -> b: L{9, false} }
model Second { input x: f32[B, 8]  output y = x -> a: L{8, false} }
"""
    assert codes_of(text) == codes_of(text, "First") == ["N201", "N202"]


def test_names_of_an_imported_file(tmp_path):
    (tmp_path / "parts.net").write_text("layer Part{c, k = 3}(x) { return x -> a: conv{c, k} }\n")
    main = tmp_path / "main.net"
    main.write_text('use "./parts.net" as parts\n'
                    "layer L(x) { return x -> a: parts.Prat{3} -> b: Part{4} }\n"
                    "layer K(x) { return x -> a: parts.Part{4, stride = 2} }\n")
    report = Report()
    load_module(read_source(main, "main.net"), report)
    told = [(problem.code, problem.describe().suggestion) for problem in report.problems]
    assert told == [("N226", "did you mean `Part`?"), ("N201", "`parts.Part`"), ("N202", None)]


def test_a_layer_that_is_handed_over_may_leave_attributes_unused():
    text = """
layer Wide{c, k}(x) { return x -> a: linear{c * k} }
layer Slim{c, k}(x) { return x -> a: linear{c} }
model M{block = Wide} { input x: f32[B, 8]  output y = x -> a: block{8, 2} }
model N = M{block = Slim}
"""
    assert codes_of(text) == []
    assert codes_of(text.replace("block = Slim", "block = Wide")) == ["N245"]


def test_warnings_of_what_is_unused_wait_for_the_errors():
    text = "let a = 3\nmodel M { input x: f32[B, 8]  output y = x + b }\n"
    assert codes_of(text) == ["N201"]
    assert codes_of(text.replace("+ b", "")) == ["N245"]


def test_problems_are_told_from_top_to_bottom():
    text = """
model M {
    input x: f32[B, 8]
    output y = x -> a: conv{3} -> l: L{}
    output z = x -> nonsense
}
layer L(x) { return x -> other }
"""
    lines = [problem.describe().marks[0].span.line for problem in problems_of(text)]
    assert lines == sorted(lines) and len(lines) == 3


def test_it_takes_linear_time():
    def seconds(count: int) -> float:
        lines = "".join(f"x = x -> a{i}: linear{{8}}\nfor (i in 0..2) {{ t{i} = x + zz{i} }}\n"
                        f"y{i} = a{i}\n" for i in range(count))
        source = Source("t.net", f"model M {{ input x: f32[B, 8]\n{lines} output x }}")
        module = load_module(source, Report())
        begin = perf_counter()
        check_bodies(module, Report())
        return perf_counter() - begin

    few, many = min(seconds(200) for _ in range(3)), min(seconds(1600) for _ in range(2))
    assert many < 30 * few + 0.1
