"""Pooling over windows: the largest element, the average, the p-norm. Layout [N, C, spatial…]."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netdsl.ir.assumptions import within
from netdsl.ir.dim import Dim, ceil_div
from netdsl.ir.graph import Emitter, Value
from netdsl.ir.op import Absent, Attrs, Op, Origin, ShapeError, leading_rows
from netdsl.ir.tensor import TensorType
from netdsl.ops.elementwise import float_type
from netdsl.ops.window import (
    Pads,
    Sizes,
    cropped,
    overhang,
    padded,
    taps,
    window_counts,
    window_origin,
)


@dataclass(frozen=True, slots=True)
class PoolAttrs(Attrs):
    """One entry for each spatial axis. `ceil` lets a last window reach beyond the padding."""

    kernel: Sizes
    stride: Sizes
    pads: Pads
    dilation: Sizes
    ceil: bool = False


def pool_shape(a: PoolAttrs, x: TensorType) -> TensorType:
    float_type(a, x)
    if x.rank != len(a.kernel) + 2:
        raise ShapeError(
            f"pooling over {len(a.kernel)} axes needs rank {len(a.kernel) + 2}, not {x.rank}", 0
        )
    for pads, k, gap in zip(a.pads, a.kernel, a.dilation):
        most = min(k - 1, (gap * (k - 1) + 1) // 2)
        if max(pads) > most:
            raise ShapeError(
                f"padding {max(pads)} is more than half of the window of {k}" if gap == 1 else
                f"padding {max(pads)} is too much for a window of {k} with dilation {gap}", 0,
                suggestion=f"at most `pad = {most}`",
            )
    counts = window_counts(x.shape[2:], a.kernel, a.stride, a.pads, a.dilation, a.ceil)
    for axis, (n, count) in enumerate(zip(x.shape[2:], counts)):
        if a.dilation[axis] > 1 and any(a.pads[axis]) and not meets_input(a, axis, n, count):
            raise ShapeError(
                f"a window with dilation {a.dilation[axis]} steps over all of the {n} elements: "
                "it holds padding alone", 0, axes=((0, axis + 2),),
            )
    return TensorType(x.dtype, (*x.shape[:2], *counts))


def meets_input(a: PoolAttrs, axis: int, n: Dim, count: Dim) -> bool:
    """Whether each of the `count` windows has one of the n elements; where n is free, it is assumed
    to be no less than the dilation, which is enough."""
    gap, k, (before, _) = a.dilation[axis], a.kernel[axis], a.pads[axis]
    if not isinstance(n, int) or n >= gap:
        return within(gap, n)
    starts = range(-before, count * a.stride[axis] - before, a.stride[axis])
    return all(any(0 <= start + j * gap < n for j in range(k)) for start in starts)


def pool_geometry(a: PoolAttrs, sizes: Sizes) -> tuple[Sizes, Sizes]:
    """How many windows, and how far the last one hangs over the padded input."""
    counts = window_counts(sizes, a.kernel, a.stride, a.pads, a.dilation, a.ceil)
    return counts, overhang(sizes, counts, a.kernel, a.stride, a.pads, a.dilation)


def pool_origin(a: PoolAttrs, inputs: tuple, y: Value, axis: int) -> Origin:
    if axis < 2:
        return Origin(0, axis, name=("batch", "channels")[axis])
    return window_origin(a, a.kernel, inputs[0], y, axis)


def pool_taps(a: PoolAttrs, counts: Sizes):
    return taps(counts, a.kernel, a.stride, a.dilation)


def pool_onnx(emit, node, op_type: str, **attributes) -> None:
    a, sizes, counts = node.attrs, node.inputs[0].shape[2:], node.outputs[0].shape[2:]
    floor = window_counts(sizes, a.kernel, a.stride, a.pads, a.dilation)
    ceil = tuple(
        ceil_div(dim + sum(pads) - step * (k - 1) - 1, stride) + 1
        for dim, pads, step, k, stride in zip(sizes, a.pads, a.dilation, a.kernel, a.stride)
    )
    if counts not in (floor, ceil):
        emit.since(22)  # before, ONNX let a last window start in the padding behind the input
    emit(
        op_type, node.inputs, node.outputs, kernel_shape=list(a.kernel), strides=list(a.stride),
        pads=[before for before, _ in a.pads] + [after for _, after in a.pads],
        ceil_mode=int(counts != floor), **attributes,
    )


# ------------------------------------------------------------------ maximum


def max_pool_kernel(a: PoolAttrs, x: np.ndarray) -> np.ndarray:
    counts, extra = pool_geometry(a, x.shape[2:])
    wide = padded(x, a.pads, -np.inf, extra)
    y = np.full((*x.shape[:2], *counts), -np.inf, x.dtype)
    for _, where in pool_taps(a, counts):
        np.maximum(y, wide[(..., *where)], out=y)
    return y


def max_pool_gradient(emit: Emitter, node, g: Value):
    a = node.attrs
    return (
        emit(max_pool_input_gradient, g, *node.inputs, *node.outputs, kernel=a.kernel,
             stride=a.stride, pads=a.pads, dilation=a.dilation, ceil=a.ceil),
    )


max_pool = Op(
    name="max_pool", inputs=("x",), attrs=PoolAttrs,
    shape=pool_shape, kernel=max_pool_kernel, gradient=max_pool_gradient,
    onnx=lambda emit, node: pool_onnx(
        emit, node, "MaxPool", dilations=list(node.attrs.dilation)
    ),
    origin=pool_origin, rows=leading_rows(0),
    doc="The largest element of each window; padding never wins.",
)


def max_pool_input_gradient_shape(
    a: PoolAttrs, g: TensorType, x: TensorType, y: TensorType
) -> TensorType:
    if g.shape != y.shape or pool_shape(a, x).shape != y.shape:
        raise ShapeError(f"the gradient should be {pool_shape(a, x)}, not {g}", 0)
    return x


def max_pool_input_gradient_kernel(
    a: PoolAttrs, g: np.ndarray, x: np.ndarray, y: np.ndarray
) -> np.ndarray:
    counts, extra = pool_geometry(a, x.shape[2:])
    wide = padded(x, a.pads, -np.inf, extra)
    back = np.zeros(wide.shape, g.dtype)
    open_ = np.ones(y.shape, bool)  # windows whose largest element has not been met yet
    for _, where in pool_taps(a, counts):
        first = open_ & (wide[(..., *where)] == y)
        back[(..., *where)] += g * first
        open_ &= ~first
    return cropped(back, a.pads, x.shape[2:])


max_pool_input_gradient = Op(
    name="max_pool_input_gradient", inputs=("g", "x", "y"), attrs=PoolAttrs,
    shape=max_pool_input_gradient_shape, kernel=max_pool_input_gradient_kernel,
    gradient=Absent("second derivatives of max pooling are not needed by any training program"),
    onnx=Absent("ONNX has no operator for it"),
    doc="Each window's gradient goes to its largest element; of equals, to the first.",
)


# ------------------------------------------------------------------ average


@dataclass(frozen=True, slots=True)
class AveragePoolAttrs(PoolAttrs):
    """`count_pad`: padding counts as elements of value 0."""

    count_pad: bool = True


def window_sizes(a: AveragePoolAttrs, sizes: Sizes, counts: Sizes, extra: Sizes) -> np.ndarray:
    """How many elements each window averages: over the padding or not, never over the overhang."""
    ones = np.ones((1, 1, *sizes))
    inner = padded(padded(ones, a.pads, float(a.count_pad)), ((0, 0),) * len(sizes), 0, extra)
    total = np.zeros((1, 1, *counts))
    for _, where in pool_taps(a, counts):
        total += inner[(..., *where)]
    return total


def average_pool_kernel(a: AveragePoolAttrs, x: np.ndarray) -> np.ndarray:
    counts, extra = pool_geometry(a, x.shape[2:])
    wide = padded(x, a.pads, 0, extra)
    y = np.zeros((*x.shape[:2], *counts), x.dtype)
    for _, where in pool_taps(a, counts):
        y += wide[(..., *where)]
    y /= window_sizes(a, x.shape[2:], counts, extra)
    return y


def average_pool_gradient(emit: Emitter, node, g: Value):
    a = node.attrs
    return (
        emit(average_pool_input_gradient, g, shape=node.inputs[0].shape, kernel=a.kernel,
             stride=a.stride, pads=a.pads, dilation=a.dilation, ceil=a.ceil,
             count_pad=a.count_pad),
    )


def average_pool_onnx(emit, node):
    a = node.attrs
    dilations = list(a.dilation) if any(step != 1 for step in a.dilation) else []
    if dilations:
        emit.since(19)
    pool_onnx(emit, node, "AveragePool", count_include_pad=int(a.count_pad), dilations=dilations)


average_pool = Op(
    name="average_pool", inputs=("x",), attrs=AveragePoolAttrs,
    shape=pool_shape, kernel=average_pool_kernel, gradient=average_pool_gradient,
    onnx=average_pool_onnx, origin=pool_origin, rows=leading_rows(0),
    doc="The average of each window.",
)


@dataclass(frozen=True, slots=True)
class AveragePoolGradientAttrs(AveragePoolAttrs):
    """`shape` is that of the tensor whose gradient this is."""

    shape: tuple = ()


def average_pool_input_gradient_shape(a: AveragePoolGradientAttrs, g: TensorType) -> TensorType:
    x = TensorType(g.dtype, a.shape)
    if pool_shape(a, x).shape != g.shape:
        raise ShapeError(f"the gradient should be {pool_shape(a, x)}, not {g}", 0)
    return x


def average_pool_input_gradient_kernel(a: AveragePoolGradientAttrs, g: np.ndarray) -> np.ndarray:
    sizes = a.shape[2:]
    counts, extra = pool_geometry(a, sizes)
    share = (g / window_sizes(a, sizes, counts, extra)).astype(g.dtype)
    wide = (n + sum(p) + e for n, p, e in zip(sizes, a.pads, extra))
    back = np.zeros((*g.shape[:2], *wide), g.dtype)
    for _, where in pool_taps(a, counts):
        back[(..., *where)] += share
    return cropped(back, a.pads, sizes)


def average_pool_input_gradient_gradient(emit: Emitter, node, h: Value):
    a = node.attrs
    return (
        emit(average_pool, h, kernel=a.kernel, stride=a.stride, pads=a.pads,
             dilation=a.dilation, ceil=a.ceil, count_pad=a.count_pad),
    )


average_pool_input_gradient = Op(
    name="average_pool_input_gradient", inputs=("g",), attrs=AveragePoolGradientAttrs,
    shape=average_pool_input_gradient_shape, kernel=average_pool_input_gradient_kernel,
    gradient=average_pool_input_gradient_gradient,
    onnx=Absent("ONNX has no operator for it"),
    doc="Each window's gradient shared out evenly over its elements.",
)

# ------------------------------------------------------------------ p-norm


@dataclass(frozen=True, slots=True)
class LpPoolAttrs(PoolAttrs):
    """The norm: (Σ |x|ᵖ)^(1/p)."""

    p: int = 2


def lp_pool_kernel(a: LpPoolAttrs, x: np.ndarray) -> np.ndarray:
    counts, extra = pool_geometry(a, x.shape[2:])
    wide = padded(np.abs(x) ** a.p, a.pads, 0, extra)
    total = np.zeros((*x.shape[:2], *counts), x.dtype)
    for _, where in pool_taps(a, counts):
        total += wide[(..., *where)]
    return np.sqrt(total) if a.p == 2 else total ** x.dtype.type(1 / a.p)


def lp_pool_gradient(emit: Emitter, node, g: Value):
    a = node.attrs
    return (
        emit(lp_pool_input_gradient, g, *node.inputs, *node.outputs, kernel=a.kernel,
             stride=a.stride, pads=a.pads, dilation=a.dilation, ceil=a.ceil, p=a.p),
    )


lp_pool = Op(
    name="lp_pool", inputs=("x",), attrs=LpPoolAttrs,
    shape=pool_shape, kernel=lp_pool_kernel, gradient=lp_pool_gradient,
    onnx=lambda emit, node: pool_onnx(
        emit, node, "LpPool", dilations=list(node.attrs.dilation), p=node.attrs.p
    ),
    origin=pool_origin, rows=leading_rows(0),
    doc="The p-norm of each window; padding counts as 0.",
)


def lp_pool_input_gradient_kernel(
    a: LpPoolAttrs, g: np.ndarray, x: np.ndarray, y: np.ndarray
) -> np.ndarray:
    # dy/dx = sign(x) · (|x| / y)^(p - 1), and 0 where the whole window is
    counts, extra = pool_geometry(a, x.shape[2:])
    share = np.divide(g, y ** (a.p - 1), out=np.zeros_like(g), where=y > 0)
    wide = (n + sum(p) + e for n, p, e in zip(x.shape[2:], a.pads, extra))
    back = np.zeros((*x.shape[:2], *wide), g.dtype)
    for _, where in pool_taps(a, counts):
        back[(..., *where)] += share
    return cropped(back, a.pads, x.shape[2:]) * np.sign(x) * np.abs(x) ** (a.p - 1)


lp_pool_input_gradient = Op(
    name="lp_pool_input_gradient", inputs=("g", "x", "y"), attrs=LpPoolAttrs,
    shape=max_pool_input_gradient_shape, kernel=lp_pool_input_gradient_kernel,
    gradient=Absent("second derivatives of p-norms are not needed by any training program"),
    onnx=Absent("ONNX has no operator for it"),
    doc="Each window's gradient shared out by the elements' part in its norm.",
)

OPS = (
    max_pool, max_pool_input_gradient, average_pool, average_pool_input_gradient,
    lp_pool, lp_pool_input_gradient,
)
