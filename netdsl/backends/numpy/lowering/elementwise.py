"""Elementwise operations: NumPy's own functions, writing in place where an operand is done with.

A unary op that is not listed runs its formula; adding one to `netdsl/ops` needs nothing here.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from operator import mul

import numpy as np

from netdsl.backends.numpy.emitter import CallEmitter, copy
from netdsl.backends.numpy.view import Shape, View
from netdsl.ir.graph import Node


def ufunc_rule(function: np.ufunc) -> Callable:
    """The op is one function of its operands."""

    def rule(emit: CallEmitter, node: Node) -> None:
        operands = [emit.read(value) for value in node.inputs]
        out = emit.write(node.outputs[0], node.inputs, by_rows=True)
        emit_ufunc(emit, function, *operands, out=out)

    return rule


def emit_ufunc(emit: CallEmitter, function: np.ufunc, *operands: View, out: View) -> None:
    """One function of all elements, the first axis of `out` split among the lanes."""
    if not out.rank:
        emit(function, *operands, out=out)
        return
    rows = out.shape[0]
    for start, stop in emit.parts(rows, out.size):
        parts = (
            x.rows(start, stop) if x.rank == out.rank and x.shape[0] == rows else x
            for x in operands
        )
        emit(function, *parts, out=out.rows(start, stop))


LEAST_ROW, MOST_ROW = 1 << 10, 1 << 16  # elements


def relu_rule(emit: CallEmitter, node: Node) -> None:
    # against a row of zeros: NumPy's maximum with a scalar takes twice as long
    x = emit.read(node.inputs[0])
    y = emit.write(node.outputs[0], node.inputs, by_rows=True)
    zeros = emit.scalar(0, x.dtype)
    for length in row_lengths(x.shape):
        rows = [view.reshape(view.size // length, length) for view in (x, y)]
        if None not in rows:
            (x, y), zeros = rows, emit.filled(0, (length,), x.dtype)
            break
    emit_ufunc(emit, np.maximum, x, zeros, out=y)


def row_lengths(shape: Shape) -> list[int]:
    """How many elements the last axes have together, where neither few nor very many."""
    lengths = list(accumulate(reversed(shape), mul))
    return [length for length in lengths if LEAST_ROW <= length <= MOST_ROW]


def sigmoid_rule(emit: CallEmitter, node: Node) -> None:
    x = emit.read(node.inputs[0])
    y, half = emit.write(node.outputs[0], over=node.inputs), emit.scalar(0.5, x.dtype)
    emit_ufunc(emit, np.multiply, x, half, out=y)
    emit_ufunc(emit, np.tanh, y, out=y)
    emit_ufunc(emit, np.multiply, y, half, out=y)
    emit_ufunc(emit, np.add, y, half, out=y)


def power_rule(emit: CallEmitter, node: Node) -> None:
    x, exponent = (emit.read(value) for value in node.inputs)
    if emit.known(exponent) != 2 or x.shape != node.outputs[0].shape:
        ufunc_rule(np.power)(emit, node)
        return
    y = emit.write(node.outputs[0], over=node.inputs, by_rows=True)
    emit_ufunc(emit, np.square, x, out=y)


def where_rule(emit: CallEmitter, node: Node) -> None:
    # on bits, with the condition as 0 or -1: copying under a mask is ten times slower
    condition, x, y = (emit.read(value) for value in node.inputs)
    mask = emit.scratch(condition.shape, np.int8)
    if is_zero(emit, y):
        out = emit.write(node.outputs[0], over=node.inputs[1:2])
        emit_ufunc(emit, np.negative, condition.bits(), out=mask)
        emit_ufunc(emit, np.bitwise_and, x.bits(), mask, out=out.bits())
    elif is_zero(emit, x):
        out = emit.write(node.outputs[0], over=node.inputs[2:])
        emit_ufunc(emit, np.subtract, condition.bits(), emit.scalar(1, np.int8), out=mask)
        emit_ufunc(emit, np.bitwise_and, y.bits(), mask, out=out.bits())
    else:
        out = emit.write(node.outputs[0])
        emit_ufunc(emit, np.negative, condition.bits(), out=mask)
        emit_ufunc(emit, np.bitwise_xor, x.bits(), y.bits(), out=out.bits())
        emit_ufunc(emit, np.bitwise_and, out.bits(), mask, out=out.bits())
        emit_ufunc(emit, np.bitwise_xor, out.bits(), y.bits(), out=out.bits())


def is_zero(emit: CallEmitter, view: View) -> bool:
    """Whether every bit is known to be 0."""
    number = emit.known(view)
    return number is not None and number == 0 and not np.signbit(number)


def cast_rule(emit: CallEmitter, node: Node) -> None:
    emit(copy, emit.read(node.inputs[0]), out=emit.write(node.outputs[0]))


def stop_grad_rule(emit: CallEmitter, node: Node) -> None:
    emit.place(node.outputs[0], emit.read(node.inputs[0]))


UFUNCS = {
    "tanh": np.tanh, "exp": np.exp, "log": np.log, "sqrt": np.sqrt, "abs": np.abs,
    "sign": np.sign, "negative": np.negative, "square": np.square, "reciprocal": np.reciprocal,
    "expm1": np.expm1, "log1p": np.log1p, "floor": np.floor, "ceil": np.ceil, "round": np.rint,
    "sin": np.sin, "cos": np.cos,
    "add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.divide,
    "maximum": np.maximum, "minimum": np.minimum,
    "equal": np.equal, "less": np.less, "less_equal": np.less_equal,
    "greater": np.greater, "greater_equal": np.greater_equal, "logical_not": np.logical_not,
    "logical_and": np.logical_and, "logical_or": np.logical_or, "logical_xor": np.logical_xor,
}
RULES = {
    **{name: ufunc_rule(function) for name, function in UFUNCS.items()},
    "relu": relu_rule, "sigmoid": sigmoid_rule, "power": power_rule, "where": where_rule,
    "cast": cast_rule, "stop_grad": stop_grad_rule,
}
