"""Layers that own parameters. Their parameters are named and shaped as in PyTorch."""

from __future__ import annotations

from netdsl.ir.graph import Initializer, Value
from netdsl.ir.op import ShapeError
from netdsl.layers.arguments import (
    Count,
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
from netdsl.ops import matmul as matmul_ops
from netdsl.ops import norm as norm_ops

ZEROS, ONES = Initializer("zeros"), Initializer("ones")


def fixed(x: Value, axis: int, what: str) -> int:
    """The size of an axis that parameters are shaped by. Raises ShapeError when it is free."""
    dim = x.shape[axis]
    if not isinstance(dim, int):
        raise ShapeError(
            f"{what} is {dim}: parameters cannot be shaped by a free dimension", 0,
            suggestion="give this axis a fixed size in the input's declaration",
        )
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
        raise ShapeError(f"needs [N, C, …] with 1 to 3 spatial axes, not rank {x.type.rank}", 0)
    channels = fixed(x, 1, "the channel axis")
    if channels % groups or c % groups:
        raise ShapeError(f"{groups} groups do not divide {channels} and {c} channels", 0)
    weight = b.parameter("weight", (c, channels // groups, *spatial(k, axes)), init)
    shift = b.parameter("bias", (c,), ZEROS) if bias else None
    return b.emit(
        conv_ops.conv, x, weight, shift, stride=spatial(stride, axes),
        pads=spatial_pads(pad, axes), dilation=spatial(dilation, axes), groups=groups,
    )


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
        raise ShapeError(f"needs [N, C, …], not rank {x.type.rank}", 0)
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


WORDS = (conv, linear, batchnorm)
