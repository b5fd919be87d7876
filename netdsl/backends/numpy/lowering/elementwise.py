"""Elementwise operations: NumPy's own functions, writing in place where an operand is done with.

A unary op that is not listed runs its formula; adding one to `netdsl/ops` needs nothing here.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def ufunc_rule(function: np.ufunc) -> Callable:
    """The op is one function of its operands."""

    def rule(emit, node) -> None:
        operands = [emit.read(value) for value in node.inputs]
        emit(function, *operands, out=emit.write(node.outputs[0], over=node.inputs))

    return rule


def relu_rule(emit, node) -> None:
    x = emit.read(node.inputs[0])
    emit(np.maximum, x, emit.scalar(0, x.dtype), out=emit.write(node.outputs[0], over=node.inputs))


def sigmoid_rule(emit, node) -> None:
    x = emit.read(node.inputs[0])
    y, half = emit.write(node.outputs[0], over=node.inputs), emit.scalar(0.5, x.dtype)
    emit(np.multiply, x, half, out=y)
    emit(np.tanh, y, out=y)
    emit(np.multiply, y, half, out=y)
    emit(np.add, y, half, out=y)


def where_rule(emit, node) -> None:
    condition, x, y = (emit.read(value) for value in node.inputs)
    emit(select, condition, x, y, emit.write(node.outputs[0]))


def select(condition: np.ndarray, x: np.ndarray, y: np.ndarray, out: np.ndarray) -> None:
    np.copyto(out, y)
    np.copyto(out, x, where=condition)


def cast_rule(emit, node) -> None:
    emit(np.copyto, emit.write(node.outputs[0]), emit.read(node.inputs[0]), casting="unsafe")


def stop_grad_rule(emit, node) -> None:
    emit.place(node.outputs[0], emit.read(node.inputs[0]))


UFUNCS = {
    "tanh": np.tanh, "exp": np.exp, "log": np.log, "sqrt": np.sqrt, "abs": np.abs,
    "sign": np.sign, "negative": np.negative,
    "add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.divide,
    "power": np.power, "maximum": np.maximum, "minimum": np.minimum,
    "equal": np.equal, "less": np.less, "less_equal": np.less_equal,
    "greater": np.greater, "greater_equal": np.greater_equal, "logical_not": np.logical_not,
}
RULES = {
    **{name: ufunc_rule(function) for name, function in UFUNCS.items()},
    "relu": relu_rule, "sigmoid": sigmoid_rule, "where": where_rule, "cast": cast_rule,
    "stop_grad": stop_grad_rule,
}
