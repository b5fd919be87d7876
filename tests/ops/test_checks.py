"""The checks themselves: an op that is a little wrong must not pass them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from checks import check_cost, check_engine, check_gradient, check_onnx, check_shape
from examples import EXAMPLES
from netdsl.backends.numpy import lowering
from netdsl.ir.dim import size
from netdsl.ir.op import Cost, ShapeError
from netdsl.ir.tensor import TensorType
from netdsl.ops import OPS
from netdsl.ops.elementwise import Term
from operands import example

DIFFERENTIATED = ("tanh", "multiply", "conv", "conv_weight_gradient", "batch_norm", "softmax")


def some_example(op: str):
    return next(e for e in EXAMPLES if e.op == op and len(e.inputs[0].shape) > 1)


def off_by(factor: float, gradient):
    """The gradient facet with its first flow off by a factor."""

    def wrong(emit, node, *flows):
        first, *others = gradient(emit, node, *flows)
        return ((Term(emit, first) * factor).value, *others)

    return wrong


@pytest.mark.parametrize("name", DIFFERENTIATED)
def test_gradient_off_by_a_thousandth_fails(name):
    op = OPS[name]
    wrong = replace(op, gradient=off_by(1.001, op.gradient))
    check_gradient(op, some_example(name))
    with pytest.raises(AssertionError, match="gradient of operand 0"):
        check_gradient(wrong, some_example(name))


def test_gradient_that_is_left_out_fails():
    op = OPS["multiply"]
    wrong = replace(op, gradient=lambda emit, node, g: (None, op.gradient(emit, node, g)[1]))
    with pytest.raises(AssertionError, match="gradient of operand 0"):
        check_gradient(wrong, some_example("multiply"))


def test_gradient_that_ignores_a_broadcast_fails():
    op = OPS["add"]
    case = example("add", (2, 3), (2, 1))
    forgets = replace(op, gradient=lambda emit, node, g: (g, g))
    with pytest.raises((AssertionError, ShapeError)):
        check_gradient(forgets, case)


def test_wrong_shape_rule_fails():
    op = OPS["relu"]
    wrong = replace(op, shape=lambda a, x: x.with_shape(*x.shape[:-1], x.shape[-1] + 1))
    with pytest.raises(AssertionError, match="rule"):
        check_shape(wrong, some_example("relu"))


def test_wrong_dtype_rule_fails():
    op = OPS["equal"]
    wrong = replace(op, shape=lambda a, x, y: TensorType("i64", op.shape(a, x, y).shape))
    with pytest.raises(AssertionError, match="rule"):
        check_shape(wrong, some_example("equal"))


def test_wrong_onnx_facet_fails():
    op = OPS["sigmoid"]
    wrong = replace(op, onnx=lambda emit, node: emit("Tanh", node.inputs, node.outputs))
    check_onnx(op, some_example("sigmoid"))
    with pytest.raises(AssertionError, match="y0"):
        check_onnx(wrong, some_example("sigmoid"))


def test_wrong_cost_rule_fails():
    op = OPS["linear"]
    wrong = replace(op, cost=lambda a, inputs, outputs: Cost(size(outputs[0].shape)))
    with pytest.raises(AssertionError, match="counted"):
        check_cost(wrong, some_example("linear"))


def test_wrong_lowering_fails(monkeypatch):
    def rule(emit, node):
        emit(np.add, *map(emit.read, node.inputs), emit.write(node.outputs[0], over=node.inputs))

    monkeypatch.setitem(lowering.RULES, "subtract", rule)
    with pytest.raises(AssertionError, match="y0"):
        check_engine(OPS["subtract"], some_example("subtract"), "f64")


def test_lowering_that_overwrites_what_is_needed_fails(monkeypatch):
    def rule(emit, node):
        x = emit.read(node.inputs[0])
        emit(np.exp, x, x)
        emit.place(node.outputs[0], x)

    monkeypatch.setitem(lowering.RULES, "exp", rule)
    with pytest.raises(AssertionError, match="x0"):
        check_engine(OPS["exp"], some_example("exp"), "f64")
