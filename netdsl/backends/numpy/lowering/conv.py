"""Convolution as matrix products (im2col): a few images at a time, every kernel tap of every
window is copied into a column, and one product with the weight gives all outputs.

    columns [g, C/g · taps, windows]      y = weight [g, F/g, C/g · taps] @ columns

The scratch of a chunk stays in cache and is shared by all convolutions. With stride 1 the input
gradient is itself a convolution, with the kernel turned around.
"""

from __future__ import annotations

from itertools import product as every
from math import prod

import numpy as np

from netdsl.backends.numpy.view import Shape, View

CHUNK_BYTES = 1 << 21  # of columns: within the last-level cache, long enough to amortise calls
Pads = tuple[tuple[int, int], ...]


# ------------------------------------------------------------------ kernels


def correlate(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, y: np.ndarray,
    inner: np.ndarray, taps: tuple[np.ndarray, ...], slots: tuple[np.ndarray, ...],
    columns: np.ndarray,
) -> None:
    """y [N, g, F/g, windows] = weight [g, F/g, K] · columns of x [N, C, …] (+ bias [g, F/g, 1]).

    Scratch for as many images as `columns` [n, g, K, windows] holds, which divides N: `inner` is
    where x goes in its padding, `taps` are the windows' elements there, `slots` their columns.
    """
    step = len(columns)
    for start in range(0, len(x), step):
        np.copyto(inner, x[start : start + step])
        for slot, tap in zip(slots, taps):
            np.copyto(slot, tap)
        out = y[start : start + step]
        np.matmul(weight, columns, out=out)
        if bias is not None:
            np.add(out, bias, out=out)


def correlate_pixels(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, y: np.ndarray
) -> None:
    """As `correlate` where every window is one pixel: x [N, g, C/g, pixels] are the columns."""
    np.matmul(weight, x, out=y)
    if bias is not None:
        np.add(y, bias, out=y)


def scatter(
    g: np.ndarray, weight: np.ndarray, x: np.ndarray, wide: np.ndarray, inner: np.ndarray,
    taps: tuple[np.ndarray, ...], slots: tuple[np.ndarray, ...], columns: np.ndarray,
) -> None:
    """x [N, C, …]: the outputs' gradients g [N, g, F/g, windows] spread over their windows, with
    weight [g, K, F/g]; `wide` is the padded scratch that `inner` and `taps` view."""
    step = len(columns)
    for start in range(0, len(g), step):
        np.matmul(weight, g[start : start + step], out=columns)
        wide.fill(0)
        for slot, tap in zip(slots, taps):
            np.add(tap, slot, out=tap)
        np.copyto(x[start : start + step], inner)


def correlate_batch(
    g: np.ndarray, x: np.ndarray, total: np.ndarray, part: np.ndarray, turned: np.ndarray,
    inner: np.ndarray, taps: tuple[np.ndarray, ...], slots: tuple[np.ndarray, ...],
    columns: np.ndarray, flows: np.ndarray,
) -> None:
    """total [g, K, F/g]: columns of x times the outputs' gradients g [N, F, …], over all images.

    A chunk's columns [g, K, n · windows] and gradients lie with the images inside, so that one
    product sums over them: `turned` [n, F, …] and `flows` [g, n · windows, F/g] are one scratch.
    """
    step, first = len(turned), True
    for start in range(0, len(g), step):
        np.copyto(inner, x[start : start + step])
        for slot, tap in zip(slots, taps):
            np.copyto(slot, tap)
        np.copyto(turned, g[start : start + step])
        np.matmul(columns, flows, out=total if first else part)
        if not first:
            np.add(total, part, out=total)
        first = False


# ------------------------------------------------------------------ rules


def conv_rule(emit, node) -> None:
    a, bias = node.attrs, node.inputs[2]
    weight = emit.read_dense(node.inputs[1])
    filters, channels, *kernel = weight.shape
    grouped = weight.reshape(a.groups, filters // a.groups, channels, *kernel)
    if bias is not None:
        bias = emit.read_dense(bias).reshape(a.groups, filters // a.groups, 1)
    emit_correlate(
        emit, emit.read(node.inputs[0]), grouped, bias, emit.write(node.outputs[0]),
        a.stride, a.pads, a.dilation,
    )


def input_gradient_rule(emit, node) -> None:
    a = node.attrs
    weight = emit.read_dense(node.inputs[1])
    filters, channels, *kernel = weight.shape
    grouped = weight.reshape(a.groups, filters // a.groups, channels, *kernel)
    back = grouped.transpose(0, 2, 1, *range(3, grouped.rank))  # [g, C/g, F/g, …]
    g, out = emit.read(node.inputs[0]), emit.write(node.outputs[0])
    reach = [d * (k - 1) for d, k in zip(a.dilation, kernel)]
    pads = tuple((r - before, r - after) for r, (before, after) in zip(reach, a.pads))
    if set(a.stride) == {1} and min(map(min, pads)) >= 0:
        flipped = emit.dense(back.flip(*range(3, back.rank)))
        emit_correlate(emit, g, flipped, None, out, a.stride, pads, a.dilation)
    else:
        emit_scatter(emit, g, back, out, a.stride, a.pads, a.dilation)


def emit_correlate(
    emit, x: View, weight: View, bias: View | None, y: View, stride: Shape, pads: Pads,
    dilation: Shape,
) -> None:
    """Calls for y [N, F, …] from x [N, C, …] and a dense weight [g, F/g, C/g, …]."""
    groups, filters, channels, *kernel = weight.shape
    windows = y.shape[2:]
    matrix = weight.reshape(groups, filters, channels * prod(kernel))
    rows = y.reshape(len_of(y), groups, filters, prod(windows))
    if is_pointwise(kernel, stride, pads):
        pixels = emit.dense(x).reshape(len_of(x), groups, channels, prod(windows))
        for start, stop in emit.parts(len_of(x)):
            emit(correlate_pixels, pixels.rows(start, stop), matrix, bias, rows.rows(start, stop))
        return
    layout = (groups, channels, prod(kernel), *windows)
    for start, stop, step in emit_chunks(emit, len_of(x), prod(layout) * x.dtype.itemsize):
        window = padded_scratch(emit, step, x, pads, kernel, windows, stride, dilation)
        columns = emit.scratch((step, *layout), x.dtype)
        emit(
            correlate, x.rows(start, stop), matrix, bias, rows.rows(start, stop),
            window.inner, window.taps, tap_slots(columns, 2, 3),
            columns.reshape(step, groups, channels * prod(kernel), prod(windows)),
        )
