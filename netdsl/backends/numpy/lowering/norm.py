"""Batch normalisation over x as [N, C, i]: one pass for the mean, one that centres and squares,
one in place that scales and shifts."""

from __future__ import annotations

from math import prod

import numpy as np

from netdsl.backends.numpy.emitter import CallEmitter
from netdsl.backends.numpy.lowering.elementwise import emit_ufunc
from netdsl.backends.numpy.lowering.reference import by_reference, unless_half
from netdsl.backends.numpy.view import View
from netdsl.ir.graph import Node

WORK_ELEMENTS = 1 << 16  # of scratch for a few images: within the second-level cache


# ------------------------------------------------------------------ kernels


def centre(x: np.ndarray, mean: np.ndarray, y: np.ndarray, squares: np.ndarray) -> None:
    """y = x - mean [C, 1], and its sum of squares [C]."""
    np.subtract(x, mean, out=y)
    np.einsum("nci,nci->c", y, y, out=squares)


def statistics(
    mean: np.ndarray, squares: np.ndarray, weight: np.ndarray, running_mean: np.ndarray,
    running_variance: np.ndarray, count: int, eps: float, momentum: float,
    next_mean: np.ndarray, next_variance: np.ndarray, scale: np.ndarray, factor: np.ndarray,
) -> None:
    """From the sums of squares [lanes, C] the running statistics, scale = 1 / √(variance + eps) and
    factor = weight · scale."""
    variance = squares.sum(0) / count
    np.add(running_mean, momentum * (mean - running_mean), out=next_mean)
    unbiased = variance * (count / max(count - 1, 1))
    np.add(running_variance, momentum * (unbiased - running_variance), out=next_variance)
    np.divide(1, np.sqrt(variance + eps), out=scale)
    np.multiply(weight, scale, out=factor)


def scale_and_shift(factor: np.ndarray, bias: np.ndarray, y: np.ndarray) -> None:
    """y = y · factor + bias, both [C, 1]."""
    np.multiply(y, factor, out=y)
    np.add(y, bias, out=y)


def gradient_sums(
    g: np.ndarray, x: np.ndarray, mean: np.ndarray, centred: np.ndarray, g_sum: np.ndarray,
    product_sum: np.ndarray,
) -> None:
    """Σ g and Σ g · (x - mean) for each channel; x - mean stays in `centred`."""
    np.einsum("nci->c", g, out=g_sum)
    np.subtract(x, mean, out=centred)
    np.einsum("nci,nci->c", g, centred, out=product_sum)


def gradient_factors(
    g_sums: np.ndarray, product_sums: np.ndarray, weight: np.ndarray, scale: np.ndarray,
    count: int, weight_gradient: np.ndarray, bias_gradient: np.ndarray, factor: np.ndarray,
    slope: np.ndarray, shift: np.ndarray,
) -> None:
    """From the sums [lanes, C] the vectors of dx = factor · g - slope · (x - mean) - shift."""
    np.add.reduce(g_sums, 0, None, bias_gradient)
    np.multiply(product_sums.sum(0), scale, out=weight_gradient)
    np.multiply(weight, scale, out=factor)
    np.multiply(factor, scale * weight_gradient / count, out=slope)
    np.multiply(factor, bias_gradient / count, out=shift)


def gradient_apply(
    g: np.ndarray, factor: np.ndarray, slope: np.ndarray, shift: np.ndarray, back: np.ndarray,
    work: np.ndarray,
) -> None:
    """back = factor · g - slope · back - shift, a few images at a time."""
    for start in range(0, len(g), len(work)):
        out = back[start : start + len(work)]
        part = work[: len(out)]
        np.multiply(out, slope, out=out)
        np.add(out, shift, out=out)
        np.multiply(g[start : start + len(work)], factor, out=part)
        np.subtract(part, out, out=out)


# ------------------------------------------------------------------ rules


def batch_norm_rule(emit: CallEmitter, node: Node) -> None:
    a, x_value = node.attrs, node.inputs[0]
    weight, bias, running_mean, running_variance = map(emit.read_dense, node.inputs[1:])
    x = read_flat(emit, x_value)
    count = x.shape[0] * x.shape[2]
    if count == 1:  # the reference refuses it when it runs
        return by_reference(emit, node)
    y = flat(emit.write(node.outputs[0], (x_value,), by_rows=True))
    next_mean = emit.write(node.outputs[1], over=node.inputs[3:4])
    next_variance = emit.write(node.outputs[2], over=node.inputs[4:])
    mean, scale = emit.write(node.outputs[3]), emit.write(node.outputs[4])
    sums, squares = (emit.scratch((emit.lanes, *mean.shape), mean.dtype) for _ in range(2))
    factor = emit.scratch(mean.shape, mean.dtype)
    lanes = 0
    for lane, (start, stop) in enumerate(emit.parts(x.shape[0], x.size)):
        lanes = lane + 1
        emit(np.einsum, "nci->c", x.rows(start, stop), out=sums.at(0, lane))
    emit(np.add.reduce, sums.rows(0, lanes), 0, out=mean)
    emit(np.divide, mean, emit.scalar(count, mean.dtype), out=mean)
    for lane, (start, stop) in enumerate(emit.parts(x.shape[0], x.size)):
        part = x.rows(start, stop)
        emit(centre, part, column(mean), y=y.rows(start, stop), squares=squares.at(0, lane))
    emit(
        statistics, mean, squares.rows(0, lanes), weight, running_mean, running_variance, count,
        a.eps, a.momentum, next_mean=next_mean, next_variance=next_variance, scale=scale,
        factor=factor,
    )
    for start, stop in emit.parts(x.shape[0], x.size):
        emit(scale_and_shift, column(factor), column(bias), y=y.rows(start, stop))


def input_gradient_rule(emit: CallEmitter, node: Node) -> None:
    weight, mean, scale = map(emit.read_dense, node.inputs[2:])
    g, x = (read_flat(emit, value) for value in node.inputs[:2])
    count = x.shape[0] * x.shape[2]
    back = flat(emit.write(node.outputs[0], over=node.inputs[1:2]))
    weight_gradient, bias_gradient = map(emit.write, node.outputs[1:])
    g_sums, products = (emit.scratch((emit.lanes, *mean.shape), mean.dtype) for _ in range(2))
    factor, slope, shift = (emit.scratch(mean.shape, mean.dtype) for _ in range(3))
    lanes = 0
    for lane, (start, stop) in enumerate(emit.parts(x.shape[0], x.size)):
        lanes = lane + 1
        emit(
            gradient_sums, g.rows(start, stop), x.rows(start, stop), column(mean),
            centred=back.rows(start, stop), g_sum=g_sums.at(0, lane),
            product_sum=products.at(0, lane),
        )
    emit(
        gradient_factors, g_sums.rows(0, lanes), products.rows(0, lanes), weight, scale, count,
        weight_gradient=weight_gradient, bias_gradient=bias_gradient, factor=factor,
        slope=slope, shift=shift,
    )
    for start, stop in emit.parts(x.shape[0], x.size):
        images = max(1, min(stop - start, WORK_ELEMENTS // max(1, prod(g.shape[1:]))))
        emit(
            gradient_apply, g.rows(start, stop), column(factor), column(slope), column(shift),
            back=back.rows(start, stop), work=emit.scratch((images, *g.shape[1:]), g.dtype),
        )


def normalize_rule(emit: CallEmitter, node: Node) -> None:
    x_value = node.inputs[0]
    weight, bias, mean, variance = map(emit.read_dense, node.inputs[1:])
    x = read_flat(emit, x_value)
    y = flat(emit.write(node.outputs[0], (x_value,), by_rows=True))
    factor = emit.scratch(weight.shape, weight.dtype)
    emit(np.add, variance, emit.scalar(node.attrs.eps, factor.dtype), out=factor)
    emit(np.sqrt, factor, out=factor)
    emit(np.divide, weight, factor, out=factor)
    emit_ufunc(emit, np.subtract, x, column(mean), out=y)
    emit_ufunc(emit, np.multiply, y, column(factor), out=y)
    emit_ufunc(emit, np.add, y, column(bias), out=y)


def read_flat(emit: CallEmitter, value) -> View:
    x = emit.read(value)
    return flat(x) or flat(emit.dense(x))


def flat(x: View) -> View | None:
    """[N, C, …] as [N, C, i], or None where that needs a copy."""
    return x.reshape(*x.shape[:2], prod(x.shape[2:]))


def column(vector: View) -> View:
    return vector.reshape(vector.shape[0], 1)


RULES = {
    "batch_norm": unless_half(batch_norm_rule),
    "batch_norm_input_gradient": unless_half(input_gradient_rule),
    "normalize": unless_half(normalize_rule),
}
