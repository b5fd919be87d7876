"""Layer, RMS and group norm, a few rows at a time: what is centred and squared stays in cache."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from netdsl.backends.numpy.emitter import CallEmitter
from netdsl.backends.numpy.lowering.reference import unless_half
from netdsl.backends.numpy.view import View
from netdsl.ir.graph import Node

BLOCK = 1 << 14  # elements


def layer_norm(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, eps: float, y: np.ndarray,
    mean: np.ndarray, scale: np.ndarray,
) -> None:
    """x and y [rows, features], mean and scale [rows, 1]; y may be x."""
    rows, features = x.shape
    step = max(1, BLOCK // features)
    for start in range(0, rows, step):
        part = slice(start, start + step)
        out, middle, factor = y[part], mean[part], scale[part]
        np.add.reduce(x[part], 1, out=middle, keepdims=True)
        np.divide(middle, features, out=middle)
        np.subtract(x[part], middle, out=out)
        inverse_root(out, eps, factor)
        np.multiply(out, factor, out=out)
        np.multiply(out, weight, out=out)
        if bias is not None:
            np.add(out, bias, out=out)


def rms_norm(
    x: np.ndarray, weight: np.ndarray, eps: float, y: np.ndarray, scale: np.ndarray
) -> None:
    """x and y [rows, features], scale [rows, 1]; y may be x."""
    rows, features = x.shape
    step = max(1, BLOCK // features)
    for start in range(0, rows, step):
        part = slice(start, start + step)
        inverse_root(x[part], eps, scale[part])
        np.multiply(x[part], scale[part], out=y[part])
        np.multiply(y[part], weight, out=y[part])


def inverse_root(x: np.ndarray, eps: float, factor: np.ndarray) -> None:
    """factor = 1 / √(mean(x²) + eps) of each row."""
    np.einsum("rf,rf->r", x, x, out=factor[:, 0])
    np.divide(factor, x.shape[1], out=factor)
    np.add(factor, eps, out=factor)
    np.sqrt(factor, out=factor)
    np.divide(1, factor, out=factor)


def by_rows(function: Callable) -> Callable:
    """The op is this function of rows, shared out among the lanes."""

    def rule(emit: CallEmitter, node: Node) -> None:
        x, *vectors = (None if v is None else emit.read_dense(v) for v in node.inputs)
        y = emit.write(node.outputs[0], over=node.inputs[:1])
        statistics = [emit.write(value) for value in node.outputs[1:]]
        features = x.shape[-1]
        flat = [view.reshape(x.size // features, features) for view in (x, y)]
        flat += [view.reshape(x.size // features, 1) for view in statistics]
        names = ("y", *node.op.outputs[1:])
        for start, stop in emit.parts(x.size // features, 4 * x.size):
            source, *made = (view.rows(start, stop) for view in flat)
            emit(function, source, *vectors, node.attrs.eps, **dict(zip(names, made)))

    return rule


# ------------------------------------------------------------------ group norm


def group_norm(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float, y: np.ndarray,
    mean: np.ndarray, scale: np.ndarray,
) -> None:
    """x and y [N, g, C/g, places], weight and bias [g, C/g, 1], mean and scale [N, g, 1]; y may be
    x."""
    images = len(x)
    step = max(1, BLOCK // max(x[0].size, 1))
    for start in range(0, images, step):
        part = slice(start, start + step)
        out, middle, factor = y[part], mean[part], scale[part]
        rows = out.reshape(len(out) * out.shape[1], -1)
        np.add.reduce(x[part].reshape(rows.shape), 1, out=middle.reshape(-1, 1), keepdims=True)
        np.divide(middle, rows.shape[1], out=middle)
        np.subtract(x[part], middle[..., None], out=out)
        inverse_root(rows, eps, factor.reshape(-1, 1))
        np.multiply(out, factor[..., None] * weight, out=out)
        np.add(out, bias, out=out)


def group_norm_rule(emit: CallEmitter, node: Node) -> None:
    groups, (x, weight, bias) = node.attrs.groups, map(emit.read_dense, node.inputs)
    y = emit.write(node.outputs[0], over=node.inputs[:1])
    mean, scale = map(emit.write, node.outputs[1:])
    weight, bias = (vector.reshape(groups, vector.size // groups, 1) for vector in (weight, bias))
    x, y = (by_groups(view, groups) for view in (x, y))
    for start, stop in emit.parts(x.shape[0], 4 * x.size):
        source, out, middle, factor = (v.rows(start, stop) for v in (x, y, mean, scale))
        emit(group_norm, source, weight, bias, node.attrs.eps, y=out, mean=middle, scale=factor)


def by_groups(x: View, groups: int) -> View:
    """[N, C, …] as [N, g, C/g, places]."""
    images, channels = x.shape[:2]
    places = x.size // max(images * channels, 1)
    return x.reshape(images, groups, channels // groups, places)


def group_norm_gradient(
    g: np.ndarray, x: np.ndarray, weight: np.ndarray, mean: np.ndarray, scale: np.ndarray,
    back: np.ndarray, flows: np.ndarray, products: np.ndarray, work: np.ndarray,
) -> None:
    """back = scale · (w·g - mean(w·g) - x̂ · mean(w·g·x̂)), and for each image and channel Σ g in
    `flows` and Σ g·x̂ in `products`, both [N, g, C/g]. `work` is room for a few images."""
    size = x.shape[2] * x.shape[3]
    for start in range(0, len(g), len(work)):
        part = slice(start, start + len(work))
        flow, factor, out = g[part], scale[part, ..., None], back[part]
        normal = work[: len(flow)]
        np.subtract(x[part], mean[part, ..., None], out=normal)
        np.multiply(normal, factor, out=normal)
        np.einsum("ngcp->ngc", flow, out=flows[part])
        np.einsum("ngcp,ngcp->ngc", flow, normal, out=products[part])
        middle = np.einsum("ngc,gc->ng", flows[part], weight[..., 0]) / size
        slope = np.einsum("ngc,gc->ng", products[part], weight[..., 0]) / size
        np.multiply(normal, (slope * factor[..., 0, 0])[..., None, None], out=normal)
        np.add(normal, (middle * factor[..., 0, 0])[..., None, None], out=normal)
        np.multiply(flow, factor * weight, out=out)
        np.subtract(out, normal, out=out)


def group_norm_gradient_rule(emit: CallEmitter, node: Node) -> None:
    groups = node.attrs.groups
    g, x, weight, mean, scale = map(emit.read_dense, node.inputs)
    back = by_groups(emit.write(node.outputs[0]), groups)
    weight_gradient, bias_gradient = map(emit.write, node.outputs[1:])
    weight = weight.reshape(groups, weight.size // groups, 1)
    g, x = (by_groups(view, groups) for view in (g, x))
    flows, products = (emit.scratch(x.shape[:3], x.dtype) for _ in range(2))
    step = max(1, BLOCK // max(x.at(0, 0).size, 1))
    for start, stop in emit.parts(x.shape[0], 8 * x.size):
        flow, source, middle, factor, out, sums, sides = (
            view.rows(start, stop) for view in (g, x, mean, scale, back, flows, products)
        )
        emit(
            group_norm_gradient, flow, source, weight, middle, factor, back=out, flows=sums,
            products=sides, work=emit.scratch((min(step, stop - start), *x.shape[1:]), x.dtype),
        )
    for each, out in ((products, weight_gradient), (flows, bias_gradient)):
        emit(np.add.reduce, each.flat(1), 0, out=out)


RULES = {
    "layer_norm": unless_half(by_rows(layer_norm)), "rms_norm": unless_half(by_rows(rms_norm)),
    "group_norm": unless_half(group_norm_rule),
    "group_norm_input_gradient": unless_half(group_norm_gradient_rule),
}
