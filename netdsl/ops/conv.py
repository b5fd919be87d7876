"""Convolution in 1, 2 or 3 dimensions, as cross-correlation (the kernel is not flipped), and its
two gradients, which are operations of their own: all three are linear in both operands, and each
one's gradients are the other two."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netdsl.ir.assumptions import agree
from netdsl.ir.graph import Emitter, Value
from netdsl.ir.op import Absent, Attrs, Cost, Op, Origin, ShapeError, leading_rows
from netdsl.ir.tensor import TensorType
from netdsl.ops.elementwise import float_type
from netdsl.ops.matmul import product
from netdsl.ops.reduction import sum_
from netdsl.ops.window import (
    SPATIAL,
    Pads,
    Sizes,
    cropped,
    padded,
    taps,
    window_counts,
    window_origin,
)


@dataclass(frozen=True, slots=True)
class ConvAttrs(Attrs):
    """One entry for each spatial axis; `pads` before and after."""

    stride: Sizes
    pads: Pads
    dilation: Sizes
    groups: int = 1


def conv_shape(
    a: ConvAttrs, x: TensorType, weight: TensorType, bias: TensorType | None
) -> TensorType:
    float_type(a, x)
    spatial = weight.rank - 2
    if x.rank != weight.rank or not len(a.stride) == len(a.pads) == len(a.dilation) == spatial:
        raise ShapeError(f"{spatial} spatial axes need [N, C, …] of rank {weight.rank}", 0)
    channels, filters = x.shape[1], weight.shape[0]
    if filters % a.groups or not agree(channels % a.groups, 0):
        raise ShapeError(f"{a.groups} groups do not divide {channels} and {filters} channels", 0,
                         axes=((0, 1),))
    if not agree(channels, weight.shape[1] * a.groups):
        raise ShapeError(f"{weight.shape[1] * a.groups} channels expected, not {channels}", 0,
                         axes=((0, 1),))
    if bias is not None and bias.shape != (filters,):
        raise ShapeError(f"the bias should have {filters} elements", 2)
    counts = window_counts(x.shape[2:], weight.shape[2:], a.stride, a.pads, a.dilation)
    return TensorType(x.dtype, (x.shape[0], filters, *counts))


def grouped(x: np.ndarray, groups: int, axis: int) -> np.ndarray:
    """The axis split in [groups, rest]."""
    shape = x.shape
    return x.reshape(*shape[:axis], groups, shape[axis] // groups, *shape[axis + 1 :])


def conv_kernel(
    a: ConvAttrs, x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None
) -> np.ndarray:
    counts = window_counts(x.shape[2:], weight.shape[2:], a.stride, a.pads, a.dilation)
    xs = grouped(padded(x, a.pads), a.groups, 1)  # [N, g, C/g, …]
    ws = grouped(weight, a.groups, 0)  # [g, F/g, C/g, …]
    y = np.zeros((x.shape[0], a.groups, ws.shape[1], *counts), x.dtype)
    for tap, where in taps(counts, weight.shape[2:], a.stride, a.dilation):
        y += np.einsum("gfc,ngc...->ngf...", ws[(..., *tap)], xs[(..., *where)])
    y = y.reshape(x.shape[0], weight.shape[0], *counts)
    return y if bias is None else y + bias.reshape(-1, *(1,) * len(counts))


def conv_gradient(emit: Emitter, node, g: Value):
    x, weight, bias = node.inputs
    same = {"stride": node.attrs.stride, "pads": node.attrs.pads,
            "dilation": node.attrs.dilation, "groups": node.attrs.groups}
    return (
        emit(conv_input_gradient, g, weight, shape=x.shape, **same),
        emit(conv_weight_gradient, g, x, shape=weight.shape, **same),
        None if bias is None else emit(sum_, g, axes=(0, *range(2, x.type.rank))),
    )


def window_onnx(a: ConvAttrs) -> dict:
    """The attributes that ONNX's convolutions and pools share; `pads` all before, all after."""
    return {
        "strides": list(a.stride), "dilations": list(a.dilation),
        "pads": [before for before, _ in a.pads] + [after for _, after in a.pads],
    }


def conv_onnx(emit, node):
    kernel = list(node.inputs[1].shape[2:])
    emit("Conv", node.inputs, node.outputs, kernel_shape=kernel, group=node.attrs.groups,
         **window_onnx(node.attrs))


def conv_cost(a: ConvAttrs, inputs: tuple, outputs: tuple) -> Cost:
    return product(*outputs[0].shape, *inputs[1].shape[1:])


def conv_origin(a: ConvAttrs, inputs: tuple, y: Value, axis: int) -> Origin:
    if axis == 0:
        return Origin(0, 0, name="batch")
    if axis == 1:
        return Origin(1, 0, name="channels")
    return window_origin(a, inputs[1].shape[2:], inputs[0], y, axis)


conv = Op(
    name="conv", inputs=("x", "weight", "bias?"), attrs=ConvAttrs,
    shape=conv_shape, kernel=conv_kernel, gradient=conv_gradient, onnx=conv_onnx,
    cost=conv_cost, origin=conv_origin, rows=leading_rows(0),
    doc="Cross-correlation of x [N, C, …] with weight [F, C / groups, …].",
)


# ------------------------------------------------------------------ gradient for the input


@dataclass(frozen=True, slots=True)
class ConvGradientAttrs(ConvAttrs):
    """`shape` is that of the tensor whose gradient this is."""

    shape: tuple = ()


def forward_attrs(a: ConvGradientAttrs) -> dict:
    return {"stride": a.stride, "pads": a.pads, "dilation": a.dilation, "groups": a.groups}


def input_gradient_shape(a: ConvGradientAttrs, g: TensorType, weight: TensorType) -> TensorType:
    x = TensorType(g.dtype, a.shape)
    expected = conv_shape(ConvAttrs(**forward_attrs(a)), x, weight, None)
    if expected.shape != g.shape:
        raise ShapeError(f"the gradient should be {expected}, not {g}", 0)
    return x


def input_gradient_kernel(
    a: ConvGradientAttrs, g: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    sizes, counts = a.shape[2:], g.shape[2:]
    gs, ws = grouped(g, a.groups, 1), grouped(weight, a.groups, 0)
    wide = tuple(n + before + after for n, (before, after) in zip(sizes, a.pads))
    x = np.zeros((g.shape[0], a.groups, ws.shape[2], *wide), g.dtype)
    for tap, where in taps(counts, weight.shape[2:], a.stride, a.dilation):
        x[(..., *where)] += np.einsum("gfc,ngf...->ngc...", ws[(..., *tap)], gs)
    return cropped(x.reshape(g.shape[0], a.shape[1], *wide), a.pads, sizes)


def input_gradient_gradient(emit: Emitter, node, h: Value):
    g, weight = node.inputs
    same = forward_attrs(node.attrs)
    return (
        emit(conv, h, weight, None, **same),
        emit(conv_weight_gradient, g, h, shape=weight.shape, **same),
    )


def input_gradient_onnx(emit, node):
    a, (g, weight) = node.attrs, node.inputs
    kernel = weight.shape[2:]
    extra = [  # rows that no window of the forward pass reached
        n + sum(pads) - ((count - 1) * stride + dilation * (k - 1) + 1)
        for n, pads, count, stride, dilation, k in zip(
            a.shape[2:], a.pads, g.shape[2:], a.stride, a.dilation, kernel
        )
    ]
    emit("ConvTranspose", node.inputs, node.outputs, kernel_shape=list(kernel),
         group=a.groups, output_padding=extra, **window_onnx(a))


def input_gradient_cost(a: ConvGradientAttrs, inputs: tuple, outputs: tuple) -> Cost:
    return product(*inputs[0].shape, *inputs[1].shape[1:])


def input_gradient_origin(a: ConvGradientAttrs, inputs: tuple, x: Value, axis: int) -> Origin:
    """As the transposed convolution that `deconv` is."""
    if axis < 2:
        return Origin(0 if axis == 0 else None, 0, name=("batch", "channels")[axis])
    i, k = axis - 2, inputs[1].shape[axis]
    have, stride, (before, after) = inputs[0].shape[axis], a.stride[i], a.pads[i]
    span = f"{k}" if a.dilation[i] == 1 else f"{a.dilation[i]} * ({k} - 1) + 1"
    padding = f"2 * {before}" if before == after else f"{before} - {after}"
    least = stride * (have - 1) + a.dilation[i] * (k - 1) + 1 - before - after
    more = "" if x.shape[axis] == least else f" + {x.shape[axis] - least}"
    return Origin(
        0, axis, f"{stride} * ({have} - 1) + {span} - {padding}{more}",
        f"k = {k}, stride = {stride}, pad = {before if before == after else a.pads[i]}",
        SPATIAL[len(a.stride)][i],
    )


conv_input_gradient = Op(
    name="conv_input_gradient", inputs=("g", "weight"), attrs=ConvGradientAttrs,
    shape=input_gradient_shape, kernel=input_gradient_kernel,
    gradient=input_gradient_gradient, onnx=input_gradient_onnx, cost=input_gradient_cost,
    origin=input_gradient_origin, rows=leading_rows(0),
    doc="The gradient of conv for x: each output's gradient spread over its window.",
)


# ------------------------------------------------------------------ gradient for the weight


def weight_gradient_shape(a: ConvGradientAttrs, g: TensorType, x: TensorType) -> TensorType:
    weight = TensorType(g.dtype, a.shape)
    expected = conv_shape(ConvAttrs(**forward_attrs(a)), x, weight, None)
    if expected.shape != g.shape:
        raise ShapeError(f"the gradient should be {expected}, not {g}", 0)
    return weight


def weight_gradient_kernel(a: ConvGradientAttrs, g: np.ndarray, x: np.ndarray) -> np.ndarray:
    counts = g.shape[2:]
    gs, xs = grouped(g, a.groups, 1), grouped(padded(x, a.pads), a.groups, 1)
    weight = np.zeros((a.groups, a.shape[0] // a.groups, *a.shape[1:]), g.dtype)
    for tap, where in taps(counts, a.shape[2:], a.stride, a.dilation):
        weight[(..., *tap)] = np.einsum(
            "ngfs,ngcs->gfc",
            gs.reshape(*gs.shape[:3], -1),
            xs[(..., *where)].reshape(*xs.shape[:3], -1),
        )
    return weight.reshape(a.shape)


def weight_gradient_gradient(emit: Emitter, node, h: Value):
    g, x = node.inputs
    same = forward_attrs(node.attrs)
    return (
        emit(conv, x, h, None, **same),
        emit(conv_input_gradient, g, h, shape=x.shape, **same),
    )


def weight_gradient_cost(a: ConvGradientAttrs, inputs: tuple, outputs: tuple) -> Cost:
    return product(*inputs[0].shape, *a.shape[1:])


conv_weight_gradient = Op(
    name="conv_weight_gradient", inputs=("g", "x"), attrs=ConvGradientAttrs,
    shape=weight_gradient_shape, kernel=weight_gradient_kernel,
    gradient=weight_gradient_gradient,
    onnx=Absent("ONNX has no operator that correlates over the batch in groups"),
    cost=weight_gradient_cost,
    doc="The gradient of conv for its weight: outputs' gradients correlated with inputs.",
)

OPS = (conv, conv_input_gradient, conv_weight_gradient)
