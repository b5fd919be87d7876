"""Examples of matrix products, convolutions and pools."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from netdsl.ir.dim import Dim
from netdsl.ir.tensor import TensorType
from netdsl.ops import OPS
from netdsl.ops.pool import LpPoolAttrs, PoolAttrs, lp_pool_kernel, max_pool_kernel
from operands import Array, B, Shape, example

PRODUCTS = (
    example("matmul", (B, 3), (3, 4)),
    example("matmul", (B, 2, 3), (B, 3, 4)),
    example("matmul", (B, 2, 1, 3), (B, 2, 3, 1)),
    example("matmul", (1, 1), (1, 1)),
    example("matmul", (5, B), (B, 2)),
    example("matmul", (B, 2, 3), (3, 4)),
    example("matmul", (2, B, 2, 3), (3, 1)),
    example("linear", (B, 3), (4, 3), (4,)),
    example("linear", (B, 3), (4, 3), None),
    example("linear", (B, 2, 3), (4, 3), (4,)),
    example("linear", (3,), (4, 3), (4,)),
    example("linear", (B, 1), (1, 1), (1,)),
)


@dataclass(frozen=True)
class Window:
    """A convolution: sizes of x [B, C, …], of the weight [F, C / groups, …], and how."""

    sizes: tuple[int, ...]
    kernel: tuple[int, ...]
    channels: int = 2
    filters: int = 3
    stride: tuple[int, ...] | None = None
    pads: tuple[tuple[int, int], ...] | None = None
    dilation: tuple[int, ...] | None = None
    groups: int = 1
    bias: bool = False
    batch: Dim = B

    @property
    def attrs(self) -> dict:
        one = (1,) * len(self.sizes)
        return {
            "stride": self.stride or one, "pads": self.pads or ((0, 0),) * len(self.sizes),
            "dilation": self.dilation or one, "groups": self.groups,
        }

    @property
    def shapes(self) -> tuple[Shape, Shape, Shape]:
        """Of x, the weight and y."""
        counts = tuple(
            (n + sum(p) - d * (k - 1) - 1) // s + 1
            for n, k, s, p, d in zip(self.sizes, self.kernel, self.attrs["stride"],
                                     self.attrs["pads"], self.attrs["dilation"])
        )
        return (
            (self.batch, self.channels, *self.sizes),
            (self.filters, self.channels // self.groups, *self.kernel),
            (self.batch, self.filters, *counts),
        )


WINDOWS = {
    "plain": Window((5, 4), (3, 3)),
    "bias": Window((4, 4), (3, 3), pads=((1, 1), (1, 1)), bias=True),
    "same": Window((6, 5), (3, 3), channels=3, pads=((1, 1), (1, 1))),
    "1x1": Window((3, 4), (1, 1), channels=4, filters=2),
    "1x1 stride 2": Window((5, 5), (1, 1), stride=(2, 2)),
    "1x1 padded": Window((3, 3), (1, 1), pads=((1, 1), (0, 2))),
    "stride 2": Window((6, 7), (3, 3), stride=(2, 2), pads=((1, 1), (1, 1))),
    "stride 3": Window((8, 7), (2, 2), stride=(3, 3)),
    "stride over kernel": Window((7, 7), (2, 1), stride=(4, 3)),
    "two strides": Window((6, 6), (3, 2), stride=(1, 2), pads=((0, 1), (1, 0))),
    "even kernel": Window((5, 5), (2, 4), pads=((1, 0), (1, 2))),
    "dilation": Window((7, 8), (3, 2), dilation=(2, 3)),
    "dilation and stride": Window((9, 9), (3, 3), stride=(2, 1), dilation=(2, 2),
                                  pads=((2, 2), (2, 2))),
    "asymmetric": Window((4, 4), (3, 3), pads=((2, 0), (0, 2))),
    "wide padding": Window((2, 2), (3, 3), pads=((3, 2), (2, 3))),
    "groups": Window((4, 4), (3, 3), channels=4, filters=6, groups=2, pads=((1, 1), (1, 1))),
    "depthwise": Window((5, 5), (3, 3), channels=3, filters=3, groups=3, pads=((1, 1), (1, 1))),
    "depthwise, twice": Window((4, 4), (2, 2), channels=2, filters=4, groups=2, stride=(2, 2)),
    "grouped 1x1": Window((3, 3), (1, 1), channels=4, filters=4, groups=2, bias=True),
    "one pixel": Window((1, 1), (3, 3), pads=((1, 1), (1, 1))),
    "whole image": Window((3, 4), (3, 4), filters=5),
    "one image": Window((4, 4), (3, 3), pads=((1, 1), (1, 1)), batch=1),
    "one channel": Window((4, 4), (3, 3), channels=1, filters=1),
    "one axis": Window((7,), (3,), pads=((1, 2),), stride=(2,), bias=True),
    "three axes": Window((3, 4, 3), (2, 3, 2), stride=(1, 2, 1), pads=((0, 1), (1, 1), (0, 0))),
    "leftover rows": Window((8, 6), (3, 3), stride=(3, 2)),
}


def window_examples():
    for note, window in WINDOWS.items():
        x, weight, y = window.shapes
        bias = (window.filters,) if window.bias else None
        yield example("conv", x, weight, bias, note=note, **window.attrs)
        yield example("conv_input_gradient", y, weight, note=note, shape=x, **window.attrs)
        yield example("conv_weight_gradient", y, x, note=note, shape=weight, **window.attrs)


LOCAL = ("same", "1x1 padded", "stride 3", "stride over kernel", "even kernel",
         "dilation and stride", "one pixel", "one image", "one axis", "three axes")


def local_examples():
    for note in LOCAL:
        window = WINDOWS[note]
        x, (filters, channels, *kernel), y = window.shapes
        weight = (filters * prod(y[2:]), channels, *kernel)
        attrs = {**window.attrs, "filters": filters}
        del attrs["groups"]
        yield example("local_conv", x, weight, note=note, **attrs)
        yield example("local_conv_input_gradient", y, weight, note=note, shape=x, **attrs)
        yield example("local_conv_weight_gradient", y, x, note=note, shape=weight, **attrs)


# ------------------------------------------------------------------ pooling


def pool(kernel, stride=None, pads=None, dilation=None, ceil=False) -> dict:
    none = (0, 0)
    return {
        "kernel": kernel, "stride": stride or kernel,
        "pads": pads or (none,) * len(kernel), "dilation": dilation or (1,) * len(kernel),
        "ceil": ceil,
    }


POOLS = {
    "halves": ((B, 2, 4, 6), pool((2, 2))),
    "overlap": ((B, 2, 7, 6), pool((3, 3), (2, 2), ((1, 1), (1, 1)))),
    "leftover rows": ((B, 1, 5, 7), pool((2, 3))),
    "ceil": ((B, 2, 5, 6), pool((2, 2), (2, 2), ceil=True)),
    "ceil and padding": ((B, 1, 6, 7), pool((3, 3), (2, 2), ((1, 1), (1, 1)), ceil=True)),
    "ceil, stride 3": ((B, 1, 7, 5), pool((2, 2), (3, 3), ((1, 0), (0, 1)), ceil=True)),
    "gaps": ((B, 2, 7, 7), pool((2, 2), (3, 3))),
    "stride 1": ((B, 2, 4, 4), pool((2, 2), (1, 1))),
    "asymmetric": ((B, 1, 4, 4), pool((3, 2), (1, 2), ((1, 0), (0, 1)))),
    "one pixel": ((B, 3, 1, 1), pool((1, 1))),
    "whole image": ((B, 2, 3, 4), pool((3, 4))),
    "one image": ((1, 2, 4, 4), pool((2, 2))),
    "one axis": ((B, 2, 7), pool((3,), (2,), ((1, 1),))),
    "three axes": ((B, 1, 4, 2, 3), pool((2, 2, 1))),
    "dilation": ((B, 1, 7, 6), pool((2, 3), (1, 2), dilation=(3, 2))),
}


# padding of up to half a window, which counts its gaps
POOLS |= {
    "dilation and padding": ((B, 1, 5, 6), pool((3, 2), (2, 1), ((2, 1), (1, 1)), (2, 3))),
    "gaps over few elements": ((B, 1, 1, 4), pool((3, 2), (1, 2), ((2, 2), (0, 1)), (2, 1))),
}


def pool_window(shape: Shape, attrs: dict) -> Shape:
    """The shape of what comes out, through the op's own rule."""
    y = OPS["max_pool"].shape(PoolAttrs(**attrs), TensorType("f32", shape))
    return y.shape


def pooled(a: PoolAttrs, g: np.ndarray, x: np.ndarray) -> np.ndarray:
    return max_pool_kernel(a, x)


def normed(a: LpPoolAttrs, g: np.ndarray, x: np.ndarray) -> np.ndarray:
    return lp_pool_kernel(a, x)


def pool_examples():
    for note, (shape, attrs) in POOLS.items():
        out = pool_window(shape, attrs)
        yield example("max_pool", shape, note=note, **attrs)
        yield example("max_pool_input_gradient", out, shape, Array(out, derive=pooled),
                      note=note, **attrs)
        for p in (1, 2, 3) if note in ("overlap", "ceil and padding") else (2,):
            yield example("lp_pool", shape, note=f"{note}, p = {p}", p=p, **attrs)
        yield example("lp_pool_input_gradient", out, shape, Array(out, derive=normed),
                      note=note, **attrs)
        for counted in (True, False):
            named = f"{note}, {'with' if counted else 'without'} padding"
            yield example("average_pool", shape, note=named, count_pad=counted, **attrs)
            yield example("average_pool_input_gradient", out, note=named, shape=shape,
                          count_pad=counted, **attrs)
    shape, attrs = POOLS["overlap"]
    out = pool_window(shape, attrs)
    ties = Array(shape, derive=lambda a, g: np.round(g.sum()) * np.ones((len(g), *shape[1:]),
                                                                        g.dtype))
    yield example("max_pool_input_gradient", out, ties, Array(out, derive=pooled),
                  note="first of equals", **attrs)


EXAMPLES = (*PRODUCTS, *window_examples(), *local_examples(), *pool_examples())
