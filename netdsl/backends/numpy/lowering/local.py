"""Local convolution as one matrix product a place, some rows of places at a time: every weight is
read once, and the images lie innermost.

    y [places, F, N] = weight [places, F, K] @ columns [places, K, N],    K = C · taps
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from netdsl.backends.numpy.emitter import CallEmitter, copy
from netdsl.backends.numpy.view import Shape, View
from netdsl.backends.numpy.windows import Geometry
from netdsl.ir.graph import Node

BLOCK = 1 << 18  # elements of the columns of some rows

# ------------------------------------------------------------------ kernels


def multiply(
    taps: np.ndarray, weight: np.ndarray, y: np.ndarray, slots: np.ndarray, columns: np.ndarray,
    products: np.ndarray, outputs: np.ndarray,
) -> None:
    """y = weight @ columns. `slots` views the columns as `taps` lie, `outputs` the products as
    y lies."""
    np.copyto(slots, taps)
    np.matmul(weight, columns, out=products)
    np.copyto(y, outputs)


def spread(
    g: np.ndarray, weight: np.ndarray, turned: np.ndarray, flows: np.ndarray,
    columns: np.ndarray, slots: tuple[np.ndarray, ...], taps: tuple[np.ndarray, ...],
) -> None:
    """weight [places, K, F] @ g, each tap added to its place of the padded input."""
    np.copyto(turned, g)
    np.matmul(weight, flows, out=columns)
    for slot, tap in zip(slots, taps):
        np.add(tap, slot, out=tap)


def correlate(
    g: np.ndarray, taps: np.ndarray, total: np.ndarray, slots: np.ndarray, columns: np.ndarray,
    turned: np.ndarray, flows: np.ndarray,
) -> None:
    """total [places, F, K] = g [places, F, N] @ columns [places, N, K]."""
    np.copyto(slots, taps)
    np.copyto(turned, g)
    np.matmul(flows, columns, out=total)


# ------------------------------------------------------------------ rules


@dataclass(frozen=True)
class Places:
    """The windows of a local convolution: of `channels`, to `filters`, over `images`."""

    geometry: Geometry
    images: int
    channels: int
    filters: int

    @property
    def depth(self) -> int:
        return self.channels * prod(self.geometry.kernel)

    def matrices(self, weight: View) -> View:
        """[F · places, C, k, …] as [windows, …, F, K]."""
        by_filter = weight.reshape(self.filters, *self.geometry.windows, self.depth)
        axes = len(self.geometry.windows)
        return by_filter.transpose(*range(1, axes + 1), 0, axes + 1)

    def wide(self, emit: CallEmitter, dtype) -> View:
        return emit.scratch((self.channels, *self.geometry.padded, self.images), dtype)

    def inner(self, wide: View) -> View:
        """Where x lies in its padding, as [N, C, …]."""
        return images_first(self.geometry.inner(wide, 1))

    def blocks(self, emit: CallEmitter) -> Iterator[Iterator[tuple[int, int]]]:
        """For each lane, the rows of places that it works on, some at a time."""
        rows, *others = self.geometry.windows
        row = self.depth * prod(others) * self.images
        step = max(1, BLOCK // max(row, 1))
        for start, stop in emit.parts(rows, rows * row):
            yield ((at, min(at + step, stop)) for at in range(start, stop, step))

    def taps(self, wide: View, start: int, stop: int) -> View:
        """The elements of these rows' windows: [windows, …, C, k, …, N]."""
        axes = len(self.geometry.windows)
        taps = self.geometry.taps(wide, 1)  # [C, k, …, windows, …, N]
        order = (*range(axes + 1, 2 * axes + 1), *range(axes + 1), 2 * axes + 1)
        return taps.transpose(*order).rows(start, stop)

    def columns(self, emit: CallEmitter, taps: View) -> tuple[View, View]:
        """`slots` and `columns` [places, K, N] for these taps."""
        slots = emit.scratch(taps.shape, taps.dtype)
        places = prod(taps.shape[: len(self.geometry.windows)])
        return slots, slots.reshape(places, self.depth, self.images)

    def products(self, emit: CallEmitter, taps: View) -> tuple[View, View]:
        """Room [places, F, N], and the same as [N, F, windows, …]."""
        axes = len(self.geometry.windows)
        windows = taps.shape[:axes]
        room = emit.scratch((*windows, self.filters, self.images), taps.dtype)
        images = room.transpose(axes + 1, axes, *range(axes))
        return room.reshape(prod(windows), self.filters, self.images), images


def images_first(view: View) -> View:
    return view.transpose(view.rank - 1, *range(view.rank - 1))


def places_of(node: Node, x: Shape, kernel: Shape, windows: Shape) -> Places:
    a = node.attrs
    geometry = Geometry(x[2:], kernel, windows, a.stride, a.pads, a.dilation)
    return Places(geometry, x[0], x[1], a.filters)


def gathered(emit: CallEmitter, places: Places, x: View) -> View:
    """x in its padding, the images innermost."""
    wide = places.wide(emit, x.dtype)
    if places.geometry.is_padded:
        emit(copy, emit.scalar(0, x.dtype), out=wide)
    emit(copy, x, out=places.inner(wide))
    return wide


def as_matrices(view: View) -> View:
    """[windows, …, F, K] as [places, F, K]: the places follow one another."""
    *windows, filters, depth = view.shape
    return view.reshape(prod(windows), filters, depth)


def local_conv_rule(emit: CallEmitter, node: Node) -> None:
    x, weight = emit.read(node.inputs[0]), emit.read_dense(node.inputs[1])
    y = emit.write(node.outputs[0])
    places = places_of(node, x.shape, weight.shape[2:], y.shape[2:])
    wide, matrices = gathered(emit, places, x), places.matrices(weight)
    for block in places.blocks(emit):
        for start, stop in block:
            taps = places.taps(wide, start, stop)
            slots, columns = places.columns(emit, taps)
            products, outputs = places.products(emit, taps)
            emit(
                multiply, taps, as_matrices(matrices.rows(start, stop)),
                y=y.slice(2, start, stop), slots=slots, columns=columns, products=products,
                outputs=outputs,
            )


def input_gradient_rule(emit: CallEmitter, node: Node) -> None:
    g, weight = emit.read(node.inputs[0]), emit.read_dense(node.inputs[1])
    out = emit.write(node.outputs[0])
    places = places_of(node, out.shape, weight.shape[2:], g.shape[2:])
    matrices, wides = places.matrices(weight), []
    for block in places.blocks(emit):
        wide = places.wide(emit, g.dtype)
        emit(copy, emit.scalar(0, g.dtype), out=wide)
        for start, stop in block:
            taps = places.taps(wide, start, stop)
            slots, columns = places.columns(emit, taps)
            flows, turned = places.products(emit, taps)
            emit(
                spread, g.slice(2, start, stop),
                as_matrices(matrices.rows(start, stop)).transpose(0, 2, 1), turned=turned,
                flows=flows, columns=columns, slots=each_tap(slots, places),
                taps=each_tap(taps, places),
            )
        wides.append(wide)
    for wide in wides[1:]:
        emit(np.add, wides[0], wide, out=wides[0])
    emit(copy, places.inner(wides[0]), out=out)


def each_tap(taps: View, places: Places) -> tuple[View, ...]:
    """A view for each kernel position, in which no element is met twice."""
    axis, views = len(places.geometry.windows) + 1, [taps]
    for _ in places.geometry.kernel:
        views = [place for view in views for place in view.places(axis)]
    return tuple(views)


def weight_gradient_rule(emit: CallEmitter, node: Node) -> None:
    g, x = map(emit.read, node.inputs)
    out = emit.write(node.outputs[0])
    places = places_of(node, x.shape, out.shape[2:], g.shape[2:])
    wide, matrices = gathered(emit, places, x), places.matrices(out)
    for block in places.blocks(emit):
        for start, stop in block:
            taps = places.taps(wide, start, stop)
            slots, columns = places.columns(emit, taps)
            flows, turned = places.products(emit, taps)
            emit(
                correlate, g.slice(2, start, stop), taps,
                total=as_matrices(matrices.rows(start, stop)), slots=slots,
                columns=columns.transpose(0, 2, 1), turned=turned, flows=flows,
            )


RULES = {
    "local_conv": local_conv_rule, "local_conv_input_gradient": input_gradient_rule,
    "local_conv_weight_gradient": weight_gradient_rule,
}
