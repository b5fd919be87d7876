"""Instances: applied twice they share, constructed twice they do not; values that can be passed."""

from __future__ import annotations

import pytest

from building import body, codes_of, errors_of, graph_of, operations, outputs, parameters

SHARED = {
    "applied twice": ("f = fc: linear{3}\noutput y = f(f(x))", {"fc.weight": "[3, 3]",
                                                                "fc.bias": "[3]"}),
    "constructed twice":
        ("output y = x -> a: linear{3, bias = false} -> b: linear{3, bias = false}",
         {"a.weight": "[3, 3]", "b.weight": "[3, 3]"}),
    "applied in a loop": ("f = fc: linear{3, bias = false}\nfor (i in 0..5) { x = f(x) }\noutput x",
                          {"fc.weight": "[3, 3]"}),
    "in a list": ("fs = [a: linear{3, bias = false}, b: linear{3, bias = false}]\n"
                  "for (i in 0..4) { x = fs[i % 2](x) }\noutput x",
                  {"a.weight": "[3, 3]", "b.weight": "[3, 3]"}),
    "chosen": ("f = if len([1]) == 1 then linear else batchnorm\n"
               "output y = x -> fc: f{4, bias = false}", {"fc.weight": "[4, 3]"}),
}


@pytest.mark.parametrize("statements, expected", SHARED.values(), ids=SHARED)
def test_parameters_are_counted_once(statements, expected):
    assert parameters(graph_of(body(statements))) == expected


LAYERS = """
layer Twice{f}(x) { return f(f(x)) }
layer Own{make, c}(x) { return x -> inner: make{c} }
layer Act{act = relu}(x) { return x -> act: act{} }
layer Enc{}(x) { return x -> fc: linear{3, bias = false} -> bn: batchnorm{} }
layer Swish{}(x) { return x * sigmoid(x) }
"""


def test_a_passed_instance_belongs_where_it_was_made():
    text = body("f = Enc{}\noutput y = x -> twice: Twice{f}\noutput z = f(x)", LAYERS)
    graph = graph_of(text)
    assert list(graph.parameters) == ["f.fc.weight", "f.bn.weight", "f.bn.bias"]
    assert operations(graph).count("linear") == 3


def test_a_layer_is_a_value():
    text = body("output y = x -> a: Own{linear, 5}", LAYERS)
    assert parameters(graph_of(text)) == {"a.inner.weight": "[5, 3]", "a.inner.bias": "[5]"}


ACTIVATIONS = {"a function": ("tanh", ["tanh"]), "by default": ("relu", ["relu"]),
               "a layer": ("Swish", ["sigmoid", "multiply"])}


@pytest.mark.parametrize("act, expected", ACTIVATIONS.values(), ids=ACTIVATIONS)
def test_braces_after_a_plain_function_are_the_function(act, expected):
    graph = graph_of(body(f"output y = x -> a: Act{{act = {act}}}", LAYERS))
    assert operations(graph) == expected


def test_a_list_of_functions():
    text = body("act: for (f in [relu, tanh, Swish]) { x = x -> f{} }\noutput x", LAYERS)
    graph = graph_of(text)
    assert operations(graph) == ["relu", "tanh", "sigmoid", "multiply"]


def test_statistics_pass_from_one_application_to_the_next():
    graph = graph_of(body("f = bn: batchnorm{}\noutput y = f(f(x))"))
    first, second = graph.nodes
    assert second.inputs[3] is first.outputs[1] and second.inputs[4] is first.outputs[2]
    assert graph.updates["bn.running_mean"] is second.outputs[1]


CHANGED = {
    "another shape": "f = linear{4}\noutput y = f(f(x))",
    "another shape within": "f = Enc{}\noutput y = f(x) + f(concat(x, x, axis = 1))",
    "fewer parameters": "f = Only{}\noutput y = f(x)\noutput z = f(concat(x, x, axis = 1))",
}
ONLY = "\nlayer Only{}(x: [B, c]) { return if c == 3 then (x -> fc: linear{3}) else x }"


@pytest.mark.parametrize("statements", CHANGED.values(), ids=CHANGED)
def test_sharing_needs_the_same_parameters(statements):
    assert set(errors_of(body(statements, LAYERS + ONLY))) == {"N223"}


def test_a_tensor_is_tied_by_its_path():
    graph = graph_of(body("f = Enc{}\nh = f(x)\noutput y = matmul(h, transpose(f.fc.weight))",
                          LAYERS))
    assert list(graph.parameters) == ["f.fc.weight", "f.bn.weight", "f.bn.bias"]
    transposed = next(node for node in graph.nodes if node.op.name == "transpose")
    assert transposed.inputs[0] is graph.variables["f.fc.weight"].value


def test_a_path_leads_to_instances_and_through_loops():
    graph = graph_of(body(
        "enc = Enc2{}\nh = enc(x)\noutput y = enc.block.1(h) + enc.head(x)\n"
        "output z = matmul(h, enc.block.0.weight)",
        "layer Enc2{}(x) {\n block: for (i in 0..2) { x = x -> linear{3, bias = false} }\n"
        " return x -> head: linear{3, bias = false}\n}",
    ))
    assert list(graph.parameters) == ["enc.block.0.weight", "enc.block.1.weight", "enc.head.weight"]
    *_, product = graph.nodes
    assert product.inputs[1] is graph.variables["enc.block.0.weight"].value


def test_optional_operands():
    layers = """
layer Mask{}(x: [B, n], mask: bool[B, n] = none) {
    return if mask != none then where(mask, x, 0) else x
}
"""
    assert operations(graph_of(body("output y = x -> m: Mask{}", layers))) == []
    assert operations(graph_of(body("output y = x -> m: Mask{}(none)", layers))) == []
    masked = graph_of(body("output y = x -> m: Mask{}(x > 0)", layers))
    assert operations(masked) == ["full", "greater", "full", "where"]
    assert operations(graph_of(body("output y = m: Mask{}(x, mask = x > 0)", layers)))
    assert errors_of(body("output y = x -> m: Mask{}(x)", layers)) == ["N303"]


TUPLES = {
    "destructured": "a, b = Two{}(x)\noutput y = a + b",
    "discarded": "_, b = Two{}(x)\noutput y = b",
    "kept and indexed": "both = Two{}(x)\noutput y = both[0] + both[1]",
    "returned whole": "a, b = Same{}(x)\noutput y = a * b",
    "joined": "output y = concat(Two{}(x), axis = 1)",
}
TWO = """
layer Two{}(x: [B, c]) -> ([B, c], [B, c]) { return relu(x), tanh(x) }
layer Same{}(x) { return x -> two: Two{} }
"""


@pytest.mark.parametrize("statements", TUPLES.values(), ids=TUPLES)
def test_several_results(statements):
    assert errors_of(body(statements, TWO)) == []
    assert outputs(graph_of(body(statements, TWO)))["y"] in ("f32[B, 3]", "f32[B, 6]")


def test_what_follows_an_operand_in_a_pipeline():
    layers = "layer Join{}(x, y, sign = 1) { return x + y * sign }"
    graph = graph_of(body("output y = x -> concat(relu(x), axis = 1)"))
    assert outputs(graph) == {"y": "f32[B, 6]"}
    assert operations(graph_of(body("output y = x -> j: Join{}(relu(x))", layers)))[0] == "relu"
    assert codes_of(body("j = Join{}\noutput y = x -> j(relu(x))", layers)) == []


def test_recursion_through_an_argument_is_none():
    layers = "layer Residual{f}(x) { return x + f(x) }"
    text = body("inner = Residual{relu}\noutput y = x -> outer: Residual{inner}", layers)
    assert operations(graph_of(text)) == ["relu", "add", "add"]
