"""Normalisation of each example by itself: layer norm (Ba et al. 2016), RMS norm (Zhang & Sennrich
2019), group norm (Wu & He 2018) and local response norm (Krizhevsky et al. 2012). Nothing runs
along, so training and inference are one.

With x̂ the normalised operand and f what flows into it, the gradient of all but the last is
dx = scale · (f - mean(f) - x̂ · mean(f · x̂)),  without mean(f) in RMS norm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netdsl.ir.dim import size
from netdsl.ir.graph import Emitter, Value
from netdsl.ir.op import (
    Absent,
    Attrs,
    Op,
    Origin,
    RankError,
    Rows,
    ShapeError,
    broadcast_origin,
    leading_rows,
)
from netdsl.ir.tensor import TensorType
from netdsl.ops.elementwise import Term, float_type
from netdsl.ops.layout import reshape
from netdsl.ops.reduction import mean as mean_op
from netdsl.ops.reduction import sum_


@dataclass(frozen=True, slots=True)
class RowNormAttrs(Attrs):
    eps: float = 1e-5


def last_axis_shape(
    a: RowNormAttrs, x: TensorType, weight: TensorType, bias: TensorType | None = None
) -> TensorType:
    """The type of the statistics: x with a last axis of size 1."""
    float_type(a, x)
    if not x.rank:
        raise ShapeError("a scalar has no axis to normalise", 0)
    for i, vector in ((1, weight), (2, bias)):
        if vector is not None and vector != x.with_shape(x.shape[-1]):
            raise ShapeError(f"the last axis of {x} needs [{x.shape[-1]}], not {vector}", 0, i)
    return x.with_shape(*x.shape[:-1], 1)


def last_axis_rows(a: RowNormAttrs, inputs: tuple, axes: tuple) -> int | Rows:
    x, *vectors = axes
    meet = x is None or x == inputs[0].rank - 1 or any(axis is not None for axis in vectors)
    return Rows.MEET if meet else x


def standardized(x: np.ndarray, axes, eps: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x̂, the mean and 1 / √(variance + eps) over the axes, which the last two keep as size 1."""
    mean = x.mean(axes, keepdims=True)
    centred = x - mean
    scale = 1 / np.sqrt(np.square(centred).mean(axes, keepdims=True) + eps)
    return centred * scale, mean, scale


def flow_through(normal: Term, scale: Term, flow: Term, centred: bool = True) -> Term:
    """The gradient of x for the flow into x̂, over the last axis."""
    emit, last = flow.emit, (normal.value.type.rank - 1,)

    def mean(term: Term) -> Term:
        return Term(emit, emit(mean_op, term.value, axes=last, keep=True))

    back = flow - normal * mean(flow * normal)
    return scale * (back - mean(flow) if centred else back)


def along(emit: Emitter, vector: Value, rank: int, axis: int) -> Term:
    """A vector shaped to broadcast along one axis of a tensor of this rank."""
    shape = (*(1,) * axis, *vector.shape, *(1,) * (rank - axis - 1))
    return Term(emit, vector if rank == 1 else emit(reshape, vector, shape=shape))


def total(flow: Term, axis: int) -> Value:
    """The flow into a vector that was broadcast along this axis: summed over the others."""
    axes = tuple(i for i in range(flow.value.type.rank) if i != axis)
    return flow.emit(sum_, flow.value, axes=axes) if axes else flow.value


# ------------------------------------------------------------------ layer norm


def layer_norm_shape(
    a: RowNormAttrs, x: TensorType, weight: TensorType, bias: TensorType | None
) -> tuple[TensorType, ...]:
    statistics = last_axis_shape(a, x, weight, bias)
    return x, statistics, statistics


def layer_norm_kernel(
    a: RowNormAttrs, x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None
) -> tuple[np.ndarray, ...]:
    normal, mean, scale = standardized(x, -1, a.eps)
    y = normal * weight if bias is None else normal * weight + bias
    return y.astype(x.dtype), mean.astype(x.dtype), scale.astype(x.dtype)


def layer_norm_gradient(emit: Emitter, node, g: Value | None, *unused):
    x, weight, bias = node.inputs
    if g is None:
        return None, None, None
    _, mean, scale = (Term(emit, value) for value in node.outputs)
    rank = x.type.rank
    normal, flow = (Term(emit, x) - mean) * scale, Term(emit, g)
    return (
        flow_through(normal, scale, flow * along(emit, weight, rank, rank - 1)).value,
        total(flow * normal, rank - 1),
        None if bias is None else total(flow, rank - 1),
    )


layer_norm = Op(
    name="layer_norm", inputs=("x", "weight", "bias?"), outputs=("y", "mean", "scale"),
    attrs=RowNormAttrs, shape=layer_norm_shape, kernel=layer_norm_kernel,
    gradient=layer_norm_gradient,
    onnx=lambda emit, node: emit(
        "LayerNormalization", node.inputs, node.outputs, axis=-1, epsilon=node.attrs.eps
    ),
    origin=broadcast_origin, rows=last_axis_rows,
    doc="The last axis to mean 0 and variance 1, then weight · x + bias. Also gives the mean and "
        "1 / √(variance + eps).",
)


# ------------------------------------------------------------------ RMS norm


def rms_norm_shape(
    a: RowNormAttrs, x: TensorType, weight: TensorType
) -> tuple[TensorType, TensorType]:
    return x, last_axis_shape(a, x, weight)


def rms_norm_kernel(
    a: RowNormAttrs, x: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    scale = 1 / np.sqrt(np.square(x).mean(-1, keepdims=True) + a.eps)
    return (x * scale * weight).astype(x.dtype), scale.astype(x.dtype)


def rms_norm_gradient(emit: Emitter, node, g: Value | None, *unused):
    x, weight = node.inputs
    if g is None:
        return None, None
    scale, rank, flow = Term(emit, node.outputs[1]), x.type.rank, Term(emit, g)
    normal = Term(emit, x) * scale
    wide = flow * along(emit, weight, rank, rank - 1)
    return flow_through(normal, scale, wide, centred=False).value, total(flow * normal, rank - 1)


def rms_norm_onnx(emit, node):
    # not RMSNormalization, which is no older than opset 23
    (x, weight), (y, scale) = node.inputs, node.outputs
    last, narrow = emit.constant(np.array([-1], np.int64)), scale.type
    eps = emit.constant(np.array(node.attrs.eps, x.type.numpy_dtype))
    square = emit.intermediate("Mul", [x, x], x.type)
    mean = emit.intermediate("ReduceMean", [square, last], narrow, keepdims=1)
    root = emit.intermediate("Sqrt", [emit.intermediate("Add", [mean, eps], narrow)], narrow)
    emit("Reciprocal", [root], [scale])
    emit("Mul", [emit.intermediate("Mul", [x, scale], x.type), weight], [y])


rms_norm = Op(
    name="rms_norm", inputs=("x", "weight"), outputs=("y", "scale"), attrs=RowNormAttrs,
    shape=rms_norm_shape, kernel=rms_norm_kernel, gradient=rms_norm_gradient, onnx=rms_norm_onnx,
    origin=broadcast_origin, rows=last_axis_rows,
    doc="x / √(mean(x²) + eps) over the last axis, times weight. Also gives the factor.",
)


# ------------------------------------------------------------------ group norm


@dataclass(frozen=True, slots=True)
class GroupNormAttrs(Attrs):
    groups: int
    eps: float = 1e-5


def group_norm_shape(
    a: GroupNormAttrs, x: TensorType, weight: TensorType, bias: TensorType
) -> tuple[TensorType, ...]:
    float_type(a, x)
    if x.rank < 2:
        raise RankError(f"needs [N, C, …], not rank {x.rank}", 0)
    batch, channels = x.shape[:2]
    if not isinstance(channels, int) or channels % a.groups:
        raise ShapeError(f"{a.groups} groups do not divide {channels} channels", 0)
    for i, vector in enumerate((weight, bias), 1):
        if vector != x.with_shape(channels):
            raise ShapeError(f"{channels} channels need [{channels}], not {vector}", 0, i)
    statistics = x.with_shape(batch, a.groups, 1)
    return x, statistics, statistics


def group_norm_kernel(
    a: GroupNormAttrs, x: np.ndarray, weight: np.ndarray, bias: np.ndarray
) -> tuple[np.ndarray, ...]:
    rows = x.reshape(len(x), a.groups, -1 if x.size else 0)
    normal, mean, scale = standardized(rows, -1, a.eps)
    column = (-1, *(1,) * (x.ndim - 2))
    y = normal.reshape(x.shape) * weight.reshape(column) + bias.reshape(column)
    return y.astype(x.dtype), mean.astype(x.dtype), scale.astype(x.dtype)


def group_norm_gradient(emit: Emitter, node, g: Value | None, *unused):
    x, weight, _ = node.inputs
    _, mean, scale = node.outputs
    if g is None:
        return None, None, None
    return tuple(emit(group_norm_input_gradient, g, x, weight, mean, scale,
                      groups=node.attrs.groups, eps=node.attrs.eps))


def group_norm_onnx(emit, node):
    # not GroupNormalization, whose weights changed their meaning in opset 21: rows to mean 0 and
    # variance 1, then weight and bias as columns
    (x, weight, bias), (y, mean, scale), a = node.inputs, node.outputs, node.attrs
    dtype, last = x.type.numpy_dtype, emit.constant(np.array([-1], np.int64))
    flat = (x.shape[0], a.groups, size(x.shape[1:]) // a.groups)
    to_rows = emit.shape(flat, like=x.shape)
    rows = emit.intermediate("Reshape", [x, to_rows], x.type.with_shape(*flat))
    emit("ReduceMean", [rows, last], [mean], keepdims=1)
    centred = emit.intermediate("Sub", [rows, mean], x.type.with_shape(*flat))
    square = emit.intermediate("Mul", [centred, centred], x.type.with_shape(*flat))
    variance = emit.intermediate("ReduceMean", [square, last], mean.type, keepdims=1)
    eps = emit.constant(np.array(a.eps, dtype))
    root = emit.intermediate(
        "Sqrt", [emit.intermediate("Add", [variance, eps], mean.type)], mean.type
    )
    emit("Reciprocal", [root], [scale])
    normal = emit.intermediate("Mul", [centred, scale], x.type.with_shape(*flat))
    back = emit.intermediate("Reshape", [normal, emit.shape(x.shape, like=flat)], x.type)
    column = emit.constant(np.array([-1, *(1,) * (x.type.rank - 2)], np.int64))
    tall = x.type.with_shape(x.shape[1], *(1,) * (x.type.rank - 2))
    columns = [emit.intermediate("Reshape", [v, column], tall) for v in (weight, bias)]
    scaled = emit.intermediate("Mul", [back, columns[0]], x.type)
    emit("Add", [scaled, columns[1]], [y])


def group_norm_origin(
    a: GroupNormAttrs, inputs: tuple, output: Value, axis: int
) -> Origin | None:
    return None if output.index else Origin(0, axis, name="channels" if axis == 1 else "")


group_norm = Op(
    name="group_norm", inputs=("x", "weight", "bias"), outputs=("y", "mean", "scale"),
    attrs=GroupNormAttrs, shape=group_norm_shape, kernel=group_norm_kernel,
    gradient=group_norm_gradient, onnx=group_norm_onnx, origin=group_norm_origin,
    rows=leading_rows(0),
    doc="Each group of channels to mean 0 and variance 1 over its channels and places, then "
        "weight · x + bias for each channel. Also gives the mean and 1 / √(variance + eps).",
)

def group_norm_input_gradient_shape(
    a: GroupNormAttrs, g: TensorType, x: TensorType, weight: TensorType, mean: TensorType,
    scale: TensorType,
) -> tuple[TensorType, ...]:
    y, statistics, _ = group_norm_shape(a, x, weight, weight)
    for i, (type, expected) in enumerate(((g, y), (mean, statistics), (scale, statistics))):
        if type != expected:
            raise ShapeError(f"{expected} is needed, not {type}", (0, 3, 4)[i])
    return x, weight, weight


def group_norm_input_gradient_kernel(
    a: GroupNormAttrs, g: np.ndarray, x: np.ndarray, weight: np.ndarray, mean: np.ndarray,
    scale: np.ndarray,
) -> tuple[np.ndarray, ...]:
    rows = (len(x), a.groups, -1 if x.size else 0)
    normal = ((x.reshape(rows) - mean) * scale).reshape(x.shape)
    others = (0, *range(2, x.ndim))
    flow = (g * weight.reshape(-1, *(1,) * (x.ndim - 2))).reshape(rows)
    flat = normal.reshape(rows)
    back = flow - flow.mean(-1, keepdims=True) - flat * (flow * flat).mean(-1, keepdims=True)
    return (back * scale).reshape(x.shape), (g * normal).sum(others), g.sum(others)


group_norm_input_gradient = Op(
    name="group_norm_input_gradient", inputs=("g", "x", "weight", "mean", "scale"),
    outputs=("x_gradient", "weight_gradient", "bias_gradient"), attrs=GroupNormAttrs,
    shape=group_norm_input_gradient_shape, kernel=group_norm_input_gradient_kernel,
    gradient=Absent("second derivatives of group norm are not needed by any training program"),
    onnx=Absent("ONNX has no operator for it"),
    doc="The gradients of group_norm for x, weight and bias.",
)


# ------------------------------------------------------------------ local response


@dataclass(frozen=True, slots=True)
class ResponseNormAttrs(Attrs):
    """y = x / scaleᵝ, scale = k + α / size · Σ x² over `size` neighbouring channels."""

    size: int
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0


def response_norm_shape(a: ResponseNormAttrs, x: TensorType) -> TensorType:
    float_type(a, x)
    if x.rank < 3:
        raise RankError(f"needs [N, C, …] with spatial axes, not rank {x.rank}", 0)
    return x


def over_channels(x: np.ndarray, size: int, before: int) -> np.ndarray:
    """Sums over `size` channels, of which so many come before the one in the middle."""
    channels, widths = x.shape[1], [(0, 0)] * x.ndim
    widths[1] = (before, size - 1 - before)
    wide, total = np.pad(x, widths), np.zeros_like(x)
    for i in range(size):
        total += wide[:, i : i + channels]
    return total


def response_scale(a: ResponseNormAttrs, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """k + α / size · Σ x², and what it makes of 1: its power -β."""
    sums = over_channels(np.square(x), a.size, a.size // 2)
    scale = (a.k + a.alpha / a.size * sums).astype(x.dtype)
    return scale, scale ** x.dtype.type(-a.beta)


def response_norm_onnx(emit, node):
    a, (x,), (y,) = node.attrs, node.inputs, node.outputs
    type, flat = x.type, (x.shape[0], x.shape[1], size(x.shape[2:]))

    def shaped(value, shape: tuple, like: tuple) -> str:
        return emit.intermediate("Reshape", [value, emit.shape(shape, like=like)],
                                 type.with_shape(*shape))

    if a.size % 2:  # LRN takes images alone
        attributes = {"size": a.size, "alpha": a.alpha, "beta": a.beta, "bias": a.k}
        if type.rank == 4:
            return emit("LRN", [x], [y], **attributes)
        wide = (*flat, 1)
        normal = emit.intermediate("LRN", [shaped(x, wide, x.shape)], type.with_shape(*wide),
                                   **attributes)
        return emit("Reshape", [normal, emit.shape(x.shape, like=wide)], [y])
    # and an odd size: channel means by a pool over [N, 1, C, places]
    wide = (flat[0], 1, *flat[1:])
    square = emit.intermediate("Mul", [x, x], type)
    means = emit.intermediate(
        "AveragePool", [shaped(square, wide, x.shape)], type.with_shape(*wide),
        kernel_shape=[a.size, 1], pads=[a.size // 2, 0, (a.size - 1) // 2, 0], count_include_pad=1,
    )
    alpha, beta, k = (emit.constant(np.array(n, type.numpy_dtype)) for n in (a.alpha, a.beta, a.k))
    part = emit.intermediate("Mul", [shaped(means, x.shape, wide), alpha], type)
    scale = emit.intermediate("Add", [part, k], type)
    emit("Div", [x, emit.intermediate("Pow", [scale, beta], type)], [y])


local_response_norm = Op(
    name="local_response_norm", inputs=("x",), attrs=ResponseNormAttrs,
    shape=response_norm_shape, kernel=lambda a, x: x * response_scale(a, x)[1],
    gradient=lambda emit, node, g: (
        emit.with_attrs(response_norm_input_gradient, (g, *node.inputs), node.attrs),
    ),
    onnx=response_norm_onnx, origin=broadcast_origin, rows=leading_rows(0),
    doc="x / (k + alpha / size · Σ x²)ᵝ, the sum over `size` neighbouring channels.",
)


def response_norm_input_gradient_shape(
    a: ResponseNormAttrs, g: TensorType, x: TensorType
) -> TensorType:
    if g != x:
        raise ShapeError(f"the gradient should be {x}, not {g}", 0)
    return x


def response_norm_input_gradient_kernel(
    a: ResponseNormAttrs, g: np.ndarray, x: np.ndarray
) -> np.ndarray:
    # channel j counts in the sum of i where i counts in that of j with the window turned round
    scale, power = response_scale(a, x)
    sums = over_channels(g * x * power / scale, a.size, (a.size - 1) // 2)
    return g * power - x.dtype.type(2 * a.alpha * a.beta / a.size) * x * sums


response_norm_input_gradient = Op(
    name="local_response_norm_input_gradient", inputs=("g", "x"), attrs=ResponseNormAttrs,
    shape=response_norm_input_gradient_shape, kernel=response_norm_input_gradient_kernel,
    gradient=Absent("second derivatives of this norm are not needed by any training program"),
    onnx=Absent("ONNX has no operator for it"),
    doc="The gradient of local_response_norm.",
)

OPS = (
    layer_norm, rms_norm, group_norm, group_norm_input_gradient, local_response_norm,
    response_norm_input_gradient,
)
