"""Pooling, tap by tap: each kernel position is one strided view over all windows."""

from __future__ import annotations

from math import prod

import numpy as np

from netdsl.backends.numpy.emitter import CallEmitter, copy
from netdsl.backends.numpy.lowering.reference import unless_half
from netdsl.backends.numpy.view import View
from netdsl.backends.numpy.windows import Geometry, chunks
from netdsl.ir.graph import Node
from netdsl.ops.pool import pool_geometry, window_sizes

# ------------------------------------------------------------------ kernels


def max_taps(
    x: np.ndarray, step: int, y: np.ndarray, inner: np.ndarray | None,
    taps: tuple[np.ndarray, ...],
) -> None:
    """y = the largest of the taps; `inner` is where `step` images of x go in their padding, or
    None when the taps are those of x."""
    for start in range(0, len(x), step):
        here, out = taps_of(x, inner, taps, start, step), y[start : start + step]
        np.copyto(out, here[0])
        for tap in here[1:]:
            np.maximum(out, tap, out=out)


def average_taps(
    x: np.ndarray, sizes: np.ndarray, step: int, y: np.ndarray, inner: np.ndarray | None,
    taps: tuple[np.ndarray, ...],
) -> None:
    """y = the sum of the taps over the window `sizes`."""
    for start in range(0, len(x), step):
        here, out = taps_of(x, inner, taps, start, step), y[start : start + step]
        np.copyto(out, here[0])
        for tap in here[1:]:
            np.add(out, tap, out=out)
        np.divide(out, sizes, out=out)


def taps_of(
    x: np.ndarray, inner: np.ndarray | None, taps: tuple[np.ndarray, ...], start: int, step: int
) -> list[np.ndarray]:
    if inner is None:
        return [tap[start : start + step] for tap in taps]
    np.copyto(inner, x[start : start + step])
    return list(taps)


def spread_maximum(
    g: np.ndarray, x: np.ndarray, y: np.ndarray, inner: np.ndarray | None,
    taps: tuple[np.ndarray, ...], back: np.ndarray, wide: np.ndarray, back_inner: np.ndarray,
    back_taps: tuple[np.ndarray, ...], open_: np.ndarray, hit: np.ndarray, share: np.ndarray,
) -> None:
    """back [N, C, …]: each window's g where x equals its maximum y first. `open_`, `hit` and
    `share` are scratch over the windows of a chunk, `wide` over its padded images."""
    step = len(open_)
    for start in range(0, len(g), step):
        flow, largest = g[start : start + step], y[start : start + step]
        wide.fill(0)
        open_.fill(True)
        for tap, out in zip(taps_of(x, inner, taps, start, step), back_taps):
            first_hits(tap, largest, open_, hit)
            np.multiply(flow, hit, out=share)
            np.add(out, share, out=out)
        np.copyto(back[start : start + step], back_inner)


def spread_maximum_apart(
    g: np.ndarray, y: np.ndarray, taps: tuple[np.ndarray, ...],
    back_taps: tuple[np.ndarray, ...], open_: np.ndarray, hit: np.ndarray,
) -> None:
    """The same for windows that share no element and need no padding: `taps` and `back_taps`
    are those of x and of the result, whose elements outside every window are left alone."""
    step = len(open_)
    for start in range(0, len(g), step):
        flow, largest = g[start : start + step], y[start : start + step]
        open_.fill(True)
        for tap, out in zip(taps, back_taps):
            first_hits(tap[start : start + step], largest, open_, hit)
            np.multiply(flow, hit, out=out[start : start + step])


def first_hits(tap: np.ndarray, largest: np.ndarray, open_: np.ndarray, hit: np.ndarray) -> None:
    """hit = where an open window's maximum is met; these are open no more."""
    np.equal(tap, largest, out=hit)
    np.logical_and(hit, open_, out=hit)
    np.logical_xor(open_, hit, out=open_)


def spread_average(
    g: np.ndarray, sizes: np.ndarray, back: np.ndarray, wide: np.ndarray, inner: np.ndarray,
    taps: tuple[np.ndarray, ...], share: np.ndarray,
) -> None:
    """back [N, C, …]: each window's g over its size, added to its elements."""
    step = len(share)
    for start in range(0, len(g), step):
        np.divide(g[start : start + step], sizes, out=share)
        wide.fill(0)
        for tap in taps:
            np.add(tap, share, out=tap)
        np.copyto(back[start : start + step], inner)


# ------------------------------------------------------------------ rules


def geometry_of(a, sizes: tuple[int, ...]) -> Geometry:
    """The windows of a pool; what the last hangs over is more padding behind."""
    windows, extra = pool_geometry(a, sizes)
    pads = tuple((before, after + more) for (before, after), more in zip(a.pads, extra))
    return Geometry(sizes, a.kernel, windows, a.stride, pads, a.dilation)


def padded_taps(emit: CallEmitter, x: View, step: int, geometry: Geometry, value: float):
    """`inner` and `taps` for chunks of `step` images of x."""
    if not geometry.is_padded:
        return None, geometry.each_tap(x, 2)
    wide = emit.filled(value, (step, x.shape[1], *geometry.padded), x.dtype, geometry.pads)
    return geometry.inner(wide, 2), geometry.each_tap(wide, 2)


def image_elements(x: View, geometry: Geometry) -> int:
    return x.shape[1] * prod(geometry.padded)


def max_pool_rule(emit: CallEmitter, node: Node) -> None:
    x, y = emit.read(node.inputs[0]), emit.write(node.outputs[0], by_rows=True)
    geometry = geometry_of(node.attrs, x.shape[2:])
    for start, stop, step in chunks(emit, x, image_elements(x, geometry)):
        part = x.rows(start, stop)
        inner, taps = padded_taps(emit, part, step, geometry, -np.inf)
        emit(max_taps, part, step, y=y.rows(start, stop), inner=inner, taps=taps)


def max_pool_gradient_rule(emit: CallEmitter, node: Node) -> None:
    g, x, y = map(emit.read, node.inputs)
    out = emit.write(node.outputs[0])
    geometry = geometry_of(node.attrs, x.shape[2:])
    if geometry.is_apart and not geometry.covers:
        emit(copy, emit.scalar(0, out.dtype), out=out)
    for start, stop, step in chunks(emit, x, image_elements(x, geometry)):
        part, back, windows = x.rows(start, stop), out.rows(start, stop), (step, *y.shape[1:])
        open_, hit = (emit.scratch(windows, np.bool_) for _ in range(2))
        if geometry.is_apart:
            emit(
                spread_maximum_apart, g.rows(start, stop), y.rows(start, stop),
                geometry.each_tap(part, 2), back_taps=geometry.each_tap(back, 2), open_=open_,
                hit=hit,
            )
            continue
        inner, taps = padded_taps(emit, part, step, geometry, -np.inf)
        wide = emit.scratch((step, x.shape[1], *geometry.padded), x.dtype)
        emit(
            spread_maximum, g.rows(start, stop), part, y.rows(start, stop),
            inner=inner, taps=taps, back=back, wide=wide, back_inner=geometry.inner(wide, 2),
            back_taps=geometry.each_tap(wide, 2), open_=open_, hit=hit,
            share=emit.scratch(windows, x.dtype),
        )


def average_pool_rule(emit: CallEmitter, node: Node) -> None:
    a, x = node.attrs, emit.read(node.inputs[0])
    y = emit.write(node.outputs[0], by_rows=True)
    geometry, sizes = geometry_of(a, x.shape[2:]), averaged(emit, a, x.shape[2:], x.dtype)
    for start, stop, step in chunks(emit, x, image_elements(x, geometry)):
        part = x.rows(start, stop)
        inner, taps = padded_taps(emit, part, step, geometry, 0)
        emit(average_taps, part, sizes, step, y=y.rows(start, stop), inner=inner, taps=taps)


def average_pool_gradient_rule(emit: CallEmitter, node: Node) -> None:
    a, g, out = node.attrs, emit.read(node.inputs[0]), emit.write(node.outputs[0])
    geometry, sizes = geometry_of(a, out.shape[2:]), averaged(emit, a, out.shape[2:], g.dtype)
    for start, stop, step in chunks(emit, g, image_elements(out, geometry)):
        wide = emit.scratch((step, g.shape[1], *geometry.padded), g.dtype)
        emit(
            spread_average, g.rows(start, stop), sizes, back=out.rows(start, stop), wide=wide,
            inner=geometry.inner(wide, 2), taps=geometry.each_tap(wide, 2),
            share=emit.scratch((step, *g.shape[1:]), g.dtype),
        )


def averaged(emit: CallEmitter, a, sizes: tuple[int, ...], dtype: np.dtype) -> View:
    """How many elements each window averages: one number where they agree."""
    counts = window_sizes(a, sizes, *pool_geometry(a, sizes)).astype(dtype)
    if counts.size and (counts == counts.flat[0]).all():
        return emit.scalar(float(counts.flat[0]), dtype)
    return emit.constant(counts)


RULES = {
    "max_pool": max_pool_rule,
    "max_pool_input_gradient": unless_half(max_pool_gradient_rule),
    "average_pool": unless_half(average_pool_rule),
    "average_pool_input_gradient": unless_half(average_pool_gradient_rule),
}
