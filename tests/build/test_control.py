"""`for`, `if`, `when`, scopes and lists: all settled at compile time."""

from __future__ import annotations

import pytest

from building import body, codes_of, graph_of, operations, outputs

UNROLLED = {  # what a body of statements makes of x: its operations
    "a loop carries what is bound again": ("for (i in 0..3) { x = relu(x) }", ["relu"] * 3),
    "an empty range": ("for (i in 0..0) { x = relu(x) }", []),
    "a range that runs backwards": ("for (i in 3..0) { x = relu(x) }", []),
    "a range from elsewhere": ("for (i in 2..4) { x = relu(x) }", ["relu"] * 2),
    "a list": ("for (f in [relu, tanh]) { x = f(x) }", ["relu", "tanh"]),
    "with the position": ("for (i, f in [relu, tanh]) { x = x -> f when i > 0 }", ["tanh"]),
    "reversed": ("for (f in reverse([relu, tanh])) { x = f(x) }", ["tanh", "relu"]),
    "a reversed range": ("for (i in reverse(0..3)) { x = x -> relu when i == 2 }", ["relu"]),
    "a part of a list": ("for (f in [relu, tanh, exp][1..3]) { x = f(x) }", ["tanh", "exp"]),
    "a tuple": ("for (f in (relu, tanh)) { x = f(x) }", ["relu", "tanh"]),
    "a loop of lists": ("for (fs in [[relu], [tanh, exp]]) { for (f in fs) { x = f(x) } }",
                        ["relu", "tanh", "exp"]),
    "the stage that is guarded": ("x = x -> relu when false -> tanh when true -> exp",
                                  ["tanh", "exp"]),
    "when binds to one stage": ("x = x -> relu -> tanh when 1 > 2", ["relu"]),
    "if": ("if (1 < 2) { x = relu(x) }", ["relu"]),
    "else": ("if (1 > 2) { x = relu(x) } else { x = tanh(x) }", ["tanh"]),
    "else if": ("if (1 > 2) { x = relu(x) } else if (2 > 1) { x = tanh(x) } else { x = exp(x) }",
                ["tanh"]),
    "a branch not taken is not built": ("if (false) { x = maxpool(x, 0)(1) }", []),
    "nor is the other side of a choice": ("x = if true then relu(x) else maxpool(x, 0)", ["relu"]),
    "nor what comes after `and`": ("x = x -> relu when false and x", []),
    "nor what comes after `or`": ("x = x -> relu when true or x", ["relu"]),
    "`not` is looser than comparison": ("x = x -> relu when not 1 == 2", ["relu"]),
    "numbers carry too": ("n = 1\nfor (i in 0..4) { n = n * 2 }\nx = x -> relu when n == 16",
                          ["relu"]),
    "lists grow": ("fs = []\nfor (f in [relu, tanh]) { fs = fs + [f] }\nx = fs[1](fs[0](x))",
                   ["relu", "tanh"]),
    "tensors in lists": ("xs = [x]\nfor (i in 0..2) { xs = xs + [relu(xs[i])] }\n"
                         "x = concat(xs, axis = 1)", ["relu", "relu", "concat"]),
}


@pytest.mark.parametrize("statements, expected", UNROLLED.values(), ids=UNROLLED)
def test_unrolling(statements, expected):
    assert operations(graph_of(body(f"{statements}\noutput x"))) == expected


def test_a_return_ends_the_loops_around_it():
    layers = """layer First{}(x) {
        for (f in [relu, tanh]) { for (g in [exp, sqrt]) { if (true) { return g(f(x)) } } }
        return x
    }"""
    assert operations(graph_of(body("output y = x -> f: First{}", layers))) == ["relu", "exp"]


SCOPES = {
    "a name of a turn ends with it": ("for (i in 0..2) { t = relu(x) }\noutput y = t", ["N241"]),
    "so does the counter": ("for (i in 0..2) { a = i }\noutput y = x * i", ["N241"]),
    "a turn does not see the one before":
        ("for (i in 0..2) { if (i == 1) { x = x * t } else { t = 3 } }\noutput x", ["N201"]),
    "the counter may be bound again": ("for (i in 0..2) { i = i + 1  x = x * i }\noutput x", []),
    "the counter hides an outer name":
        ("i = 5\nfor (i in 0..2) { x = x * i }\noutput y = x * i", []),
    "a branch belongs to what is around it": ("if (true) { t = 3 }\noutput y = x * t", []),
    "a branch not taken binds nothing": ("if (false) { t = 3 }\noutput y = x * t", ["N241"]),
    "but its names must be known": ("if (false) { x = nonsense(x) }\noutput x", ["N201"]),
    "a layer does not see the model":
        ("t = 3\noutput y = x -> l: L{}\n}\nlayer L{}(x) { return x * t", ["N201"]),
}


@pytest.mark.parametrize("statements, codes", SCOPES.values(), ids=SCOPES)
def test_scopes(statements, codes):
    assert codes_of(body(statements)) == codes


def test_a_file_is_one_scope_and_its_order_free():
    text = """
model M { input x: f32[B, width]  output y = x -> a: A{act} }
layer A{act}(x) { return x -> act -> act when twice }
let act = tanh
let width = 2 * half
let twice = width == 6
let half = 3
"""
    assert codes_of(text) == ["N201"]  # lets are worked out in the order they stand
    text = text.replace("let half = 3\n", "").replace("let act", "let half = 3\nlet act")
    assert operations(graph_of(text)) == ["tanh", "tanh"]


INDICES = {
    "x[_, 0]": "f32[B]", "x[0]": "f32[3]", "x[_, 1..3]": "f32[B, 2]", "x[0..1]": "f32[1, 3]",
    "x[0..1, 2]": "f32[1]", "x[1, 2]": "f32[]", "x[_, 0..3]": "f32[B, 3]", "x[_]": "f32[B, 3]",
    "x[0..B]": "f32[B, 3]", "x[1..B]": "f32[B - 1, 3]", "x[B - 1]": "f32[3]",
}


@pytest.mark.parametrize("index", INDICES)
def test_indices_of_tensors(index):
    assert outputs(graph_of(body(f"output y = {index}")))["y"] == INDICES[index]


ASSERTIONS = {
    "holds": ("assert 6 % 3 == 0 else \"no\"", []),
    "fails": ("assert 6 % 4 == 0 else \"no\"", ["N217"]),
    "depends": ("assert B % 4 == 0 else \"no\"", []),
    "leaves open which": ("assert B % 4 == 0 or B == 6 else \"no\"", ["N310"]),
    "is about elements": ("assert mean(x) > 0 else \"no\"", ["N215"]),
    "is proved for every size": ("assert B >= 1 else \"no\"", []),
    "is refuted for every size": ("assert B < 1 else \"no\"", ["N217"]),
}


@pytest.mark.parametrize("statement, codes", ASSERTIONS.values(), ids=ASSERTIONS)
def test_assertions(statement, codes):
    assert codes_of(body(f"{statement}\noutput x")) == codes


def test_one_mistake_gives_one_message():
    text = body("y = imgae\nz = y\nfor (i in 0..imgae) { y = y + i  z = y }\nif (imgae) { q = 3 }\n"
                "f = fc: linear{imgae}\noutput w = f(y) * q + z\nloss l = mean(w)")
    assert codes_of(text) == ["N201"]


def test_a_name_means_what_it_was_bound_to_last():
    statements = "enc: for (i in 0..3) { x = x + 1\n h = x * 2 }\n s: if (true) { y = x }\noutput y"
    names = graph_of(body(statements)).names
    assert names["x"] is names["enc.2.x"] is names["y"] is names["s.y"]
    assert names["enc.0.x"] is not names["enc.1.x"]
    assert "enc.1.h" in names and "h" not in names
