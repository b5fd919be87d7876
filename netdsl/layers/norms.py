"""Layers that bring tensors to mean 0 and variance 1. Their parameters are named and shaped as in
PyTorch.

Each has `init` for the scale that it begins with. With `init = zeros()` in the last norm of a
residual branch, the branch begins as nothing and the network as the identity (Goyal et al. 2017).
"""

from __future__ import annotations

from math import gcd, prod

from netdsl.ir.graph import Initializer, Value
from netdsl.ir.op import RankError, ShapeError
from netdsl.layers.arguments import AboveZero, Count, Flag, Init, NotNegative, Share
from netdsl.layers.neural import ONES, ZEROS, fixed
from netdsl.layers.words import Site, function, layer
from netdsl.ops import constant, layout, rownorm
from netdsl.ops import norm as norm_ops


def channels_of(x: Value) -> tuple[int]:
    """[C]. Raises RankError for what has no channels."""
    if x.type.rank < 2:
        raise RankError(f"needs [N, C, …], not rank {x.type.rank}", 0)
    return (fixed(x, 1, "the channel axis"),)


def scale_and_shift(
    b: Site, x: Value, shape: tuple[int, ...], affine: bool, init: Initializer
) -> tuple[Value, Value]:
    """The parameters weight and bias, or 1 and 0 where nothing is learnt."""
    if affine:
        return b.parameter("weight", shape, init), b.parameter("bias", shape, ZEROS)
    one, zero = (b.emit(constant.full, value=value, shape=shape, dtype=x.dtype)
                 for value in (1.0, 0.0))
    return one, zero


@layer
def batchnorm(
    b: Site, x: Value, *, eps: NotNegative = 1e-5, momentum: Share = 0.1, affine: Flag = True,
    init: Init = ONES,
) -> Value:
    """Each channel to mean 0 and variance 1, then scaled and shifted (Ioffe & Szegedy 2015).

    Training uses the batch's statistics and moves the running ones by `momentum`, as PyTorch
    counts it: running ← 0.9 · running + 0.1 · batch. Inference uses the running ones. A batch in
    which a channel has one value alone is refused in training.

    Parameters, with `affine`: weight [C], which begins as `init`, and bias [C]; buffers:
    running_mean, running_var [C]. `init = zeros()` in the last norm of a residual branch lets the
    block begin as the identity (Goyal et al. 2017).
    """
    shape = channels_of(x)
    weight, bias = scale_and_shift(b, x, shape, affine, init)
    y, mean, variance, *_ = b.emit(
        norm_ops.batch_norm, x, weight, bias,
        b.buffer("running_mean", shape, ZEROS), b.buffer("running_var", shape, ONES),
        eps=eps, momentum=momentum,
    )
    b.update("running_mean", mean)
    b.update("running_var", variance)
    return y


# ------------------------------------------------------------------ norms of single examples


@layer
def layernorm(
    b: Site, x: Value, *, eps: NotNegative = 1e-5, axes: Count = 1, affine: Flag = True,
    bias: Flag = True, init: Init = ONES,
) -> Value:
    """The last axis, or the last `axes` together, to mean 0 and variance 1, then scaled and shifted
    (Ba et al. 2016).

    Each row by itself, in training as in inference. Parameters, with `affine`: weight, of the
    sizes of these axes, which begins as `init`, and, with `bias`, bias.
    """
    shape = last_axes(x, axes)
    rows = flattened(b, x, (*x.shape[: x.type.rank - axes], prod(shape)))
    weight, shift = row_scale(b, x, shape, affine, init), None
    if affine and bias:
        shift = flattened(b, b.parameter("bias", shape, ZEROS), (prod(shape),))
    return flattened(b, b.emit(rownorm.layer_norm, rows, weight, shift, eps=eps)[0], x.shape)


def last_axes(x: Value, axes: int) -> tuple[int, ...]:
    """The sizes of the last axes, which parameters are shaped by."""
    if x.type.rank < axes:
        raise RankError(f"needs rank {axes} at least, not rank {x.type.rank}", 0)
    return tuple(fixed(x, -i, "the last axis" if axes == 1 else f"axis {x.type.rank - i}")
                 for i in range(axes, 0, -1))


def flattened(b: Site, x: Value, shape: tuple) -> Value:
    return x if x.shape == shape else b.emit(layout.reshape, x, shape=shape)


def row_scale(
    b: Site, x: Value, shape: tuple[int, ...], affine: bool, init: Initializer
) -> Value:
    """The parameter weight as a vector, or 1 where nothing is learnt."""
    if affine:
        return flattened(b, b.parameter("weight", shape, init), (prod(shape),))
    return b.emit(constant.full, value=1.0, shape=(prod(shape),), dtype=x.dtype)


@layer
def rmsnorm(
    b: Site, x: Value, *, eps: NotNegative = 1e-5, axes: Count = 1, affine: Flag = True,
    init: Init = ONES,
) -> Value:
    """x / √(mean(x²) + eps) over the last axis, or the last `axes` together, then scaled (Zhang &
    Sennrich 2019).

    Parameters, with `affine`: weight, of the sizes of these axes, which begins as `init`.
    """
    shape = last_axes(x, axes)
    rows = flattened(b, x, (*x.shape[: x.type.rank - axes], prod(shape)))
    weight = row_scale(b, x, shape, affine, init)
    return flattened(b, b.emit(rownorm.rms_norm, rows, weight, eps=eps)[0], x.shape)


@layer
def groupnorm(
    b: Site, x: Value, *, groups: Count, eps: NotNegative = 1e-5, affine: Flag = True,
    init: Init = ONES,
) -> Value:
    """Each group of channels to mean 0 and variance 1, then scaled and shifted (Wu & He 2018).

    Each example by itself, in training as in inference: x [N, C, …], `groups` divides C; with one
    group for each channel it is `instancenorm`. Parameters, with `affine`: weight [C], which
    begins as `init`, and bias [C].
    """
    shape = channels_of(x)
    if shape[0] % groups:
        raise ShapeError(f"{groups} groups do not divide {shape[0]} channels", 0, axes=((0, 1),),
                         suggestion=f"`groups = {gcd(groups, shape[0])}`")
    weight, bias = scale_and_shift(b, x, shape, affine, init)
    return b.emit(rownorm.group_norm, x, weight, bias, groups=groups, eps=eps)[0]


@layer
def instancenorm(
    b: Site, x: Value, *, eps: NotNegative = 1e-5, affine: Flag = False, init: Init = ONES
) -> Value:
    """Each channel of each example to mean 0 and variance 1 over its places (Ulyanov et al. 2016).

    In training as in inference: nothing runs along. As in PyTorch, nothing is learnt unless
    `affine = true`. Parameters then: weight [C], which begins as `init`, and bias [C].
    """
    shape = channels_of(x)
    if all(n == 1 for n in x.shape[2:]):
        raise ShapeError(f"a channel of {x.type} has one value: its norm would always be 0", 0)
    weight, bias = scale_and_shift(b, x, shape, affine, init)
    return b.emit(rownorm.group_norm, x, weight, bias, groups=shape[0], eps=eps)[0]


@function
def lrn(
    b: Site, x: Value, *, size: Count = 5, alpha: AboveZero = 1e-4, beta: AboveZero = 0.75,
    k: NotNegative = 1.0,
) -> Value:
    """Local response normalisation (Krizhevsky et al. 2012): each element of [N, C, …] divided by
    (k + alpha / size · Σ x²)ᵝ, the sum over `size` neighbouring channels at its place.

    `alpha` is divided by `size` as in PyTorch and ONNX; AlexNet's paper is not: its α of 1e-4 is
    `lrn(5, alpha = 5e-4, k = 2)`. Of an even size the larger half comes before the channel, as in
    PyTorch; in ONNX it comes behind, so that such a one is exported as a pool over channels.
    """
    return b.emit(rownorm.local_response_norm, x, size=size, alpha=alpha, beta=beta, k=k)


WORDS = (batchnorm, layernorm, rmsnorm, groupnorm, instancenorm, lrn)
