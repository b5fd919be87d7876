"""Signatures of layers: sizes bound by matching, results checked and not trusted."""

from __future__ import annotations

import pytest

from building import body, codes_of, errors_of, graph_of, outputs, problems_of
from netdsl.diagnostics.names import NearName

FITS = {
    "names take what they meet": ("x: [N, c, h, w]", "[N, c, h, w]"),
    "numbers": ("x: f32[_, 3, 8, 8]", "[B, 3, 8, 8]"),
    "one name twice": ("x: [B, c, s, s]", "[B, c, s, s]"),
    "an attribute constrains": ("x: [B, width, H, W]", "[B, width, H, W]"),
    "arithmetic with attributes": ("x: [B, width, 2 ** width, W]", "[B, 6 // 2, W, W]"),
    "arithmetic with what was bound": ("x: [B, c, H, c + 5]", "[B, c, ceil(H / 1), W]"),
    "any number of axes": ("x: [B, ..., W]", "[B, 3, ...]"),
    "any number may be none": ("x: [B, c, H, W, ...]", "[..., H, W]"),
    "whatever it is": ("x: [_, _, _, _]", "[_, _, _, _]"),
    "a name of the file": ("x: [B, c, side, side]", "[B, c, side, side]"),
    "nothing said": ("x", "[B, 3, side, 8]"),
    "a new name in the result": ("x: [B, c, ...]", "[B, k, s, s]"),
}


@pytest.mark.parametrize("operand, result", FITS.values(), ids=FITS)
def test_what_fits(operand, result):
    layer = f"let side = 8\nlayer L{{width = 3}}({operand}) -> {result} {{ return relu(x) }}"
    assert errors_of(body("output y = x -> l: L{}", layer, "f32[B, 3, 8, 8]")) == []


FAILS = {
    "rank": ("x: [B, c]", "[B, c]", "N303"), "a number": ("x: [B, 4, H, W]", "[...]", "N303"),
    "a dtype": ("x: i64[B, c, H, W]", "[...]", "N303"),
    "one name twice": ("x: [B, c, c, W]", "[...]", "N303"),
    "an attribute": ("x: [B, c, width, W]", "[...]", "N303"),
    "too few axes": ("x: [B, c, H, W, E, ...]", "[...]", "N303"),
    "a fraction": ("x: [B, c, width / 2, W]", "[...]", "N303"),
    "the result's rank": ("x: [B, c, H, W]", "[B, c]", "N304"),
    "the result's size": ("x: [B, c, H, W]", "[B, c, H, W + 1]", "N304"),
    "the result's dtype": ("x: [B, c, H, W]", "f64[B, c, H, W]", "N304"),
    "how many results": ("x: [B, c, H, W]", "([B, c, H, W], [B, c])", "N304"),
    "an unknown name in arithmetic": ("x: [B, c, H, 2 * z]", "[...]", "N201"),
}


@pytest.mark.parametrize("operand, result, code", FAILS.values(), ids=FAILS)
def test_what_does_not(operand, result, code):
    layer = f"layer L{{width = 3}}({operand}) -> {result} {{ return relu(x) }}"
    assert errors_of(body("output y = x -> l: L{}", layer, "f32[B, 3, 8, 8]")) == [code]


def test_bound_names_are_values_in_the_body():
    layer = "layer Narrow{}(x: [B, c]) -> [B, c // 2] { return x -> fc: linear{c // 2} }"
    graph = graph_of(body("output y = x -> a: Narrow{} -> b: Narrow{}", layer, "f32[N, 12]"))
    assert outputs(graph) == {"y": "f32[N, 3]"}


def test_two_operands_agree():
    layer = "layer Add{}(x: [B, c], y: [B, c]) { return x + y }"
    assert codes_of(body("output y = add: Add{}(x, relu(x))", layer)) == []
    assert codes_of(body("output y = add: Add{}(x, x[_, 0..2])", layer)) == ["N303"]


def test_each_application_matches_anew():
    layer = "layer Half{}(x: [B, c]) -> [B, c // 2] { return x[_, 0..c // 2] }"
    graph = graph_of(body("f = Half{}\noutput y = f(f(x))", layer, "f32[B, 12]"))
    assert outputs(graph) == {"y": "f32[B, 3]"}


def test_free_sizes_follow_through_a_network():
    layers = """
layer Down{c}(x: [B, _, H, W]) -> [B, c, ceil(H / 2), ceil(W / 2)] {
    return x -> conv: conv{c, k = 3, stride = 2, pad = 1}
}"""
    text = body("down: for (c in [4, 8]) { x = x -> Down{c} }\noutput x", layers, "f32[B, 3, H, W]")
    assert outputs(graph_of(text)) == {"x": "f32[B, 8, (H + 3) // 4, (W + 3) // 4]"}


NEAR = {"[B, head]": ["heads"], "[b, c]": [], "[B, Heads]": ["heads"], "[B, c]": [],
        "[B, hidden]": [], "[B, heads]": []}


@pytest.mark.parametrize("result", NEAR)
def test_a_mistyped_size_is_noted(result):
    layer = f"layer L{{heads = 3}}(x: {result}) {{ return x }}"
    problems = problems_of(body("output y = x -> l: L{}", layer))
    assert [p.near for p in problems if isinstance(p, NearName)] == NEAR[result]


def test_a_parameter_has_a_fixed_shape():
    assert codes_of(body("output y = x -> fc: linear{3}", x="f32[B, C]")) == ["N302"]
    assert codes_of(body("output y = x -> c: conv{3}", x="f32[B, C, 8, 8]")) == ["N302"]
    assert codes_of(body("parameter p: f32[B, 3] = zeros()\noutput y = x + p")) == ["N216"]
