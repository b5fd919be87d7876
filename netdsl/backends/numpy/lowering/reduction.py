"""Reductions: NumPy's, and einsum where the kept axes lie in the middle; softmax in place."""

from __future__ import annotations

from math import prod

import numpy as np

from netdsl.backends.numpy.emitter import CallEmitter
from netdsl.backends.numpy.lowering.reference import by_reference, unless_half
from netdsl.backends.numpy.view import View
from netdsl.ir.graph import Node


def sum_rule(emit: CallEmitter, node: Node) -> None:
    emit_sum(emit, emit.read(node.inputs[0]), node.attrs, emit.write(node.outputs[0]))


def mean_rule(emit: CallEmitter, node: Node) -> None:
    x, y = emit.read(node.inputs[0]), emit.write(node.outputs[0])
    emit_sum(emit, x, node.attrs, y)
    count = prod(x.shape[axis] for axis in reduced_axes(node.attrs.axes, x.rank))
    emit(np.divide, y, emit.scalar(count, y.dtype), out=y)


def reduced_axes(axes: tuple[int, ...], rank: int) -> tuple[int, ...]:
    return tuple(sorted({axis % rank for axis in axes}))


def emit_sum(emit: CallEmitter, x: View, attrs, y: View) -> None:
    axes = reduced_axes(attrs.axes, x.rank)
    sides = around_one_axis(x, axes)
    if sides is not None and y.is_dense:
        emit(np.einsum, "nci->c", sides, out=y.reshape(sides.shape[1]))
    else:
        emit(np.add.reduce, x, axes, out=y, keepdims=attrs.keep)


def around_one_axis(x: View, axes: tuple[int, ...]) -> View | None:
    """x as [n, c, i] when all but one axis are summed and some lie on both sides of it: a bias
    in a convolution. NumPy's own sum takes three times as long there."""
    kept = [i for i in range(x.rank) if i not in axes]
    if len(kept) != 1 or kept[0] in (0, x.rank - 1) or not x.size:
        return None
    c, = kept
    return x.reshape(prod(x.shape[:c]), x.shape[c], prod(x.shape[c + 1 :]))


def softmax_rule(emit: CallEmitter, node: Node) -> None:
    x, y, total = shifted_exponent(emit, node)
    emit(np.divide, y, total, out=y)


def log_softmax_rule(emit: CallEmitter, node: Node) -> None:
    # x - max - log Σ exp(x - max); the exponents lie in y until the sum is known
    x, y, total = shifted_exponent(emit, node, keep_operand=True)
    largest = emit.scratch(total.shape, total.dtype)
    emit(np.maximum.reduce, x, node.attrs.axis, out=largest, keepdims=True)
    emit(np.subtract, x, largest, out=y)
    emit(np.log, total, out=total)
    emit(np.subtract, y, total, out=y)


def shifted_exponent(
    emit: CallEmitter, node: Node, keep_operand: bool = False
) -> tuple[View, View, View]:
    """x, y = exp(x - max) and its sum along the axis."""
    x, axis = emit.read(node.inputs[0]), node.attrs.axis
    y = emit.write(node.outputs[0], over=() if keep_operand else node.inputs)
    shape = tuple(1 if i == axis % x.rank else n for i, n in enumerate(x.shape))
    total = emit.scratch(shape, x.dtype)
    emit(np.maximum.reduce, x, axis, out=total, keepdims=True)
    emit(np.subtract, x, total, out=y)
    emit(np.exp, y, out=y)
    emit(np.add.reduce, y, axis, out=total, keepdims=True)
    return x, y, total


def argmax_rule(emit: CallEmitter, node: Node) -> None:
    if node.outputs[0].type.numpy_dtype != np.intp:  # NumPy insists on it
        by_reference(emit, node)
        return
    y = emit.write(node.outputs[0])
    emit(np.argmax, emit.read(node.inputs[0]), node.attrs.axis, out=y)


RULES = {
    "sum": unless_half(sum_rule), "mean": unless_half(mean_rule),
    "softmax": unless_half(softmax_rule), "log_softmax": unless_half(log_softmax_rule),
    "argmax": argmax_rule,
}
