"""Layers whose parameters are kernels of windows. Named and shaped as in PyTorch, where it has
them."""

from __future__ import annotations

from dataclasses import replace
from math import gcd, prod

from netdsl.ir.graph import Initializer, Value
from netdsl.ir.op import ShapeError
from netdsl.layers.arguments import (
    Count,
    Extra,
    Flag,
    Init,
    Paddings,
    SamePadding,
    Sizes,
)
from netdsl.layers.neural import ZEROS, fixed
from netdsl.layers.windows import halves, spatial, spatial_axes, spatial_pads, window
from netdsl.layers.words import Site, layer
from netdsl.ops import conv as conv_ops
from netdsl.ops import elementwise, layout
from netdsl.ops import local as local_ops
from netdsl.ops.window import window_counts


def divided_channels(x: Value, c: int, groups: int) -> int:
    """The channels of x. Raises ShapeError where the groups do not divide them and c."""
    channels = fixed(x, 1, "the channel axis")
    if channels % groups or c % groups:
        raise ShapeError(f"{groups} groups do not divide {channels} and {c} channels", 0,
                         axes=((0, 1),), suggestion=f"`groups = {gcd(groups, channels, c)}`")
    return channels


def between(init: Initializer, inputs: int, outputs: int, kernel: tuple[int, ...]) -> Initializer:
    """The initialiser of kernels that join so many channels: an output sums the inputs of a window,
    an input reaches as many windows of outputs. Strides do not count."""
    return replace(init, fans=(inputs * prod(kernel), outputs * prod(kernel)))


@layer
def conv(
    b: Site, x: Value, *, c: Count, k: Sizes = 1, stride: Sizes = 1, pad: Paddings = 0,
    dilation: Sizes = 1, groups: Count = 1, bias: Flag = True, flip: Flag = False,
    init: Init = Initializer("he_normal"),
) -> Value:
    """Convolution to `c` channels with kernels of size `k`: x [N, C, …] gives [N, c, …].

    The rank of x decides between 1d, 2d and 3d; sizes are one number, or one for each spatial
    axis. With `pad = same`, n places become ⌈n / stride⌉ (ONNX's SAME_UPPER: of an odd padding
    the larger half lies behind; with `same_lower` before).

    It is cross-correlation, as in every framework: y[i] = Σ weight[j] · x[i + j]. `flip = true`
    turns the kernel round, which makes it the convolution of mathematics, that commutes and
    associates: y[i] = Σ weight[k - 1 - j] · x[i + j]. With k = 1 it is a weighted sum over the
    channels of each place, the same as `linear` with the channels last.

    Parameters: weight [c, C / groups, k, …] and, with `bias`, bias [c].
    """
    where = window(x, k, stride, pad, dilation)
    channels, kernel = divided_channels(x, c, groups), where.pop("kernel")
    init = between(init, channels // groups, c // groups, kernel)
    weight = b.parameter("weight", (c, channels // groups, *kernel), init)
    shift = b.parameter("bias", (c,), ZEROS) if bias else None
    if flip:
        weight = b.emit(layout.flip, weight, axes=tuple(range(2, x.type.rank)))
    return b.emit(conv_ops.conv, x, weight, shift, groups=groups, **where)


@layer
def deconv(
    b: Site, x: Value, *, c: Count, k: Sizes = 1, stride: Sizes = 1, pad: Paddings = 0,
    out_pad: Extra = 0, dilation: Sizes = 1, groups: Count = 1, bias: Flag = True,
    init: Init = Initializer("he_normal"),
) -> Value:
    """Transposed convolution to `c` channels: the way back through the sizes of `conv`.

    An axis of size n becomes stride · (n - 1) + dilation · (k - 1) + 1 - padding + out_pad.
    `out_pad`, below the stride, chooses among the sizes that `conv` would map to n; `pad = same`
    gives n · stride. Parameters: weight [C, c / groups, k, …] and, with `bias`, bias [c].
    """
    axes = spatial_axes(x)
    channels = divided_channels(x, c, groups)
    kernel, steps = spatial(x, k=k), spatial(x, stride=stride)
    gaps, extra = spatial(x, dilation=dilation), spatial(x, out_pad=out_pad)
    spans = [gap * (kern - 1) + 1 for gap, kern in zip(gaps, kernel)]
    if isinstance(pad, SamePadding):
        if any(extra):
            raise ShapeError("`out_pad` has no place beside `pad = same`, which gives n · stride",
                             suggestion="leave one of them out")
        pads = tuple(halves(max(0, span - step), pad) for span, step in zip(spans, steps))
        extra = tuple(max(0, step - span) for span, step in zip(spans, steps))
    else:
        pads = spatial_pads(x, pad)
    for more, step in zip(extra, steps):
        if more >= step:
            raise ShapeError(f"`out_pad` of {more} is not below the stride of {step}",
                             suggestion=f"`out_pad = {step - 1}`" if step > 1 else "leave it out")
    sizes = tuple(
        step * (n - 1) + span - sum(sides) + more
        for n, step, span, sides, more in zip(x.shape[2:], steps, spans, pads, extra)
    )
    for axis, (n, sides) in enumerate(zip(sizes, pads), 2):
        if isinstance(n, int) and n < 1:
            raise ShapeError(f"nothing is left of {x.type}: the padding {sides[0]} + {sides[1]} "
                             "cuts away more than there is", 0, axes=((0, axis),),
                             suggestion=f"at most `pad = {(n + sum(sides) - 1) // 2}`")
    init = between(init, channels // groups, c // groups, kernel)
    weight = b.parameter("weight", (channels, c // groups, *kernel), init)
    y = b.emit(
        conv_ops.conv_input_gradient, x, weight, shape=(x.shape[0], c, *sizes), stride=steps,
        pads=pads, dilation=gaps, groups=groups,
    )
    if not bias:
        return y
    column = b.emit(layout.reshape, b.parameter("bias", (c,), ZEROS), shape=(1, c, *(1,) * axes))
    return b.emit(elementwise.add, y, column)


@layer
def local_conv(
    b: Site, x: Value, *, c: Count, k: Sizes = 1, stride: Sizes = 1, pad: Paddings = 0,
    dilation: Sizes = 1, bias: Flag = True, init: Init = Initializer("he_normal"),
) -> Value:
    """A convolution that shares no weights: every place of the result has kernels and a bias of
    its own (Taigman et al. 2014; Keras' LocallyConnected). x [N, C, …] gives [N, c, …].

    It does the work of `conv` with the parameters of as many convolutions as there are places,
    so that the sizes of x must be known. Parameters: weight [c · places, C, k, …], a kernel for
    each element of the result in its order, and, with `bias`, bias [c, …].
    """
    where = window(x, k, stride, pad, dilation)
    channels, kernel = fixed(x, 1, "the channel axis"), where.pop("kernel")
    sizes = tuple(fixed(x, axis, "a spatial axis") for axis in range(2, x.type.rank))
    counts = window_counts(sizes, kernel, **where)
    init = between(init, channels, c, kernel)
    weight = b.parameter("weight", (c * prod(counts), channels, *kernel), init)
    y = b.emit(local_ops.local_conv, x, weight, filters=c, **where)
    if not bias:
        return y
    shift = b.parameter("bias", (c, *counts), ZEROS)
    return b.emit(elementwise.add, y, b.emit(layout.reshape, shift, shape=(1, c, *counts)))


WORDS = (conv, deconv, local_conv)
