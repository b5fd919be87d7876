"""Sliding windows: the arithmetic that convolution and pooling share. Layout [N, C, spatial…]."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

from netdsl.ir.assumptions import within
from netdsl.ir.dim import Dim, ceil_div
from netdsl.ir.op import Origin, ShapeError
from netdsl.ir.tensor import show_factor

Sizes = tuple[int, ...]
Pads = tuple[tuple[int, int], ...]  # for each spatial axis: before, after


def window_counts(
    sizes: tuple[Dim, ...], kernel: Sizes, stride: Sizes, pads: Pads, dilation: Sizes,
    ceil: bool = False,
) -> tuple[Dim, ...]:
    """How many windows fit on each spatial axis: ⌊(size + pads - span) / stride⌋ + 1.

    `ceil` rounds up instead, but lets no window start in the padding behind the input, as
    PyTorch does: where a free size may bring it there, it is assumed not to. Raises ShapeError
    when not even one window fits.
    """
    counts = []
    for i, dim in enumerate(sizes):
        before, after = pads[i]
        span = dilation[i] * (kernel[i] - 1) + 1
        room = dim + before + after - span
        if not within(0, room):
            raise ShapeError(
                f"a window of {span} does not fit into {dim} element{'s' * (dim != 1)}"
                + (f" with padding {before} + {after}" if before or after else ""), 0,
                axes=((0, i + 2),),
            )
        count = (ceil_div(room, stride[i]) if ceil else room // stride[i]) + 1
        last = (count - 1) * stride[i]
        if ceil and isinstance(dim, int) and last >= dim + before:
            count = count - 1
        elif ceil and stride[i] + after > span and not within(last + 1, dim + before):
            raise ShapeError(f"the last window starts behind {dim} elements", 0, axes=((0, i + 2),))
        counts.append(count)
    return tuple(counts)


SPATIAL = {1: ("length",), 2: ("rows", "columns"), 3: ("depth", "rows", "columns")}


def window_origin(a: Any, kernel: Sizes, x: Any, y: Any, axis: int) -> Origin:
    """The origin facet for the spatial axes of y, made of x by these windows: one step of
    `window_counts`, written out."""
    i = axis - 2
    name = SPATIAL[len(kernel)][i]
    have, made = x.shape[axis], y.shape[axis]
    if have == made:
        return Origin(0, axis, name=name)
    (before, after), k, stride, dilation = a.pads[i], kernel[i], a.stride[i], a.dilation[i]
    padding = f"2 * {before}" if before == after else f"{before} + {after}"
    span = f"{k}" if dilation == 1 else f"{dilation} * ({k} - 1) - 1"
    room = f"({show_factor(have)} + {padding} - {span})"
    settings = f"k = {k}, pad = {before if before == after else a.pads[i]}, stride = {stride}"
    settings += f", dilation = {dilation}" if dilation > 1 else ""
    if not getattr(a, "ceil", False):
        return Origin(0, axis, f"{room} // {stride} + 1", settings, name)
    count = ceil_div(have + before + after - dilation * (k - 1) - 1, stride) + 1
    last = " + 1" if count == made else ""  # a window that would start in the padding is left out
    return Origin(0, axis, f"ceil({room} / {stride}){last}", f"{settings}, ceil = true", name)


def padded(x: np.ndarray, pads: Pads, value: float = 0, extra: Sizes | None = None) -> np.ndarray:
    """x with its spatial axes padded; `extra` widens further behind (windows of `ceil`)."""
    extra = extra or (0,) * len(pads)
    widths = [(0, 0)] * (x.ndim - len(pads))
    widths += [(before, after + more) for (before, after), more in zip(pads, extra)]
    return np.pad(x, widths, constant_values=value) if any(map(any, widths)) else x


def overhang(
    sizes: Sizes, counts: Sizes, kernel: Sizes, stride: Sizes, pads: Pads, dilation: Sizes
) -> Sizes:
    """How far the last window of each axis reaches beyond the padded input."""
    return tuple(
        max(0, (counts[i] - 1) * stride[i] + dilation[i] * (kernel[i] - 1) + 1
            - (sizes[i] + sum(pads[i])))
        for i in range(len(sizes))
    )


def taps(
    counts: Sizes, kernel: Sizes, stride: Sizes, dilation: Sizes
) -> Iterator[tuple[Sizes, tuple[slice, ...]]]:
    """For every kernel position, the spatial slices of the padded input that it meets: one
    element for each window."""
    for tap in product(*map(range, kernel)):
        yield tap, tuple(
            slice(tap[i] * dilation[i], tap[i] * dilation[i] + (counts[i] - 1) * stride[i] + 1,
                  stride[i])
            for i in range(len(kernel))
        )


def cropped(x: np.ndarray, pads: Pads, sizes: Sizes) -> np.ndarray:
    """The part of a padded array that is the input itself."""
    inner = tuple(slice(before, before + n) for (before, _), n in zip(pads, sizes))
    return x[(..., *inner)]
