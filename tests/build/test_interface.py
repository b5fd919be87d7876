"""What a model offers: inputs, outputs, losses, metrics, and the phases that follow from them."""

from __future__ import annotations

import pytest

from building import body, codes_of, graph_of, operations, outputs, parameters
from netdsl.ir.verify import verify
from netdsl.rewrite.phases import infer, train, validate

TWO_HEADS = """
model M {
    input x: f32[B, 4]
    input label: i64[B] in 0..3
    h = x -> body: linear{8} -> bn: batchnorm{} -> relu -> dropout(0.5)
    logits = h -> fc: linear{3}
    aux = h -> aux: linear{3} -> aux_bn: batchnorm{}
    output logits
    output share = softmax(logits, 1)
    loss total = cross_entropy(logits, label) + 0.3 * cross_entropy(aux, label)
    loss other = mean(logits)
    metric top1 = accuracy(logits, label)
}
"""


def test_results_are_bound_and_exported():
    graph = graph_of(TWO_HEADS)
    assert outputs(graph) == {"logits": "f32[B, 3]", "share": "f32[B, 3]"}
    assert list(graph.losses) == ["total", "other"] and list(graph.metrics) == ["top1"]
    assert graph.outputs["logits"] is graph.names["logits"]
    assert graph.names["share"] is graph.outputs["share"]
    assert graph.ranges == {"label": (0, 3)}
    assert graph.symbols == {"B"}


def owners(graph) -> set[str]:
    return {name.partition(".")[0] for name in graph.parameters}


def test_inference_is_what_the_outputs_need():
    graph = infer(graph_of(TWO_HEADS))
    verify(graph)
    assert owners(graph) == {"body", "bn", "fc"}
    assert list(graph.inputs) == ["x"] and not graph.ranges and graph.key is None
    assert operations(graph) == ["linear", "normalize", "relu", "linear", "softmax"]
    assert not graph.losses and not graph.metrics and not graph.updates


def test_training_is_what_the_losses_need():
    graph = train(graph_of(TWO_HEADS))
    verify(graph)
    assert owners(graph) == {"body", "bn", "fc", "aux", "aux_bn"}
    assert {"dropout", "batch_norm"} <= set(operations(graph)) and graph.key is not None
    assert "argmax" not in operations(graph) and not graph.outputs and not graph.metrics
    assert set(graph.updates) == {"bn.running_mean", "bn.running_var", "aux_bn.running_mean",
                                  "aux_bn.running_var"}


def test_a_loss_alone_takes_its_own_statistics_alone():
    graph = train(graph_of(TWO_HEADS), ["other"])
    verify(graph)
    assert owners(graph) == {"body", "bn", "fc"}
    assert set(graph.updates) == {"bn.running_mean", "bn.running_var"}
    assert list(graph.inputs) == ["x"]


def test_validation_commits_nothing():
    graph = validate(graph_of(TWO_HEADS))
    verify(graph)
    assert set(graph.losses) == {"total", "other"} and set(graph.metrics) == {"top1"}
    assert not graph.updates and graph.key is None
    assert "batch_norm" not in operations(graph) and "dropout" not in operations(graph)


def test_an_auxiliary_head_is_of_training_alone():
    graph = graph_of(TWO_HEADS)
    counts = [sum(v.type.size for v in slice_.parameters.values())
              for slice_ in (infer(graph), train(graph))]
    head = 8 * 3 + 3 + 2 * 3
    assert counts == [4 * 8 + 8 + 2 * 8 + 8 * 3 + 3, counts[0] + head]


RESULTS = {
    "an output of what is bound": ("y = relu(x)\noutput y", []),
    "an output that binds": ("output y = relu(x)\noutput z = y + y", []),
    "the input itself": ("output x", []),
    "an unknown name": ("output y", ["N201"]),
    "a number": ("output y = 3", ["N216"]),
    "a list": ("output y = [x]", ["N216"]),
    "a loss of no rank": ("loss l = mean(x)", []),
    "a loss with axes": ("loss l = x", ["N305"]),
    "a weighted sum": ("loss l = mean(x) + 0.3 * (mean(x) + sum(x))", []),
    "a metric with axes": ("output x\nmetric m = x", ["N305"]),
    "an integer loss": ("loss l = sum(argmax(x, 1))", ["N216"]),
    "an integer metric": ("output x\nmetric m = sum(argmax(x, 1))", []),
    "a metric alone": ("metric m = mean(x)", ["N228"]),
    "nothing": ("y = relu(x)", ["N228"]),
    "two of a name": ("output x\noutput x", ["N213"]),
    "a loss and an output of a name": ("output y = mean(x)\nloss y = mean(x)", []),
    "in a layer": ("output y = x -> l: L{}", ["N216"]),
    "random draws": ("output y = x -> dropout(0.5)", []),
    "dropout of nothing": ("output y = x -> dropout(0)", []),
    "a range of free size": ("output y = x -> fc: linear{B}", ["N205"]),
}


@pytest.mark.parametrize("statements, codes", RESULTS.values(), ids=RESULTS)
def test_results(statements, codes):
    text = body(statements, "layer L{}(x) { output y = x  return x }")
    assert codes_of(text) == codes


INPUTS = {
    "without a dtype": ("x: [B, 3]", "f32[B, 3]"), "a scalar": ("x: f32[]", "f32[]"),
    "with arithmetic": ("x: f32[B, T, 2 * T + 1]", "f32[B, T, 2 * T + 1]"),
    "fixed": ("x: f16[2, 3]", "f16[2, 3]"), "empty": ("x: f32[B, 0]", "f32[B, 0]"),
}


@pytest.mark.parametrize("declared, expected", INPUTS.values(), ids=INPUTS)
def test_inputs(declared, expected):
    graph = graph_of(f"model M {{ input {declared}  output y = x + 1 }}")
    assert str(graph.inputs["x"].type) == expected


TYPES = {
    "a number becomes what the tensor is": ("output y = n + 1", "i64[B]"),
    "on either side": ("output y = 2 * n", "i64[B]"),
    "a size too": ("output y = x * B", "f32[B, 3]"),
    "in a function": ("output y = maximum(0, n)", "i64[B]"),
    "beside a condition": ("output y = where(x > 0, 0, x)", "f32[B, 3]"),
    "a cast": ("output y = f64(n)", "f64[B]"),
    "a cast to itself": ("output y = i64(n)", "i64[B]"),
    "a comparison": ("output y = n == 3", "bool[B]"),
    "its opposite": ("output y = not (n != 3)", "bool[B]"),
    "a label's argmax": ("output y = argmax(x, -1)", "i64[B]"),
    "minus": ("output y = -x", "f32[B, 3]"),
    "a power": ("output y = x ** 2", "f32[B, 3]"),
}


@pytest.mark.parametrize("statement, expected", TYPES.values(), ids=TYPES)
def test_types(statement, expected):
    text = f"model M {{ input x: f32[B, 3]  input n: i64[B]  {statement}  output u = mean(x) " \
           "output v = sum(n) }"
    assert outputs(graph_of(text))["y"] == expected


MIXED = {
    "a half in integers": "n + 0.5", "a number too large": "n + 2 ** 63", "floats and integers":
    "x[_, 0] + n", "two floats": "x + f64(x)", "bool arithmetic": "(n == 1) + (n == 2)",
    "a number and a bool": "(n == 1) == 1", "integer division": "n / 2", "not of a float": "not x",
    "a float too large": "x + 10 ** 39", "a ratio": "x * (B / 2)", "text": "x + \"a\"",
    "a bool": "x + true", "none": "x + none",
}


@pytest.mark.parametrize("expression", MIXED.values(), ids=MIXED)
def test_nothing_converts_by_itself(expression):
    text = f"model M {{ input x: f32[B, 3]  input n: i64[B]  output y = {expression} " \
           "output u = mean(x)  output v = sum(n) }"
    assert len(codes_of(text)) == 1


def test_parameters_that_nothing_needs_are_warned_of():
    text = body("h = x -> dead: linear{4}\nm = x -> seen: linear{1}\n"
                "output y = x -> fc: linear{4}\nmetric s = mean(m)")
    assert codes_of(text) == ["N230", "N230"]
    assert parameters(graph_of(text))["dead.weight"] == "[4, 3]"
