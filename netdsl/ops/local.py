"""Local convolution: windows as in `conv`, but each place of the output has kernels of its own. As
there, its two gradients are operations, all three are linear in both operands, and each one's
gradients are the other two."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from netdsl.ir.dim import Dim
from netdsl.ir.graph import Emitter, Value
from netdsl.ir.op import Absent, Attrs, Cost, Op, Origin, ShapeError, leading_rows
from netdsl.ir.tensor import TensorType
from netdsl.ops.elementwise import float_type
from netdsl.ops.matmul import product
from netdsl.ops.window import Pads, Sizes, cropped, padded, taps, window_counts, window_origin


@dataclass(frozen=True, slots=True)
class LocalConvAttrs(Attrs):
    """As those of `conv`; `filters` is the number of output channels."""

    filters: int
    stride: Sizes
    pads: Pads
    dilation: Sizes


def local_conv_shape(a: LocalConvAttrs, x: TensorType, weight: TensorType) -> TensorType:
    float_type(a, x)
    spatial = weight.rank - 2
    if x.rank != weight.rank or not len(a.stride) == len(a.pads) == len(a.dilation) == spatial:
        raise ShapeError(f"{spatial} spatial axes need [N, C, …] of rank {weight.rank}", 0)
    counts = window_counts(x.shape[2:], weight.shape[2:], a.stride, a.pads, a.dilation)
    if not all(isinstance(count, int) for count in counts):
        raise ShapeError(f"the places of {x} are not known, and each has parameters", 0)
    expected = weight.with_shape(a.filters * prod(counts), x.shape[1], *weight.shape[2:])
    if weight != expected:
        raise ShapeError(f"the weight should be {expected}, not {weight}", 0, 1)
    return TensorType(x.dtype, (x.shape[0], a.filters, *counts))


def kernels(a: LocalConvAttrs, weight: np.ndarray, counts: Sizes) -> np.ndarray:
    """[F · places, C, k, …] as [F, windows, …, C, k, …]."""
    return weight.reshape(a.filters, *counts, *weight.shape[1:])


def local_conv_kernel(a: LocalConvAttrs, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    size = weight.shape[2:]
    counts = window_counts(x.shape[2:], size, a.stride, a.pads, a.dilation)
    wide, ws = padded(x, a.pads), kernels(a, weight, counts)
    y = np.zeros((len(x), a.filters, *counts), x.dtype)
    for tap, where in taps(counts, size, a.stride, a.dilation):
        y += np.einsum("f...c,nc...->nf...", ws[(..., *tap)], wide[(..., *where)])
    return y


def geometry(a: LocalConvAttrs) -> dict:
    return {"filters": a.filters, "stride": a.stride, "pads": a.pads, "dilation": a.dilation}


def local_conv_gradient(emit: Emitter, node, g: Value):
    (x, weight), same = node.inputs, geometry(node.attrs)
    return (
        emit(local_conv_input_gradient, g, weight, shape=x.shape, **same),
        emit(local_conv_weight_gradient, g, x, shape=weight.shape, **same),
    )


def gathered_places(a: LocalConvAttrs, sizes: Sizes, counts: Sizes, size: Sizes) -> np.ndarray:
    """[places, taps]: where in the flat padded input each window has its elements."""
    wide = [n + sum(pads) for n, pads in zip(sizes, a.pads)]
    numbers = np.arange(prod(wide)).reshape(wide)
    each = [numbers[where].reshape(-1) for _, where in taps(counts, size, a.stride, a.dilation)]
    return np.stack(each, axis=1)


def local_conv_onnx(emit, node):
    # ONNX has no such operator: windows are gathered, and each is multiplied by its own matrix
    a, (x, weight), (y,) = node.attrs, node.inputs, node.outputs
    batch, channels, *sizes = x.shape
    counts, size = y.shape[2:], weight.shape[2:]
    places, depth = prod(counts), channels * prod(size)
    if any(map(any, a.pads)):
        wide = tuple(n + sum(pads) for n, pads in zip(sizes, a.pads))
        pads = [0, 0, *(p for p, _ in a.pads), 0, 0, *(p for _, p in a.pads)]
        source = emit.intermediate("Pad", [x, emit.constant(np.array(pads, np.int64))],
                                   x.type.with_shape(batch, channels, *wide))
    else:
        source, wide = x, tuple(sizes)

    def shaped(value, shape: tuple[Dim, ...], like: tuple[Dim, ...]) -> str:
        type = x.type.with_shape(*shape)
        return emit.intermediate("Reshape", [value, emit.shape(shape, like=like)], type)

    def turned(value, shape: tuple[Dim, ...], *perm: int) -> str:
        type = x.type.with_shape(*(shape[i] for i in perm))
        return emit.intermediate("Transpose", [value], type, perm=list(perm))

    flat = (batch, channels, prod(wide))
    index = emit.constant(gathered_places(a, tuple(sizes), counts, size))
    windows = (batch, channels, places, prod(size))
    rows = emit.intermediate("Gather", [shaped(source, flat, (batch, channels, *wide)), index],
                             x.type.with_shape(*windows), axis=2)
    by_place = (places, batch, channels, prod(size))
    rows = shaped(turned(rows, windows, 2, 0, 1, 3), (places, batch, depth), by_place)
    matrices = turned(shaped(weight, (a.filters, places, depth), weight.shape),
                      (a.filters, places, depth), 1, 2, 0)
    products = emit.intermediate("MatMul", [rows, matrices],
                                 x.type.with_shape(places, batch, a.filters))
    images = turned(products, (places, batch, a.filters), 1, 2, 0)
    emit("Reshape", [images, emit.shape(y.shape, like=(batch, a.filters, places))], [y])


def local_conv_cost(a: LocalConvAttrs, inputs: tuple, outputs: tuple) -> Cost:
    return product(*outputs[0].shape, *inputs[1].shape[1:])


def local_conv_origin(a: LocalConvAttrs, inputs: tuple, y: Value, axis: int) -> Origin:
    if axis == 0:
        return Origin(0, 0, name="batch")
    if axis == 1:
        return Origin(None, formula=f"{a.filters}", name="channels")
    return window_origin(a, inputs[1].shape[2:], inputs[0], y, axis)


local_conv = Op(
    name="local_conv", inputs=("x", "weight"), attrs=LocalConvAttrs,
    shape=local_conv_shape, kernel=local_conv_kernel, gradient=local_conv_gradient,
    onnx=local_conv_onnx, cost=local_conv_cost, origin=local_conv_origin, rows=leading_rows(0),
    doc="Cross-correlation of x [N, C, …] with a kernel for each element of an output image: "
        "weight [F · places, C, …].",
)


# ------------------------------------------------------------------ gradient for the input


@dataclass(frozen=True, slots=True)
class LocalConvGradientAttrs(LocalConvAttrs):
    """`shape` is that of the tensor whose gradient this is."""

    shape: tuple = ()


def checked(a: LocalConvGradientAttrs, g: TensorType, x: TensorType, weight: TensorType) -> None:
    expected = local_conv_shape(LocalConvAttrs(**geometry(a)), x, weight)
    if expected.shape != g.shape:
        raise ShapeError(f"the gradient should be {expected}, not {g}", 0)


def input_gradient_shape(
    a: LocalConvGradientAttrs, g: TensorType, weight: TensorType
) -> TensorType:
    x = TensorType(g.dtype, a.shape)
    checked(a, g, x, weight)
    return x


def input_gradient_kernel(
    a: LocalConvGradientAttrs, g: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    sizes, counts, size = a.shape[2:], g.shape[2:], weight.shape[2:]
    ws = kernels(a, weight, counts)
    wide = (n + sum(pads) for n, pads in zip(sizes, a.pads))
    x = np.zeros((*a.shape[:2], *wide), g.dtype)
    for tap, where in taps(counts, size, a.stride, a.dilation):
        x[(..., *where)] += np.einsum("f...c,nf...->nc...", ws[(..., *tap)], g)
    return cropped(x, a.pads, sizes)


def input_gradient_gradient(emit: Emitter, node, h: Value):
    (g, weight), same = node.inputs, geometry(node.attrs)
    return (
        emit(local_conv, h, weight, **same),
        emit(local_conv_weight_gradient, g, h, shape=weight.shape, **same),
    )


local_conv_input_gradient = Op(
    name="local_conv_input_gradient", inputs=("g", "weight"), attrs=LocalConvGradientAttrs,
    shape=input_gradient_shape, kernel=input_gradient_kernel, gradient=input_gradient_gradient,
    onnx=Absent("ONNX has no operator for it"),
    cost=lambda a, inputs, outputs: product(*inputs[0].shape, *inputs[1].shape[1:]),
    doc="The gradient of local_conv for x: each output's gradient spread over its window.",
)


# ------------------------------------------------------------------ gradient for the weight


def weight_gradient_shape(
    a: LocalConvGradientAttrs, g: TensorType, x: TensorType
) -> TensorType:
    weight = TensorType(g.dtype, a.shape)
    checked(a, g, x, weight)
    return weight


def weight_gradient_kernel(
    a: LocalConvGradientAttrs, g: np.ndarray, x: np.ndarray
) -> np.ndarray:
    counts, size = g.shape[2:], a.shape[2:]
    wide, weight = padded(x, a.pads), np.zeros(a.shape, g.dtype)
    ws = kernels(a, weight, counts)
    for tap, where in taps(counts, size, a.stride, a.dilation):
        ws[(..., *tap)] = np.einsum("nf...,nc...->f...c", g, wide[(..., *where)])
    return weight


def weight_gradient_gradient(emit: Emitter, node, h: Value):
    (g, x), same = node.inputs, geometry(node.attrs)
    return (
        emit(local_conv, x, h, **same),
        emit(local_conv_input_gradient, g, h, shape=x.shape, **same),
    )


local_conv_weight_gradient = Op(
    name="local_conv_weight_gradient", inputs=("g", "x"), attrs=LocalConvGradientAttrs,
    shape=weight_gradient_shape, kernel=weight_gradient_kernel,
    gradient=weight_gradient_gradient, onnx=Absent("ONNX has no operator for it"),
    cost=lambda a, inputs, outputs: product(*inputs[0].shape, *a.shape[1:]),
    doc="The gradient of local_conv for its weight: outputs' gradients times their windows.",
)

OPS = (local_conv, local_conv_input_gradient, local_conv_weight_gradient)
