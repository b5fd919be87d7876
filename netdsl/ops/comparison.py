"""Comparisons of two tensors, and what joins their answers: bool tensors come out, through which no
gradient flows back. Rows of `elementwise` calculate with them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from netdsl.ir.op import Absent, Attrs, Op, ShapeError, broadcast, broadcast_origin, broadcast_rows
from netdsl.ir.tensor import TensorType


def compare_shape(a: Attrs, x: TensorType, y: TensorType) -> TensorType:
    if x.dtype != y.dtype:
        raise ShapeError(f"{x.dtype} and {y.dtype} do not compare", 0, 1)
    return TensorType("bool", broadcast(x.shape, y.shape))


def order_shape(a: Attrs, x: TensorType, y: TensorType) -> TensorType:
    if x.dtype == y.dtype == "bool":
        raise ShapeError("bool tensors have no order", 0, 1, suggestion="cast with `f32(…)`")
    return compare_shape(a, x, y)


def truth_shape(a: Attrs, x: TensorType, y: TensorType) -> TensorType:
    for i, side in enumerate((x, y)):
        if side.dtype != "bool":
            raise ShapeError(f"needs bool tensors, not {side.dtype}", i)
    return TensorType("bool", broadcast(x.shape, y.shape))


def comparison(
    name: str, forward: Callable, onnx: str, doc: str,
    shape: Callable[..., TensorType] = order_shape, word: bool = False,
) -> Op:
    """The bool tensor of forward(x, y)."""

    def kernel(a: Attrs, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return forward(x, y)

    return Op(
        name=name, inputs=("x", "y"), shape=shape, kernel=kernel,
        gradient=Absent("a comparison is a step: its slope is 0 wherever there is one"),
        onnx=lambda emit, node: emit(onnx, node.inputs, node.outputs), origin=broadcast_origin,
        rows=broadcast_rows, word=word, doc=doc,
    )


COMPARISONS = (
    comparison("equal", np.equal, "Equal", "x == y.", compare_shape),
    comparison("less", np.less, "Less", "x < y."),
    comparison("less_equal", np.less_equal, "LessOrEqual", "x <= y."),
    comparison("greater", np.greater, "Greater", "x > y."),
    comparison("greater_equal", np.greater_equal, "GreaterOrEqual", "x >= y."),
)
equal, less, less_equal, greater, greater_equal = COMPARISONS


def joint(name: str, forward: Callable, onnx: str, doc: str, word: bool = False) -> Op:
    """Two bool tensors by element."""
    return comparison(name, forward, onnx, doc, truth_shape, word)


LOGICAL = (
    joint("logical_and", np.logical_and, "And", "x and y."),
    joint("logical_or", np.logical_or, "Or", "x or y."),
    joint("logical_xor", np.logical_xor, "Xor", "Where one of x and y is true, not both.",
          word=True),
)
logical_and, logical_or, logical_xor = LOGICAL

OPS = (*COMPARISONS, *LOGICAL)
