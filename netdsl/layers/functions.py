"""Functions of the language that are more than one op, or whose arguments read differently."""

from __future__ import annotations

from netdsl.ir.dim import size
from netdsl.ir.graph import Value
from netdsl.ir.op import ShapeError
from netdsl.layers.arguments import (
    Axes,
    Axis,
    Flag,
    Paddings,
    Real,
    Reduction,
    Shape,
    Sizes,
    spatial,
    spatial_pads,
)
from netdsl.layers.words import Site, function
from netdsl.ops import elementwise, layout, loss, pool, random, reduction


def from_front(axis: int, x: Value) -> int:
    """An axis counted from the front. Raises ShapeError when x does not have it."""
    return reduction.checked_axes((axis,), x.type)[0]


# ------------------------------------------------------------------ pooling


def pool_window(x: Value, k, stride, pad) -> dict:
    axes = x.type.rank - 2
    if axes not in (1, 2, 3):
        raise ShapeError(f"needs [N, C, …] with 1 to 3 spatial axes, not rank {x.type.rank}", 0)
    return {
        "kernel": spatial(k, axes), "stride": spatial(k if stride is None else stride, axes),
        "pads": spatial_pads(pad, axes),
    }


@function
def maxpool(
    b: Site, x: Value, *, k: Sizes, stride: Sizes = None, pad: Paddings = 0,
    dilation: Sizes = 1, ceil: Flag = False,
) -> Value:
    """The largest element of each window of size `k`; the stride is `k` unless given.

    Padding never wins. `ceil` lets a last, partial window count, as PyTorch's `ceil_mode` does.
    """
    return b.emit(pool.max_pool, x, dilation=spatial(dilation, x.type.rank - 2), ceil=ceil,
                  **pool_window(x, k, stride, pad))


@function
def avgpool(
    b: Site, x: Value, *, k: Sizes, stride: Sizes = None, pad: Paddings = 0, ceil: Flag = False,
    count_pad: Flag = True,
) -> Value:
    """The average of each window of size `k`; the stride is `k` unless given.

    Padding counts as zeros unless `count_pad = false`.
    """
    window = pool_window(x, k, stride, pad)
    return b.emit(pool.average_pool, x, dilation=(1,) * len(window["kernel"]), ceil=ceil,
                  count_pad=count_pad, **window)


@function
def global_avgpool(b: Site, x: Value) -> Value:
    """The mean over all spatial axes: [N, C, …] gives [N, C]."""
    if x.type.rank < 3:
        raise ShapeError(f"needs [N, C, …] with spatial axes, not rank {x.type.rank}", 0)
    return b.emit(reduction.mean, x, axes=tuple(range(2, x.type.rank)))


# ------------------------------------------------------------------ layout


@function
def flatten(b: Site, x: Value) -> Value:
    """All axes behind the first as one: [N, C, H, W] gives [N, C * H * W]."""
    if x.type.rank < 1:
        raise ShapeError("a scalar has no axis to keep", 0)
    if x.type.rank == 2:
        return x
    return b.emit(layout.reshape, x, shape=(x.shape[0], size(x.shape[1:])))


@function
def reshape(b: Site, x: Value, *, shape: Shape) -> Value:
    """The same elements, in row-major order, under another shape."""
    return b.emit(layout.reshape, x, shape=shape)


@function
def transpose(b: Site, x: Value, *, axes: Axes = None) -> Value:
    """Axes in another order; without `axes`, the last two swapped."""
    order = tuple(range(x.type.rank))
    if axes is None:
        if x.type.rank < 2:
            raise ShapeError(f"needs two axes to swap, not rank {x.type.rank}", 0)
        axes = (*order[:-2], order[-1], order[-2])
    return b.emit(layout.transpose, x, axes=tuple(from_front(axis, x) for axis in axes))


@function
def concat(b: Site, *xs: Value, axis: Axis) -> Value:
    """Tensors joined along one axis."""
    if not xs:
        raise ShapeError("nothing to concatenate")
    return b.emit(layout.concat, *xs, axis=from_front(axis, xs[0]))


@function
def expand(b: Site, x: Value, *, shape: Shape) -> Value:
    """x repeated along its axes of size 1 to the given shape of the same rank."""
    return b.emit(reduction.expand, x, shape=shape)


# ------------------------------------------------------------------ reductions


def reduced_axes(x: Value, axis: tuple[int, ...] | None) -> tuple[int, ...]:
    return tuple(range(x.type.rank)) if axis is None else reduction.checked_axes(axis, x.type)


@function
def mean(b: Site, x: Value, *, axis: Axes = None, keep: Flag = False) -> Value:
    """The mean over an axis, several, or all; `keep` leaves them in place with size 1."""
    return b.emit(reduction.mean, x, axes=reduced_axes(x, axis), keep=keep)


@function
def sum_(b: Site, x: Value, *, axis: Axes = None, keep: Flag = False) -> Value:
    """The sum over an axis, several, or all; `keep` leaves them in place with size 1."""
    return b.emit(reduction.sum_, x, axes=reduced_axes(x, axis), keep=keep)


# ------------------------------------------------------------------ regularisation


@function
def dropout(b: Site, x: Value, *, p: Real) -> Value:
    """In training, zeroes each element with probability `p` and divides the rest by 1 - p; in
    inference, x itself (Srivastava et al. 2014, inverted)."""
    return b.emit(random.dropout, x, b.key(), p=p, stream=b.stream())[0] if p else x


# ------------------------------------------------------------------ losses and metrics


@function
def cross_entropy(
    b: Site, logits: Value, label: Value, *, axis: Axis = 1, smooth: Real = 0.0,
    reduce: Reduction = "mean",
) -> Value:
    """-log softmax(logits)[label], averaged over the rows.

    `label` holds class numbers; `smooth` is label smoothing; `reduce` is mean, sum or none.
    """
    if not 0 <= smooth <= 1:
        raise ShapeError(f"the smoothing {smooth} does not lie between 0 and 1")
    axis = from_front(axis, logits)
    rows, _ = b.emit(loss.cross_entropy, logits, label, axis=axis, smooth=smooth)
    classes = logits.shape[axis]
    wider = b.beyond(label, 0, classes) if isinstance(classes, int) else None
    if wider is not None:
        low, high = wider
        raise ShapeError(f"the labels lie in {low}..{high}, the logits are for {classes} classes",
                         0, 1)
    if reduce == "none" or not rows.shape:
        return rows
    gather = reduction.mean if reduce == "mean" else reduction.sum_
    return b.emit(gather, rows, axes=tuple(range(rows.type.rank)))


@function
def accuracy(b: Site, logits: Value, label: Value, *, axis: Axis = 1) -> Value:
    """The share of rows whose largest logit is the label's."""
    guess = b.emit(reduction.argmax, logits, axis=from_front(axis, logits))
    if label.dtype == "i32":
        guess = b.emit(elementwise.cast, guess, dtype="i32")
    right = b.emit(elementwise.cast, b.emit(elementwise.equal, guess, label), dtype="f32")
    return b.emit(reduction.mean, right, axes=tuple(range(right.type.rank)))


WORDS = (
    maxpool, avgpool, global_avgpool, flatten, reshape, transpose, concat, expand, mean, sum_,
    dropout, cross_entropy, accuracy,
)
