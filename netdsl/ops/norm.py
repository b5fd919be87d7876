"""Batch normalisation (Ioffe & Szegedy 2015): by the batch's statistics in training, which also
move the running statistics, and by the running statistics (`normalize`) in inference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netdsl.ir.graph import Emitter, Value
from netdsl.ir.op import (
    Absent,
    Attrs,
    ElementError,
    Op,
    Origin,
    RankError,
    Rows,
    ShapeError,
    leading_rows,
)
from netdsl.ir.tensor import TensorType
from netdsl.ops.elementwise import Term, float_type, sqrt
from netdsl.ops.reduction import expand, sum_


@dataclass(frozen=True, slots=True)
class BatchNormAttrs(Attrs):
    """running ← (1 - momentum) · running + momentum · batch, as PyTorch counts momentum."""

    eps: float = 1e-5
    momentum: float = 0.1


def per_channel(x: TensorType, *vectors: TensorType) -> TensorType:
    """x, after checking that every vector has one element for each channel (axis 1)."""
    float_type(Attrs(), x)
    if x.rank < 2:
        raise RankError(f"needs [N, C, …], not rank {x.rank}", 0)
    for i, vector in enumerate(vectors, 1):
        if vector.shape != (x.shape[1],):
            raise ShapeError(f"{x.shape[1]} channels need [{x.shape[1]}], not {vector}", 0, i)
    return x


def batch_axes(rank: int) -> tuple[int, ...]:
    return (0, *range(2, rank))


def column(vector: np.ndarray, rank: int) -> np.ndarray:
    """A vector over channels, shaped to broadcast against [N, C, …]."""
    return vector.reshape(1, -1, *(1,) * (rank - 2))


def batch_norm_shape(
    a: BatchNormAttrs, x: TensorType, weight: TensorType, bias: TensorType,
    running_mean: TensorType, running_variance: TensorType,
) -> tuple[TensorType, ...]:
    per_channel(x, weight, bias, running_mean, running_variance)
    return (x, *(running_mean,) * 4)


def batch_norm_kernel(
    a: BatchNormAttrs, x: np.ndarray, weight: np.ndarray, bias: np.ndarray,
    running_mean: np.ndarray, running_variance: np.ndarray,
) -> tuple[np.ndarray, ...]:
    axes, count = batch_axes(x.ndim), x.size // max(x.shape[1], 1)
    if count == 1:
        raise ElementError(
            "batch norm in training needs more than one value for each channel: a larger batch")
    mean = x.mean(axes)
    centred = x - column(mean, x.ndim)
    variance = np.square(centred).mean(axes)
    scale = 1 / np.sqrt(variance + a.eps)
    y = centred * column(scale * weight, x.ndim) + column(bias, x.ndim)
    unbiased = variance * (count / max(count - 1, 1))
    return (
        y.astype(x.dtype),
        (running_mean + a.momentum * (mean - running_mean)).astype(x.dtype),
        (running_variance + a.momentum * (unbiased - running_variance)).astype(x.dtype),
        mean.astype(x.dtype),
        scale.astype(x.dtype),
    )


def batch_norm_gradient(emit: Emitter, node, g: Value | None, *unused):
    x, weight, *_ = node.inputs
    _, _, _, mean, scale = node.outputs
    if g is None:
        return None, None, None, None, None
    flows = emit(batch_norm_input_gradient, g, x, weight, mean, scale)
    return (*flows, None, None)


def batch_norm_inference(emit: Emitter, node):
    x, weight, bias, mean, variance = node.inputs
    y = emit(normalize, x, weight, bias, mean, variance, eps=node.attrs.eps)
    return y, mean, variance, mean, variance  # statistics stay; those of the batch go unused


def batch_norm_rows(a: BatchNormAttrs, inputs: tuple, axes: tuple) -> tuple | Rows:
    """The batch that it normalises over is the rows at hand."""
    y = leading_rows(0)(a, inputs, axes)
    return y if y is Rows.MEET else (y, *(Rows.BY_PASS,) * 4)


def per_channel_origin(a: Attrs, inputs: tuple, output: Value, axis: int) -> Origin:
    if output.index:  # a vector over channels
        return Origin(0, 1, name="channels")
    return Origin(0, axis, name="channels" if axis == 1 else "")


batch_norm = Op(
    name="batch_norm", inputs=("x", "weight", "bias", "running_mean", "running_variance"),
    outputs=("y", "next_mean", "next_variance", "mean", "scale"), attrs=BatchNormAttrs,
    shape=batch_norm_shape, kernel=batch_norm_kernel, gradient=batch_norm_gradient,
    onnx=Absent("training form; the inference form `normalize` is exported"),
    inference=batch_norm_inference, carries=((3, 1), (4, 2)), origin=per_channel_origin,
    rows=batch_norm_rows,
    doc="Each channel to mean 0 and variance 1 over the batch, then weight · x + bias. Also gives "
        "the next running statistics (the variance unbiased), the batch mean and 1 / √(var + eps).",
)


def input_gradient_shape(
    a: Attrs, g: TensorType, x: TensorType, weight: TensorType, mean: TensorType,
    scale: TensorType,
) -> tuple[TensorType, ...]:
    per_channel(x, weight, mean, scale)
    return x, weight, weight


def input_gradient_kernel(
    a: Attrs, g: np.ndarray, x: np.ndarray, weight: np.ndarray, mean: np.ndarray,
    scale: np.ndarray,
) -> tuple[np.ndarray, ...]:
    # x̂ = (x - mean)·scale;  dx = weight·scale·(g - mean(g) - x̂·mean(g·x̂))
    axes, count = batch_axes(x.ndim), x.size // x.shape[1]
    normal = (x - column(mean, x.ndim)) * column(scale, x.ndim)
    bias_flow = g.sum(axes)
    weight_flow = (g * normal).sum(axes)
    back = g - column(bias_flow / count, x.ndim) - normal * column(weight_flow / count, x.ndim)
    return back * column(weight * scale, x.ndim), weight_flow, bias_flow


batch_norm_input_gradient = Op(
    name="batch_norm_input_gradient", inputs=("g", "x", "weight", "mean", "scale"),
    outputs=("x_gradient", "weight_gradient", "bias_gradient"),
    shape=input_gradient_shape, kernel=input_gradient_kernel,
    gradient=Absent("second derivatives of batch norm are not needed by any training program"),
    onnx=Absent("ONNX has no operator for it"),
    doc="The gradients of batch_norm for x, weight and bias, through the batch's statistics.",
)


# ------------------------------------------------------------------ inference


@dataclass(frozen=True, slots=True)
class NormalizeAttrs(Attrs):
    eps: float = 1e-5


def normalize_kernel(
    a: NormalizeAttrs, x: np.ndarray, weight: np.ndarray, bias: np.ndarray, mean: np.ndarray,
    variance: np.ndarray,
) -> np.ndarray:
    scale = weight / np.sqrt(variance + a.eps)
    y = x * column(scale, x.ndim) + column(bias - mean * scale, x.ndim)
    return y.astype(x.dtype)


def normalize_gradient(emit: Emitter, node, g: Value):
    x, weight, bias, mean, variance = node.inputs
    axes, absent = batch_axes(x.type.rank), (0, *range(2, x.type.rank))

    def spread(vector: Term) -> Term:
        return Term(emit, emit(expand, vector.value, shape=x.shape, axes=absent))

    def total(flow: Term) -> Term:
        return Term(emit, emit(sum_, flow.value, axes=axes))

    flow, variance_term = Term(emit, g), Term(emit, variance)
    scale = 1.0 / (variance_term + node.attrs.eps).then(sqrt)
    normal = (Term(emit, x) - spread(Term(emit, mean))) * spread(scale)
    weight_flow, bias_flow = total(flow * normal), total(flow)
    factor = Term(emit, weight) * scale
    return (
        (flow * spread(factor)).value,
        weight_flow.value,
        bias_flow.value,
        (-bias_flow * factor).value,
        (-0.5 * weight_flow * Term(emit, weight) * scale * scale).value,
    )


def normalize_onnx(emit, node):
    emit("BatchNormalization", node.inputs, node.outputs, epsilon=node.attrs.eps)


normalize = Op(
    name="normalize", inputs=("x", "weight", "bias", "mean", "variance"), attrs=NormalizeAttrs,
    shape=lambda a, x, *vectors: per_channel(x, *vectors),
    kernel=normalize_kernel, gradient=normalize_gradient, onnx=normalize_onnx,
    origin=per_channel_origin, rows=leading_rows(0),
    doc="weight · (x - mean) / √(variance + eps) + bias, each a vector over channels.",
)

OPS = (batch_norm, batch_norm_input_gradient, normalize)
