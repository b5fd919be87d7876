"""Layers that own parameters. Their parameters are named and shaped as in PyTorch."""

from __future__ import annotations

from netdsl.ir.graph import Initializer, Value
from netdsl.ir.op import RankError, ShapeError
from netdsl.layers.arguments import (
    Count,
    Extra,
    Flag,
    Init,
    Paddings,
    Real,
    Sizes,
    spatial,
    spatial_pads,
)
from netdsl.layers.words import Site, layer
from netdsl.ops import conv as conv_ops
from netdsl.ops import elementwise, indexing, layout, reduction, rownorm
from netdsl.ops import matmul as matmul_ops
from netdsl.ops import norm as norm_ops
from netdsl.ops.elementwise import Term

ZEROS, ONES = Initializer("zeros"), Initializer("ones")


def fixed(x: Value, axis: int, what: str) -> int:
    """The size of an axis that parameters are shaped by. Raises ShapeError when it is free."""
    dim = x.shape[axis]
    if not isinstance(dim, int):
        raise ShapeError(
            f"{what} is {dim}: parameters cannot be shaped by a free dimension", 0,
            suggestion="give this axis a fixed size in the input's declaration",
            axes=((0, axis % x.type.rank),),
        )
    if dim == 0:
        raise ShapeError(f"{what} of {x.type} has no elements", 0, axes=((0, axis % x.type.rank),))
    return dim


@layer
def conv(
    b: Site, x: Value, *, c: Count, k: Sizes = 1, stride: Sizes = 1, pad: Paddings = 0,
    dilation: Sizes = 1, groups: Count = 1, bias: Flag = True,
    init: Init = Initializer("he_normal"),
) -> Value:
    """Convolution to `c` channels with kernels of size `k`: x [N, C, …] gives [N, c, …].

    The rank of x decides between 1d, 2d and 3d; sizes are one number, or one for each spatial
    axis. It is cross-correlation: the kernel is not flipped. Parameters: weight
    [c, C / groups, k, …] and, with `bias`, bias [c].
    """
    axes = x.type.rank - 2
    if axes not in (1, 2, 3):
        raise RankError(f"needs [N, C, …] with 1 to 3 spatial axes, not rank {x.type.rank}", 0)
    channels = fixed(x, 1, "the channel axis")
    if channels % groups or c % groups:
        raise ShapeError(f"{groups} groups do not divide {channels} and {c} channels", 0,
                         axes=((0, 1),))
    weight = b.parameter("weight", (c, channels // groups, *spatial(k, axes)), init)
    shift = b.parameter("bias", (c,), ZEROS) if bias else None
    return b.emit(
        conv_ops.conv, x, weight, shift, stride=spatial(stride, axes),
        pads=spatial_pads(pad, axes), dilation=spatial(dilation, axes), groups=groups,
    )


@layer
def deconv(
    b: Site, x: Value, *, c: Count, k: Sizes = 1, stride: Sizes = 1, pad: Paddings = 0,
    out_pad: Extra = 0, dilation: Sizes = 1, groups: Count = 1, bias: Flag = True,
    init: Init = Initializer("he_normal"),
) -> Value:
    """Transposed convolution to `c` channels: the way back through the sizes of `conv`.

    An axis of size n becomes stride · (n - 1) + dilation · (k - 1) + 1 - padding + out_pad.
    `out_pad`, below the stride, chooses among the sizes that `conv` would map to n. Parameters:
    weight [C, c / groups, k, …] and, with `bias`, bias [c].
    """
    axes = x.type.rank - 2
    if axes not in (1, 2, 3):
        raise RankError(f"needs [N, C, …] with 1 to 3 spatial axes, not rank {x.type.rank}", 0)
    channels = fixed(x, 1, "the channel axis")
    if channels % groups or c % groups:
        raise ShapeError(f"{groups} groups do not divide {channels} and {c} channels", 0,
                         axes=((0, 1),))
    kernel, steps, pads = spatial(k, axes), spatial(stride, axes), spatial_pads(pad, axes)
    gaps, extra = spatial(dilation, axes), spatial(out_pad, axes)
    if any(more >= step for more, step in zip(extra, steps)):
        raise ShapeError("`out_pad` is not below the stride")
    sizes = tuple(
        step * (n - 1) + gap * (kern - 1) + 1 - sum(sides) + more
        for n, step, gap, kern, sides, more in zip(x.shape[2:], steps, gaps, kernel, pads, extra)
    )
    if any(isinstance(n, int) and n < 1 for n in sizes):
        raise ShapeError(f"nothing is left of {x.type}: the padding is too wide", 0)
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
def linear(
    b: Site, x: Value, *, c: Count, bias: Flag = True,
    init: Init = Initializer("lecun_uniform"),
) -> Value:
    """Every row of the last axis to `c` features: x Wᵀ + b.

    Parameters: weight [c, features of x] and, with `bias`, bias [c].
    """
    if x.type.rank < 1:
        raise ShapeError("a scalar has no axis to work on", 0)
    if x.type.rank > 2 and isinstance(x.shape[-1], int) and x.shape[-1] == x.shape[-2] == 1:
        raise ShapeError(f"it works on the last axis of {x.type}, which has size 1", 0,
                         suggestion="`-> flatten` first")
    weight = b.parameter("weight", (c, fixed(x, -1, "the last axis")), init)
    shift = b.parameter("bias", (c,), ZEROS) if bias else None
    return b.emit(matmul_ops.linear, x, weight, shift)


@layer
def batchnorm(b: Site, x: Value, *, eps: Real = 1e-5, momentum: Real = 0.1) -> Value:
    """Each channel to mean 0 and variance 1, then scaled and shifted (Ioffe & Szegedy 2015).

    Training uses the batch's statistics and moves the running ones by `momentum`; inference uses
    the running ones. Parameters: weight and bias [C]; buffers: running_mean, running_var [C].
    """
    if x.type.rank < 2:
        raise RankError(f"needs [N, C, …], not rank {x.type.rank}", 0)
    shape = (fixed(x, 1, "the channel axis"),)
    y, mean, variance, *_ = b.emit(
        norm_ops.batch_norm, x,
        b.parameter("weight", shape, ONES), b.parameter("bias", shape, ZEROS),
        b.buffer("running_mean", shape, ZEROS), b.buffer("running_var", shape, ONES),
        eps=eps, momentum=momentum,
    )
    b.update("running_mean", mean)
    b.update("running_var", variance)
    return y


@layer
def weightnorm_linear(
    b: Site, x: Value, *, c: Count, bias: Flag = True, init: Init = Initializer("lecun_uniform")
) -> Value:
    """x Wᵀ + b over the last axis, each row of W of a length that is learnt apart from its
    direction: W = weight_g · weight_v / ‖weight_v‖ (Salimans & Kingma 2016).

    Parameters: weight_v [c, in], weight_g [c, 1], which begins as 1, and, with `bias`, bias [c].
    """
    if not x.type.rank:
        raise ShapeError("a scalar has no axis to work on", 0)
    v = Term(b.emit, b.parameter("weight_v", (c, fixed(x, -1, "the last axis")), init))
    g = Term(b.emit, b.parameter("weight_g", (c, 1), ONES))
    shift = b.parameter("bias", (c,), ZEROS) if bias else None
    square = Term(b.emit, b.emit(reduction.sum_, (v * v).value, axes=(1,), keep=True))
    return b.emit(matmul_ops.linear, x, (v * (g / square.then(elementwise.sqrt))).value, shift)


# ------------------------------------------------------------------ norms of single examples


@layer
def layernorm(b: Site, x: Value, *, eps: Real = 1e-5, bias: Flag = True) -> Value:
    """The last axis to mean 0 and variance 1, then scaled and shifted (Ba et al. 2016).

    Each row by itself, in training as in inference. Parameters: weight [D] and, with `bias`,
    bias [D], D the size of the last axis.
    """
    if not x.type.rank:
        raise ShapeError("a scalar has no axis to normalise", 0)
    shape = (fixed(x, -1, "the last axis"),)
    weight = b.parameter("weight", shape, ONES)
    shift = b.parameter("bias", shape, ZEROS) if bias else None
    return b.emit(rownorm.layer_norm, x, weight, shift, eps=eps)[0]


@layer
def rmsnorm(b: Site, x: Value, *, eps: Real = 1e-5) -> Value:
    """x / √(mean(x²) + eps) over the last axis, then scaled (Zhang & Sennrich 2019).

    Parameters: weight [D], D the size of the last axis.
    """
    if not x.type.rank:
        raise ShapeError("a scalar has no axis to normalise", 0)
    weight = b.parameter("weight", (fixed(x, -1, "the last axis"),), ONES)
    return b.emit(rownorm.rms_norm, x, weight, eps=eps)[0]


@layer
def groupnorm(b: Site, x: Value, *, groups: Count, eps: Real = 1e-5) -> Value:
    """Each group of channels to mean 0 and variance 1, then scaled and shifted (Wu & He 2018).

    Each example by itself, in training as in inference: x [N, C, …], `groups` divides C; with one
    group for each channel it is instance norm. Parameters: weight and bias [C].
    """
    if x.type.rank < 2:
        raise RankError(f"needs [N, C, …], not rank {x.type.rank}", 0)
    shape = (fixed(x, 1, "the channel axis"),)
    if shape[0] % groups:
        raise ShapeError(f"{groups} groups do not divide {shape[0]} channels", 0, axes=((0, 1),))
    return b.emit(
        rownorm.group_norm, x, b.parameter("weight", shape, ONES),
        b.parameter("bias", shape, ZEROS), groups=groups, eps=eps,
    )[0]


# ------------------------------------------------------------------ embedding, prelu


@layer
def embedding(
    b: Site, x: Value, *, n: Count, c: Count, init: Init = Initializer("normal", (0.0, 1.0))
) -> Value:
    """A vector of size `c` for each whole number 0..n: x [B, L] gives [B, L, c].

    A number outside is refused: when it is fed, or where an input declares its range. The table
    can be read by its path, to tie it: `transpose(wte.weight)`. Parameters: weight [n, c].
    """
    wider = b.beyond(x, 0, n)
    if wider is not None:
        low, high = wider
        raise ShapeError(f"the numbers lie in {low}..{high}, the table has {n} rows", 0)
    return b.emit(indexing.gather, b.parameter("weight", (n, c), init), x, axis=0)


@layer
def prelu(
    b: Site, x: Value, *, c: Count = 1, init: Init = Initializer("constant", (0.25,))
) -> Value:
    """x above 0, weight · x below: a relu whose lower slope is learnt (He et al. 2015).

    One slope, or with `c` one for each of the c channels of axis 1. Parameters: weight [c].
    """
    if c != 1 and (x.type.rank < 2 or x.shape[1] != c):
        raise ShapeError(f"{x.type} has no axis 1 of {c} channels", 0)
    weight = b.parameter("weight", (c,), init)
    if x.type.rank > 1:
        weight = b.emit(layout.reshape, weight, shape=(1, c, *(1,) * (x.type.rank - 2)))
    elif not x.type.rank:
        weight = b.emit(layout.reshape, weight, shape=())
    below, slope = Term(b.emit, x), Term(b.emit, weight)
    return (below > 0.0).choose(below, slope * below).value


WORDS = (
    conv, deconv, linear, weightnorm_linear, batchnorm, layernorm, rmsnorm, groupnorm, embedding,
    prelu,
)
