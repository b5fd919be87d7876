"""Convolution as matrix products (im2col): a few images at a time, the elements of every window
become a column, and one product with the weight gives all outputs.

    columns [g, C/g · taps, windows · n]      y = weight [g, F/g, C/g · taps] @ columns

Within a chunk of n images the images lie innermost, so that neighbouring windows of one tap are
one long run in memory, however small the map; the chunk's scratch stays in cache and is shared by
all convolutions. With stride 1 the input gradient is itself a convolution, with the kernel turned
around.
"""

from __future__ import annotations

from math import prod

import numpy as np

from netdsl.backends.numpy.emitter import CallEmitter, copy
from netdsl.backends.numpy.view import Shape, View
from netdsl.backends.numpy.windows import Geometry, Pads, chunks
from netdsl.ir.graph import Node

# ------------------------------------------------------------------ kernels


def correlate(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, taps: np.ndarray,
    y: np.ndarray, inner: np.ndarray, slots: np.ndarray, columns: np.ndarray,
    products: np.ndarray, outputs: np.ndarray,
) -> None:
    """y [N, g, F/g, …] = weight [g, F/g, K] · columns of x [N, g, C/g, …] (+ bias [g, F/g, 1]).

    Scratch for a chunk of n images, which divides N. `inner` [n, g, C/g, …] is where x goes in
    its padding and `taps` views every window's elements there; `slots` views the columns
    [g, K, windows · n] in the same order; `outputs` [n, g, F/g, …] views the products.
    """
    step = len(inner)
    for start in range(0, len(x), step):
        np.copyto(inner, x[start : start + step])
        np.copyto(slots, taps)
        np.matmul(weight, columns, out=products)
        if bias is not None:
            np.add(products, bias, out=products)
        np.copyto(y[start : start + step], outputs)


def correlate_pixels(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, y: np.ndarray
) -> None:
    """As `correlate` where every window is one pixel: x [N, g, C/g, pixels] are the columns."""
    np.matmul(weight, x, out=y)
    if bias is not None:
        np.add(y, bias, out=y)


def scatter(
    g: np.ndarray, weight: np.ndarray, x: np.ndarray, turned: np.ndarray, flows: np.ndarray,
    columns: np.ndarray, slots: tuple[np.ndarray, ...], wide: np.ndarray,
    taps: tuple[np.ndarray, ...], inner: np.ndarray,
) -> None:
    """x [N, g, C/g, …]: the outputs' gradients g [N, g, F/g, …] spread over their windows, with
    weight [g, K, F/g].

    `turned` [n, g, F/g, …] and `flows` [g, F/g, windows · n] view one scratch, and so do the
    padded images `wide`, their part `inner` and the windows' elements, tap by tap.
    """
    step = len(inner)
    for start in range(0, len(g), step):
        np.copyto(turned, g[start : start + step])
        np.matmul(weight, flows, out=columns)
        wide.fill(0)
        for slot, tap in zip(slots, taps):
            np.add(tap, slot, out=tap)
        np.copyto(x[start : start + step], inner)


def correlate_batch(
    g: np.ndarray, x: np.ndarray, taps: np.ndarray, total: np.ndarray, part: np.ndarray,
    inner: np.ndarray, slots: np.ndarray, columns: np.ndarray, turned: np.ndarray,
    flows: np.ndarray,
) -> None:
    """total [g, K, F/g]: columns of x times the outputs' gradients g, summed over images.

    Shapes and scratch as in `correlate` and `scatter`, but `flows` is [g, windows · n, F/g].
    """
    step = len(inner)
    for start in range(0, len(g), step):
        np.copyto(inner, x[start : start + step])
        np.copyto(slots, taps)
        np.copyto(turned, g[start : start + step])
        np.matmul(columns, flows, out=part if start else total)
        if start:
            np.add(total, part, out=total)


# ------------------------------------------------------------------ rules


def conv_rule(emit: CallEmitter, node: Node) -> None:
    a, bias = node.attrs, node.inputs[2]
    weight = split_filters(emit.read_dense(node.inputs[1]), a.groups)
    if bias is not None:
        bias = emit.read_dense(bias).reshape(*weight.shape[:2], 1)
    x, y = emit.read(node.inputs[0]), emit.write(node.outputs[0], by_rows=True)
    emit_correlate(emit, x, weight, bias, y, a.stride, a.pads, a.dilation)


def split_filters(weight: View, groups: int) -> View:
    """[F, C/g, …] as [g, F/g, C/g, …]."""
    return weight.reshape(groups, weight.shape[0] // groups, *weight.shape[1:])


def split_channels(x: View, groups: int) -> View:
    """[N, C, …] as [N, g, C/g, …]."""
    return x.reshape(x.shape[0], groups, x.shape[1] // groups, *x.shape[2:])


def images_first(view: View) -> View:
    """[g, C/g, …, n] as [n, g, C/g, …]."""
    return view.transpose(view.rank - 1, *range(view.rank - 1))


def emit_correlate(
    emit: CallEmitter, x: View, weight: View, bias: View | None, y: View, stride: Shape,
    pads: Pads, dilation: Shape,
) -> None:
    """Calls for y [N, F, …] from x [N, C, …] and a dense weight [g, F/g, C/g, …]."""
    groups, filters, channels, *kernel = weight.shape
    windows, depth = y.shape[2:], channels * prod(kernel)
    geometry = Geometry(x.shape[2:], tuple(kernel), windows, stride, pads, dilation)
    x, y = split_channels(x, groups), split_channels(y, groups)
    matrix = weight.reshape(groups, filters, depth)
    if geometry.is_pointwise:
        emit_pixels(emit, geometry.pixels(x), matrix, bias, y)
        return
    for start, stop, step in chunks(emit, x, groups * depth * prod(windows)):
        inner, taps, slots, columns = gathering(emit, x, step, geometry)
        products = emit.scratch((groups, filters, *windows, step), y.dtype)
        emit(
            correlate, x.rows(start, stop), matrix, bias, taps, y=y.rows(start, stop),
            inner=inner, slots=slots, columns=columns, products=products.flat(2),
            outputs=images_first(products),
        )


def emit_pixels(emit: CallEmitter, x: View, matrix: View, bias: View | None, y: View) -> None:
    x, y = x.flat(3) or emit.dense(x).flat(3), y.flat(3)
    for start, stop in emit.parts(x.shape[0], x.size + y.size):
        part = x.rows(start, stop)
        emit(correlate_pixels, part, matrix, bias, y=y.rows(start, stop))


def gathering(
    emit: CallEmitter, x: View, step: int, geometry: Geometry
) -> tuple[View, View, View, View]:
    """`inner`, `taps`, `slots` and `columns` for chunks of `step` images of x."""
    _, groups, channels, *_ = x.shape
    wide = emit.filled(0, (groups, channels, *geometry.padded, step), x.dtype, geometry.pads)
    kernel, windows = geometry.kernel, geometry.windows
    slots = emit.scratch((groups, channels, *kernel, *windows, step), x.dtype)
    columns = slots.reshape(groups, channels * prod(kernel), prod(windows) * step)
    return images_first(geometry.inner(wide, 2)), geometry.taps(wide, 2), slots, columns


def input_gradient_rule(emit: CallEmitter, node: Node) -> None:
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


def emit_scatter(emit: CallEmitter, g: View, weight: View, out: View, a) -> None:
    """Calls for the input gradient out [N, C, …] from g [N, F, …], weight [g, F/g, C/g, …]."""
    groups, filters, channels, *kernel = weight.shape
    windows, depth = g.shape[2:], channels * prod(kernel)
    geometry = Geometry(out.shape[2:], tuple(kernel), windows, a.stride, a.pads, a.dilation)
    matrix = weight.reshape(groups, filters, depth).transpose(0, 2, 1)
    g, out = split_channels(g, groups), split_channels(out, groups)
    for start, stop, step in chunks(emit, g, groups * depth * prod(windows)):
        wide = emit.scratch((groups, channels, *geometry.padded, step), out.dtype)
        columns = emit.scratch((groups, channels, prod(kernel), *windows, step), out.dtype)
        flows = emit.scratch((groups, filters, *windows, step), g.dtype)
        emit(
            scatter, g.rows(start, stop), matrix, x=out.rows(start, stop),
            turned=images_first(flows), flows=flows.flat(2),
            columns=columns.reshape(groups, depth, prod(windows) * step),
            slots=columns.places(2), wide=wide, taps=geometry.each_tap(wide, 2),
            inner=images_first(geometry.inner(wide, 2)),
        )


def weight_gradient_rule(emit: CallEmitter, node: Node) -> None:
    a = node.attrs
    g, x = (split_channels(emit.read(value), a.groups) for value in node.inputs)
    filters, channels, kernel = a.shape[0] // a.groups, a.shape[1], tuple(a.shape[2:])
    windows, depth = g.shape[3:], channels * prod(kernel)
    geometry = Geometry(x.shape[3:], kernel, windows, a.stride, a.pads, a.dilation)
    totals = []
    for start, stop, step in chunks(emit, x, a.groups * depth * prod(windows)):
        total, part = (emit.scratch((a.groups, depth, filters), g.dtype) for _ in range(2))
        inner, taps, slots, columns = gathering(emit, x, step, geometry)
        flows = emit.scratch((a.groups, filters, *windows, step), g.dtype)
        emit(
            correlate_batch, g.rows(start, stop), x.rows(start, stop), taps, total=total,
            part=part, inner=inner, slots=slots, columns=columns, turned=images_first(flows),
            flows=flows.flat(2).transpose(0, 2, 1),
        )
        totals.append(total)
    for total in totals[1:]:
        emit(np.add, totals[0], total, out=totals[0])
    out = emit.write(node.outputs[0]).reshape(a.groups, filters, depth)
    emit(copy, totals[0].transpose(0, 2, 1), out=out)


RULES = {
    "conv": conv_rule, "conv_input_gradient": input_gradient_rule,
    "conv_weight_gradient": weight_gradient_rule,
}
