"""Assertions: what they end, what their messages name, what holds behind them."""

from __future__ import annotations

import pytest

from building import body, codes_of, errors_of, graph_of, problems_of

FREE = "net 1\nmodel M{{act = relu}} {{\n    input x: f32[B, n]\n{}\n}}\n"


def way_of(text: str, **attributes: str) -> str | None:
    """The way out of the only mistake in a text."""
    problem, = problems_of(text, **attributes)
    return problem.describe().suggestion


@pytest.mark.parametrize("behind", [
    "y = x -> f: linear{9}",
    "for (i in 0..2) { y = y + 1 }",
    "parameter w: f32[4] = zeros()\n y = x + w",
    "state s: f32[4] = zeros()\n y = x + s\n update { next s = s + 1 }",
])
def test_what_stands_behind_a_failed_assertion_is_silent(behind):
    broken = "\n if (true) { for (k in 0..3) { assert k < 1 else \"k is {k}\" } }\n"
    layer = f"layer L{{}}(x) {{ y = x {broken} {behind}\n return x + y }}\n"
    text = layer + "model M { input x: f32[B, 3]\n z = x -> l: L{}\n output q = relu(z) }"
    assert codes_of("net 1\n" + text) == ["N217"]
    assert codes_of(body(f"y = x {broken} {behind}\noutput y\nloss l = mean(x + y)")) == ["N217"]


def test_an_assertion_of_the_library_is_the_only_message():
    attention = "output y = x -> a: std.Attention{3}(x, x)"
    squeeze = "output y = x -> s: std.SqueezeExcite{}"
    assert codes_of(body(attention, "use std", "f32[B, 4, 10]")) == ["N217"]
    assert codes_of(body(squeeze, "use std", "f32[B, 8, 4, 4]")) == ["N217"]


@pytest.mark.parametrize("message, wrong", [
    ("{n} and {B}", []), ("{{n}} {} {n + 1} {relu} {0.real} {a b}", []), ("{", []),
    ("{m}", ["N201"]), ("{n} {actt} {B}", ["N201"]),
])
def test_names_in_a_message_are_checked_while_it_holds(message, wrong):
    assert errors_of(FREE.format(f'    assert n > 1 else "{message}"\n    output x')) == wrong


@pytest.mark.parametrize("name, way", [("actt", "did you mean `act`?"),
                                       ("zzz", "`{{zzz}}` if braces are meant")])
def test_an_unknown_name_in_a_message_is_pointed_at(name, way):
    text = FREE.format(f'    assert n > 1 else "n: {{{name}}}"\n    output x')
    problem, = problems_of(text)
    assert problem.span.text == name and problem.describe().suggestion == way


def test_half_of_what_is_asserted_to_be_even_is_a_size():
    even = '    assert n % 2 == 0 else "even"\n'
    split = "    output y = reshape(x, [B, n / 2, 2])"
    graph = graph_of(FREE.format(even + split))
    assert str(graph.outputs["y"].type) == "f32[B, n // 2, 2]"
    problem, = problems_of(FREE.format(split))
    assert (problem.code, problem.span.text) == ("N205", "n / 2")
    assert problem.describe().suggestion == "`n // 2`"


def test_what_is_asserted_settles_a_condition():
    statements = "    if (B > 1) { x = relu(x) }\n    output y = x + 1"
    assert 'assert B > 1 else "…"' in way_of(FREE.format(statements))
    assert errors_of(FREE.format('    assert B > 1 else "…"\n' + statements)) == []


@pytest.mark.parametrize("statements, code, way", [
    ('assert mean(x) > 0 else "…"\n output x', "N215", "`metric`"),
    ("output y = x -> f: linear{n}", "N205", "fix it in the input's declaration"),
    ("for (i in 0..n) { x = x + 1 }\n output x", "N216", "fix `n` in the input's declaration"),
])
def test_what_depends_on_data_says_the_way_out(statements, code, way):
    assert errors_of(FREE.format(statements)) == [code]
    assert way in way_of(FREE.format(statements))


def test_a_layer_given_for_a_function_is_constructed_under_the_name_it_has_there():
    text = FREE.replace("x: f32[B, n]", "x: f32[B, 4]")
    assert way_of(text.format("    output y = x -> act"), act="prelu") == "`act{}`"
    for act in ("prelu", "relu"):
        assert errors_of(text.format("    output y = x -> a: act{}"), act=act) == []


@pytest.mark.parametrize("written, way", [
    ("nn.BatchNorm2d(3)", "`batchnorm{}`"), ("BatchNorm2d{3}", "`batchnorm{}`"),
    ("batchnorm2d{3}", "`batchnorm{}`"), ("nn.LayerNorm(8)", "`layernorm{}`"),
    ("LayerNorm(8, eps = 1e-6)", "`layernorm{eps = 1e-6}`"),
    ("nn.GroupNorm(3, 9)", "`groupnorm{3}`"), ("RMSNorm(8)", "`rmsnorm{}`"),
    ("groupnorm{3, 9}", "`groupnorm{3}`: how many come in is read from the tensor"),
    ("layernorm{8, 1e-6}", "`layernorm{eps = 1e-6}`: how many come in is read from the tensor"),
    ("batchnorm{3}", "`batchnorm{}`: how many come in is read from the tensor"),
    ("batchnorm{1e-3}", "by name, such as `eps = 1e-3`"),
])
def test_a_norm_is_not_told_how_many_channels_come_in(written, way):
    text = "net 1\nmodel M {{ input x: f32[B, 9, 8, 8]\n output y = x -> n: {} }}"
    assert way_of(text.format(written)) == way
    code = way.split("`")[1]
    if "{" in code:
        assert errors_of(text.format(code)) == []


def test_a_state_that_two_applications_move_shows_both():
    text = """net 1
layer Count{}(x) { state n: i64[] = 0  update { next n = n + 1 }  return x + f32(n) }
model M { input x: f32[B, 3]
    c = Count{}
    output y = c(c(x))
}"""
    problem, = problems_of(text)
    assert [mark.span.text for mark in problem.describe().marks] == ["next n = n + 1", "c(x)",
                                                                     "c(c(x))"]
    assert "`Count{}`" in problem.describe().suggestion
