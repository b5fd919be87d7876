"""Convolution as matrix products (im2col): a few images at a time, every kernel tap of every
window is copied into a column, and one product with the weight gives all outputs.

    columns [g, C/g · taps, windows]      y = weight [g, F/g, C/g · taps] @ columns

The scratch of a chunk stays in cache and is shared by all convolutions. With stride 1 the input
gradient is itself a convolution, with the kernel turned around.
"""

from __future__ import annotations

from math import prod

import numpy as np

from netdsl.backends.numpy.emitter import copy
from netdsl.backends.numpy.view import Shape, View
from netdsl.backends.numpy.windows import Geometry, Pads, chunks

# ------------------------------------------------------------------ kernels


def correlate(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, taps: np.ndarray,
    y: np.ndarray, inner: np.ndarray | None, slots: np.ndarray, columns: np.ndarray,
) -> None:
    """y [N, g, F/g, windows] = weight [g, F/g, K] · columns of x [N, g, C/g, …] (+ bias).

    Scratch for as many images as `columns` [n, g, K, windows] holds, which divides N: `inner` is
    where x goes in its padding, `taps` views every window's elements there, `slots` the columns
    in the same order. Without padding `inner` is None and the taps are those of x itself.
    """
    step = len(columns)
    for start in range(0, len(x), step):
        gather(x, start, taps, inner, slots)
        out = y[start : start + step]
        np.matmul(weight, columns, out=out)
        if bias is not None:
            np.add(out, bias, out=out)


def gather(
    x: np.ndarray, start: int, taps: np.ndarray, inner: np.ndarray | None, slots: np.ndarray
) -> None:
    """The columns of the images from `start` on."""
    step = len(slots)
    if inner is None:
        np.copyto(slots, taps[start : start + step])
    else:
        np.copyto(inner, x[start : start + step])
        np.copyto(slots, taps)


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
    """x [N, g, C/g, …]: the outputs' gradients g [N, g, F/g, windows] spread over their windows,
    with weight [g, K, F/g]; `inner` and `taps` are views of the padded scratch `wide`."""
    step = len(columns)
    for start in range(0, len(g), step):
        np.matmul(weight, g[start : start + step], out=columns)
        wide.fill(0)
        for slot, tap in zip(slots, taps):
            np.add(tap, slot, out=tap)
        np.copyto(x[start : start + step], inner)


def correlate_batch(
    g: np.ndarray, x: np.ndarray, taps: np.ndarray, total: np.ndarray, part: np.ndarray,
    inner: np.ndarray | None, slots: np.ndarray, columns: np.ndarray, turned: np.ndarray,
    flows: np.ndarray,
) -> None:
    """total [g, K, F/g]: columns of x [N, g, C/g, …] times the outputs' gradients g [N, F, …].

    The columns [g, K, n · windows] of a chunk lie with its n images inside, and so do its
    gradients (`turned` [n, F, …] and `flows` [g, n · windows, F/g] are one scratch), so that one
    product sums over images too.
    """
    step = len(turned)
    for start in range(0, len(g), step):
        gather(x, start, taps, inner, slots)
        np.copyto(turned, g[start : start + step])
        np.matmul(columns, flows, out=part if start else total)
        if start:
            np.add(total, part, out=total)


# ------------------------------------------------------------------ rules


def split_channels(x: View, groups: int) -> View:
    """[N, C, …] as [N, g, C/g, …]."""
    return x.reshape(x.shape[0], groups, x.shape[1] // groups, *x.shape[2:])


def gathering(emit, x: View, step: int, geometry: Geometry) -> tuple[View | None, View]:
    """`inner` and `taps` for chunks of `step` images of x [N, g, C/g, …]."""
    if not geometry.is_padded:
        return None, geometry.taps(x)
    wide = emit.filled(0, (step, *x.shape[1:3], *geometry.padded), x.dtype, geometry.pads)
    return geometry.inner(wide), geometry.taps(wide)


def conv_rule(emit, node) -> None:
    a, bias = node.attrs, node.inputs[2]
    weight = split_filters(emit.read_dense(node.inputs[1]), a.groups)
    if bias is not None:
        bias = emit.read_dense(bias).reshape(*weight.shape[:2], 1)
    x, y = emit.read(node.inputs[0]), emit.write(node.outputs[0], by_rows=True)
    emit_correlate(emit, x, weight, bias, y, a.stride, a.pads, a.dilation)


def split_filters(weight: View, groups: int) -> View:
    """[F, C/g, …] as [g, F/g, C/g, …]."""
    return weight.reshape(groups, weight.shape[0] // groups, *weight.shape[1:])


def emit_correlate(
    emit, x: View, weight: View, bias: View | None, y: View, stride: Shape, pads: Pads,
    dilation: Shape,
) -> None:
    """Calls for y [N, F, …] from x [N, C, …] and a dense weight [g, F/g, C/g, …]."""
    groups, filters, channels, *kernel = weight.shape
    geometry = Geometry(x.shape[2:], tuple(kernel), y.shape[2:], stride, pads, dilation)
    taps, windows = prod(kernel), prod(geometry.windows)
    matrix = weight.reshape(groups, filters, channels * taps)
    rows = y.reshape(y.shape[0], groups, filters, windows)
    if geometry.is_pointwise:
        pixels = x.reshape(x.shape[0], groups, channels, windows)
        if pixels is None:
            pixels = emit.dense(x).reshape(x.shape[0], groups, channels, windows)
        for start, stop in emit.parts(x.shape[0], x.size + y.size):
            part = pixels.rows(start, stop)
            emit(correlate_pixels, part, matrix, bias, y=rows.rows(start, stop))
        return
    x, image = split_channels(x, groups), groups * channels * taps * windows * x.dtype.itemsize
    for start, stop, step in chunks(emit, x.shape[0], image):
        columns = emit.scratch((step, groups, channels, *kernel, *geometry.windows), x.dtype)
        part = x.rows(start, stop)
        inner, elements = gathering(emit, part, step, geometry)
        emit(
            correlate, part, matrix, bias, elements, y=rows.rows(start, stop), inner=inner,
            slots=columns, columns=columns.reshape(step, groups, channels * taps, windows),
        )


def input_gradient_rule(emit, node) -> None:
    a = node.attrs
    weight = split_filters(emit.read_dense(node.inputs[1]), a.groups)
    kernel = weight.shape[3:]
    g, out = emit.read(node.inputs[0]), emit.write(node.outputs[0])
    reach = [d * (k - 1) for d, k in zip(a.dilation, kernel)]
    pads = tuple((r - before, r - after) for r, (before, after) in zip(reach, a.pads))
    if set(a.stride) == {1} and min(map(min, pads)) >= 0:
        turned = weight.transpose(0, 2, 1, *range(3, weight.rank)).flip(*range(3, weight.rank))
        emit_correlate(emit, g, emit.dense(turned), None, out, a.stride, pads, a.dilation)
    else:
        emit_scatter(emit, g, weight, out, a)


def emit_scatter(emit, g: View, weight: View, out: View, a) -> None:
    """Calls for the input gradient out [N, C, …] from g [N, F, …], weight [g, F/g, C/g, …]."""
    groups, filters, channels, *kernel = weight.shape
    geometry = Geometry(out.shape[2:], tuple(kernel), g.shape[2:], a.stride, a.pads, a.dilation)
    taps, windows, images = prod(kernel), prod(geometry.windows), g.shape[0]
    matrix = weight.reshape(groups, filters, channels * taps).transpose(0, 2, 1)
    rows = emit.dense(g).reshape(images, groups, filters, windows)
    out, item = split_channels(out, groups), out.dtype.itemsize
    for start, stop, step in chunks(emit, images, groups * channels * taps * windows * item):
        wide = emit.scratch((step, groups, channels, *geometry.padded), out.dtype)
        columns = emit.scratch((step, groups, channels, taps, *geometry.windows), out.dtype)
        emit(
            scatter, rows.rows(start, stop), matrix, x=out.rows(start, stop), wide=wide,
            inner=geometry.inner(wide), taps=geometry.each_tap(wide), slots=columns.places(3),
            columns=columns.reshape(step, groups, channels * taps, windows),
        )


def weight_gradient_rule(emit, node) -> None:
    a = node.attrs
    g, x = emit.read(node.inputs[0]), split_channels(emit.read(node.inputs[1]), a.groups)
    filters, channels, *kernel = a.shape[0] // a.groups, *a.shape[1:]
    geometry = Geometry(x.shape[3:], tuple(kernel), g.shape[2:], a.stride, a.pads, a.dilation)
    taps, windows = prod(kernel), prod(geometry.windows)
    totals = []
    for start, stop, step in chunks(
        emit, g.shape[0], a.groups * channels * taps * windows * x.dtype.itemsize
    ):
        total, product = (
            emit.scratch((a.groups, channels * taps, filters), g.dtype) for _ in range(2)
        )
        lead = 2 + len(kernel)
        columns = emit.scratch((a.groups, channels, *kernel, step, *geometry.windows), x.dtype)
        flows = emit.scratch((a.groups, filters, step, *geometry.windows), g.dtype)
        part = x.rows(start, stop)
        inner, elements = gathering(emit, part, step, geometry)
        emit(
            correlate_batch, split_channels(g, a.groups).rows(start, stop), part, elements,
            total=total, part=product, inner=inner,
            slots=columns.transpose(lead, *range(lead), *range(lead + 1, columns.rank)),
            columns=columns.reshape(a.groups, channels * taps, step * windows),
            turned=flows.transpose(2, 0, 1, *range(3, flows.rank)),
            flows=flows.reshape(a.groups, filters, step * windows).transpose(0, 2, 1),
        )
        totals.append(total)
    for total in totals[1:]:
        emit(np.add, totals[0], total, out=totals[0])
    out = emit.write(node.outputs[0]).reshape(a.groups, filters, channels * taps)
    emit(copy, totals[0].transpose(0, 2, 1), out=out)


RULES = {
    "conv": conv_rule, "conv_input_gradient": input_gradient_rule,
    "conv_weight_gradient": weight_gradient_rule,
}
