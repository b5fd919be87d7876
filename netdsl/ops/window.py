"""Sliding windows: the arithmetic that convolution and pooling share. Layout [N, C, spatial…]."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from netdsl.ir.dim import Dim, at_most, ceil_div
from netdsl.ir.op import ShapeError

Sizes = tuple[int, ...]
Pads = tuple[tuple[int, int], ...]  # for each spatial axis: before, after


def window_counts(
    sizes: tuple[Dim, ...], kernel: Sizes, stride: Sizes, pads: Pads, dilation: Sizes,
    ceil: bool = False,
) -> tuple[Dim, ...]:
    """How many windows fit on each spatial axis: ⌊(size + pads - span) / stride⌋ + 1.

    `ceil` rounds up instead, but lets no window start in the padding behind the input, as
    PyTorch does. Raises ShapeError when not even one window fits.
    """
    counts = []
    for i, dim in enumerate(sizes):
        before, after = pads[i]
        span = dilation[i] * (kernel[i] - 1) + 1
        room = dim + before + after - span
        if at_most(0, room) is False:
            raise ShapeError(
                f"a window of {span} does not fit into {dim} elements"
                + (f" with padding {before} + {after}" if before or after else ""), 0,
            )
        count = (ceil_div(room, stride[i]) if ceil else room // stride[i]) + 1
        if ceil and at_most(dim + before, (count - 1) * stride[i]) is True:
            count = count - 1
        counts.append(count)
    return tuple(counts)


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
