"""Layer and RMS norm, a few rows at a time: what is centred and squared stays in the cache."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from netdsl.backends.numpy.emitter import CallEmitter
from netdsl.backends.numpy.lowering.reference import unless_half
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


RULES = {
    "layer_norm": unless_half(by_rows(layer_norm)), "rms_norm": unless_half(by_rows(rms_norm)),
}
