"""Batch norm folded into the layer before it: where, where not, and the same numbers."""

from __future__ import annotations

import numpy as np
import pytest

from netdsl.backends.numpy import Runner
from netdsl.ops.elementwise import add, relu
from netdsl.ops.layout import transpose
from netdsl.ops.matmul import linear
from netdsl.rewrite.fold_batch_norm import fold_batch_norm
from sketch import B, Sketch


def conv_2d(s):
    return s.norm(s.conv(s.input("x", B, 3, 5, 5), "conv", 4), "bn")


def conv_with_bias(s):
    return s.norm(s.conv(s.input("x", B, 3, 5, 5), "conv", 4, bias=True), "bn")


def conv_1d(s):
    return s.norm(s.conv(s.input("x", B, 3, 5), "conv", 4), "bn")


def conv_3d(s):
    return s.norm(s.conv(s.input("x", B, 1, 3, 3, 3), "conv", 2, bias=True), "bn")


def linear_rows(s):
    y = s(linear, s.input("x", B, 3), s.variable("fc.weight", 4, 3), None)
    return s.norm(y, "bn")


def chain(s):
    x = s.input("x", B, 3, 5, 5)
    for i in range(3):
        x = s(relu, s.norm(s.conv(x, f"layer.{i}.conv", 4, bias=i == 1), f"layer.{i}.bn"))
    return x


def residual(s):
    x = s.input("x", B, 4, 5, 5)
    return s(add, x, s.norm(s.conv(x, "conv", 4), "bn"))


def one_layer_applied_twice(s):
    x = s.input("x", B, 4, 5, 5)
    once = s.norm(s.conv(x, "conv", 4, bias=True), "bn")
    convolution, norm = s.nodes
    y = s.with_attrs(convolution.op, (once, *convolution.inputs[1:]), convolution.attrs)
    return s.with_attrs(norm.op, (y, *norm.inputs[1:]), norm.attrs)


def two_norms(s):
    return s.norm(s.norm(s.conv(s.input("x", B, 3, 5, 5), "conv", 4), "bn1"), "bn2")


FOLDED = [  # the graph, how many norms are left of how many
    (conv_2d, 0), (conv_with_bias, 0), (conv_1d, 0), (conv_3d, 0), (linear_rows, 0), (chain, 0),
    (residual, 0), (one_layer_applied_twice, 0), (two_norms, 1),
]


def norm_first(s):
    return s.conv(s.norm(s.input("x", B, 3, 5, 5), "bn"), "conv", 4)


def norm_after_relu(s):
    return s.norm(s(relu, s.conv(s.input("x", B, 3, 5, 5), "conv", 4)), "bn")


def result_used_twice(s):
    y = s.conv(s.input("x", B, 3, 5, 5), "conv", 4)
    return s(add, y, s.norm(y, "bn"))


def rows_of_a_sequence(s):  # the channels of the norm are the steps of the sequence
    y = s(linear, s.input("x", B, 4, 3), s.variable("fc.weight", 4, 3), None)
    return s.norm(y, "bn")


def shared_weight_with_two_norms(s):
    x = s.input("x", B, 4, 5, 5)
    y = s.norm(s.conv(x, "conv", 4), "bn1")
    convolution, _ = s.nodes
    z = s.with_attrs(convolution.op, (y, *convolution.inputs[1:]), convolution.attrs)
    return s.norm(z, "bn2")


def shared_weight_once_bare(s):
    x = s.input("x", B, 4, 5, 5)
    y = s.norm(s.conv(x, "conv", 4), "bn")
    convolution, _ = s.nodes
    return s.with_attrs(convolution.op, (y, *convolution.inputs[1:]), convolution.attrs)


def tied_bias(s):
    """The bias of the layer is also the shift of the norm."""
    s.conv(s.input("x", B, 3, 5, 5), "conv", 4, bias=True)
    convolution, = s.nodes
    s.norm(convolution.outputs[0], "bn")
    _, norm = s.nodes
    x, weight, _, *statistics = norm.inputs
    s.nodes.remove(norm)
    operands = (x, weight, convolution.inputs[2], *statistics)
    return s.with_attrs(norm.op, operands, norm.attrs)


def computed_weight(s):
    weight = s(transpose, s.variable("w", 3, 4), axes=(1, 0))
    return s.norm(s(linear, s.input("x", B, 3), weight, None), "bn")


LEFT = [(make, 1) for make in (
    norm_first, norm_after_relu, result_used_twice, rows_of_a_sequence, shared_weight_once_bare,
    tied_bias, computed_weight,
)] + [(shared_weight_with_two_norms, 2)]


@pytest.mark.parametrize(("make", "left"), FOLDED + LEFT, ids=lambda case: getattr(
    case, "__name__", ""))
def test_folding_keeps_what_is_computed(make, left):
    s = Sketch()
    y = make(s)
    graph = s.graph(y=y)
    before = {name: array.copy() for name, array in s.weights.items()}
    folded, weights = fold_batch_norm(graph, s.weights)
    assert sum(node.op.name == "normalize" for node in folded.nodes) == left
    assert set(weights) == set(folded.variables)

    shape = [2 if dim == B else dim for dim in s.inputs["x"].shape]
    x = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    expected = Runner(graph, s.weights).run({"x": x}).outputs["y"]
    got = Runner(folded, weights).run({"x": x}).outputs["y"]
    assert np.abs(got - expected).max() <= 1e-6 * np.abs(expected).max()
    for name, array in before.items():
        np.testing.assert_array_equal(s.weights[name], array, "the caller's weights changed")


def test_a_folded_layer_keeps_its_names_and_place():
    s = Sketch()
    graph = s.graph(y=conv_2d(s))
    folded, weights = fold_batch_norm(graph, s.weights)
    node, = folded.nodes
    assert node.path == "conv"
    assert list(folded.variables) == ["conv.weight", "conv.bias"]
    assert {name: array.dtype for name, array in weights.items()} == {
        "conv.weight": np.float32, "conv.bias": np.float32
    }


def test_an_added_bias_takes_no_name_that_is_taken():
    s = Sketch()
    y = s(add, conv_2d(s), s.variable("conv.bias", 1, 1, 1, 1))
    folded, _ = fold_batch_norm(s.graph_of({"conv.bias_folded": y}), s.weights)
    assert set(folded.variables) == {"conv.weight", "conv.bias", "conv.bias_folded_folded"}
