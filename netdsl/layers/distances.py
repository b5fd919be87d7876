"""Losses between numbers and between vectors, each plain arithmetic."""

from __future__ import annotations

from netdsl.ir.graph import Value
from netdsl.ir.op import ShapeError
from netdsl.layers.arguments import Axis, Flag, Order, Real, Reduction, ReductionOrBatch
from netdsl.layers.losses import check_pair, over_rows
from netdsl.layers.reductions import cosine, norm
from netdsl.layers.words import Site, function
from netdsl.ops import activation, elementwise
from netdsl.ops.elementwise import Term


def apart(b: Site, x: Value, target: Value) -> Term:
    """x - target, of one shape, or with one number for all."""
    check_pair(x, target)
    return Term(b.emit, x) - Term(b.emit, target)


def above_zero(x: Term) -> Term:
    """max(x, 0) with the slope 1 at 0, as PyTorch's losses have it."""
    return Term(x.emit, x.emit(activation.clip, x.value, low=0.0))


# ------------------------------------------------------------------ numbers


@function
def mse(b: Site, x: Value, target: Value, *, reduce: Reduction = "mean") -> Value:
    """The squared difference (x - target)², averaged over all elements.

    `target` has the shape of x or is one number for all; `reduce` is mean, sum or none.
    """
    return over_rows(b, apart(b, x, target).then(elementwise.square).value, reduce)


@function
def l1(b: Site, x: Value, target: Value, *, reduce: Reduction = "mean") -> Value:
    """The absolute difference |x - target|, averaged over all elements; its slope at 0 is 0.

    `target` has the shape of x or is one number for all; `reduce` is mean, sum or none.
    """
    return over_rows(b, apart(b, x, target).then(elementwise.abs_).value, reduce)


@function
def huber(
    b: Site, x: Value, target: Value, *, delta: Real = 1.0, reduce: Reduction = "mean",
) -> Value:
    """Of d = x - target, d² / 2 where |d| is below `delta`, else delta · (|d| - delta / 2),
    averaged over all elements (Huber 1964).

    `target` has the shape of x or is one number for all; `reduce` is mean, sum or none.
    """
    if not delta > 0:
        raise ShapeError(f"`delta` must be above 0, not {delta:g}")
    return over_rows(b, bent(apart(b, x, target), delta).value, reduce)


def bent(d: Term, delta: float) -> Term:
    # c·(d - c/2), c the difference between -delta and delta
    near = Term(d.emit, d.emit(activation.clip, d.value, low=-delta, high=delta))
    return near * (d - 0.5 * near)


@function
def smooth_l1(
    b: Site, x: Value, target: Value, *, beta: Real = 1.0, reduce: Reduction = "mean",
) -> Value:
    """Of d = x - target, d² / (2 beta) where |d| is below `beta`, else |d| - beta / 2, averaged
    over all elements: huber / beta (Girshick 2015). With beta = 0 it is `l1`.

    `target` has the shape of x or is one number for all; `reduce` is mean, sum or none.
    """
    if beta < 0:
        raise ShapeError(f"`beta` must be at least 0, not {beta:g}")
    if beta == 0:
        return l1.apply(b, x, target, reduce=reduce)
    return over_rows(b, (bent(apart(b, x, target), beta) / beta).value, reduce)


@function
def hinge(
    b: Site, x: Value, target: Value, *, margin: Real = 1.0, reduce: Reduction = "mean",
) -> Value:
    """max(0, margin - target · x) for scores x and targets of -1 and 1, averaged over all elements.

    Its slope at the kink is that of the left side. `target` has the shape of x or is one number
    for all; `reduce` is mean, sum or none.
    """
    check_pair(x, target)
    losses = above_zero(margin - Term(b.emit, target) * Term(b.emit, x))
    return over_rows(b, losses.value, reduce)


@function
def kl_div(
    b: Site, x: Value, target: Value, *, log_target: Flag = False,
    reduce: ReductionOrBatch = "mean",
) -> Value:
    """The Kullback-Leibler divergence of `target` from x, target · (log target - x), where x are
    logarithms of probabilities, and so is the target with `log_target`.

        kl_div(log_softmax(logits, 1), softmax(teacher, 1), reduce = "batchmean")

    0 · log 0 is 0. As in PyTorch, the mean is that over all elements; "batchmean", the sum divided
    by the size of the first axis, is the divergence of a row; sum and none as everywhere.
    """
    check_pair(x, target)
    told, aim = Term(b.emit, x), Term(b.emit, target)
    if log_target:
        losses = aim.then(elementwise.exp) * (aim - told)
    else:
        nothing = aim.equals(0.0)
        logarithm = nothing.choose(1.0, aim).then(elementwise.log)
        losses = aim * logarithm - aim * told
    if reduce != "batchmean":
        return over_rows(b, losses.value, reduce)
    if not x.shape:
        raise ShapeError("one number has no batch to divide by", 0)
    return (Term(b.emit, over_rows(b, losses.value, "sum")) / x.shape[0]).value


# ------------------------------------------------------------------ vectors


@function
def cosine_embedding(
    b: Site, x: Value, y: Value, target: Value, *, margin: Real = 0.0, axis: Axis = -1,
    reduce: Reduction = "mean",
) -> Value:
    """1 - cosine(x, y) where the target is 1, max(0, cosine(x, y) - margin) where it is -1,
    averaged over the rows.

        loss pull = cosine_embedding(a, b, 1)                # [B, d] and [B, d]

    `target` holds one number for each row, [B], or is one for all. Its slope at the kink is 1;
    `reduce` is mean, sum or none.
    """
    check_pair(x, y)
    alike = Term(b.emit, cosine.apply(b, x, y, axis=axis))
    check_pair(alike.value, target)
    side = Term(b.emit, target)
    pushed = side.equals(-1).choose(above_zero(alike - margin), 0.0)
    return over_rows(b, side.equals(1).choose(1.0 - alike, pushed).value, reduce)


@function
def triplet_margin(
    b: Site, anchor: Value, positive: Value, negative: Value, *, margin: Real = 1.0,
    p: Order = 2.0, eps: Real = 1e-6, swap: Flag = False, reduce: Reduction = "mean",
) -> Value:
    """max(0, d(anchor, positive) - d(anchor, negative) + margin), averaged over the rows, with
    d(x, y) the `p`-norm of x - y + eps over the last axis (Schroff et al. 2015).

    With `swap` the smaller of d(anchor, negative) and d(positive, negative) counts (Balntas et al.
    2016). `reduce` is mean, sum or none.
    """
    check_pair(anchor, positive)
    check_pair(anchor, negative)

    def distance(x: Value, y: Value) -> Term:
        moved = Term(b.emit, x) - Term(b.emit, y) + eps
        return Term(b.emit, norm.apply(b, moved.value, p=p, axis=(-1,)))

    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        other = distance(positive, negative)
        far = Term(b.emit, b.emit(elementwise.minimum, far.value, other.value))
    return over_rows(b, above_zero(near - far + margin).value, reduce)


WORDS = (mse, l1, huber, smooth_l1, hinge, kl_div, cosine_embedding, triplet_margin)
