"""Running sums and products along an axis, and the product over axes. Gradients of products never
divide, so that zeros among the factors do no harm."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod as size_of

import numpy as np

from netdsl.ir.graph import Emitter, Value
from netdsl.ir.op import Absent, Attrs, Op, Rows, ShapeError, broadcast_origin
from netdsl.ir.tensor import TensorType
from netdsl.ops.reduction import (
    AxesAttrs,
    beside_rows,
    checked_axes,
    reduced_origin,
    reduced_rows,
    reduction_onnx,
    sum_shape,
)

NO_SECOND = Absent("second derivatives of products are not needed by any training program")
NO_ONNX = Absent("ONNX has no operator for it")


@dataclass(frozen=True, slots=True)
class RunningAttrs(Attrs):
    """`reverse` runs from the end."""

    axis: int
    reverse: bool = False


def running_shape(a: RunningAttrs, x: TensorType) -> TensorType:
    checked_axes((a.axis,), x)
    if x.dtype == "bool":
        raise ShapeError("bool tensors are not numbers", 0, suggestion="cast with `f32(…)`")
    return x


def running(accumulate):
    """The kernel of a running sum or product."""

    def kernel(a: RunningAttrs, x: np.ndarray) -> np.ndarray:
        ordered = np.flip(x, a.axis) if a.reverse else x
        y = accumulate(ordered, axis=a.axis, dtype=x.dtype)
        return np.flip(y, a.axis) if a.reverse else y

    return kernel


def cumsum_gradient(emit: Emitter, node, g: Value):
    a = node.attrs
    return (emit(cumsum, g, axis=a.axis, reverse=not a.reverse),)


def cumsum_onnx(emit, node):
    a = node.attrs
    axis = emit.constant(np.array(a.axis, np.int64))
    emit("CumSum", [*node.inputs, axis], node.outputs, reverse=int(a.reverse))


cumsum = Op(
    name="cumsum", inputs=("x",), attrs=RunningAttrs, shape=running_shape,
    kernel=running(np.cumsum), gradient=cumsum_gradient, onnx=cumsum_onnx,
    origin=broadcast_origin, rows=beside_rows,
    doc="The running sum along an axis: y[i] = x[0] + … + x[i].",
)

cumprod = Op(
    name="cumprod", inputs=("x",), attrs=RunningAttrs, shape=running_shape,
    kernel=running(np.cumprod),
    gradient=lambda emit, node, g: (
        emit.with_attrs(cumprod_factor_gradient, (g, node.inputs[0]), node.attrs),
    ),
    onnx=Absent("ONNX has no running product"), origin=broadcast_origin, rows=beside_rows,
    doc="The running product along an axis: y[i] = x[0] · … · x[i].",
)


def before(x: np.ndarray) -> np.ndarray:
    """The product of all elements before each one, along the first axis."""
    y = np.ones_like(x)
    np.cumprod(x[:-1], axis=0, dtype=x.dtype, out=y[1:])
    return y


def factor_kernel(a: RunningAttrs, g: np.ndarray, x: np.ndarray) -> np.ndarray:
    # Σ over j ≥ i of g[j] · Π over k ≤ j, k ≠ i of x[k] = s[i] · Π over k < i of x[k]
    # with s[i] = g[i] + x[i + 1] · s[i + 1]
    step = -1 if a.reverse else 1
    x = np.moveaxis(x, a.axis, 0)[::step]
    s = np.moveaxis(g, a.axis, 0)[::step].copy()
    for i in range(len(s) - 2, -1, -1):
        s[i] += x[i + 1] * s[i + 1]
    return np.moveaxis((s * before(x))[::step], 0, a.axis)


def factor_rows(a: RunningAttrs, inputs: tuple, axes: tuple) -> int | Rows:
    return beside_rows(a, inputs, axes) if axes[0] == axes[1] else Rows.MEET


cumprod_factor_gradient = Op(
    name="cumprod_factor_gradient", inputs=("g", "x"), attrs=RunningAttrs,
    shape=lambda a, g, x: running_shape(a, x), kernel=factor_kernel, gradient=NO_SECOND,
    onnx=NO_ONNX, rows=factor_rows, doc="The gradient of cumprod for its factors.",
)


# ------------------------------------------------------------------ the product over axes


def prod_gradient(emit: Emitter, node, g: Value):
    return (emit.with_attrs(prod_factor_gradient, (g, node.inputs[0]), node.attrs),)


prod = Op(
    name="prod", inputs=("x",), attrs=AxesAttrs, shape=sum_shape,
    kernel=lambda a, x: np.asarray(np.prod(x, axis=a.axes, keepdims=a.keep, dtype=x.dtype)),
    gradient=prod_gradient, onnx=reduction_onnx("ReduceProd"), origin=reduced_origin,
    rows=reduced_rows, doc="The product over axes.",
)


def others_kernel(a: AxesAttrs, g: np.ndarray, x: np.ndarray) -> np.ndarray:
    # g times the product of all other elements: of those before and those behind
    axes = tuple(axis % x.ndim for axis in a.axes)
    front = np.moveaxis(x, axes, range(len(axes)))
    flat = front.reshape(size_of(front.shape[: len(axes)]), *front.shape[len(axes) :])
    others = (before(flat) * before(flat[::-1])[::-1]).reshape(front.shape)
    wide = g if a.keep else np.expand_dims(g, axes)
    return np.moveaxis(others, range(len(axes)), axes) * wide


def others_rows(a: AxesAttrs, inputs: tuple, axes: tuple) -> int | Rows:
    g, x = axes
    alike = x is not None and reduced_rows(a, inputs[1:], (x,)) == g
    return x if alike else Rows.MEET


prod_factor_gradient = Op(
    name="prod_factor_gradient", inputs=("g", "x"), attrs=AxesAttrs,
    shape=lambda a, g, x: x, kernel=others_kernel, gradient=NO_SECOND, onnx=NO_ONNX,
    rows=others_rows, doc="The gradient of prod for its factors.",
)

OPS = (cumsum, cumprod, cumprod_factor_gradient, prod, prod_factor_gradient)
