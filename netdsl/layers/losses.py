"""Losses and metrics: one number for each row of a batch, then their mean."""

from __future__ import annotations

from netdsl.ir.assumptions import agree
from netdsl.ir.graph import Value
from netdsl.ir.op import ShapeError
from netdsl.layers.arguments import Axis, Count, Real, Reduction
from netdsl.layers.functions import from_front
from netdsl.layers.words import Site, function
from netdsl.ops import activation, elementwise, indexing, layout, loss, reduction
from netdsl.ops.elementwise import Term


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
                         0, 1, axes=((0, axis),),
                         suggestion=f"`in 0..{classes}` where the labels are declared, or a last "
                                    f"layer of {high}")
    return over_rows(b, rows, reduce)


def over_rows(b: Site, losses: Value, reduce: str) -> Value:
    """One loss of many: their mean, their sum, or (none) all of them."""
    if reduce == "none" or not losses.shape:
        return losses
    gathered = reduction.mean if reduce == "mean" else reduction.sum_
    return b.emit(gathered, losses, axes=tuple(range(losses.type.rank)))


@function
def bce_logits(b: Site, x: Value, target: Value, *, reduce: Reduction = "mean") -> Value:
    """Binary cross entropy of logits, -t · log σ(x) - (1 - t) · log(1 - σ(x)), averaged.

    `target` lies between 0 and 1 and has the shape of x, or is one number for all:
    `bce_logits(D(image), 1)`. `reduce` is mean, sum or none.
    """
    same = x.type.rank == target.type.rank and all(
        agree(m, n) for m, n in zip(x.shape, target.shape)
    )
    if target.shape and not same:
        raise ShapeError(f"logits {x.type} and targets {target.type} differ", 0, 1)
    logits = Term(b.emit, x)
    losses = logits.then(activation.softplus) - logits * Term(b.emit, target)
    return over_rows(b, losses.value, reduce)


@function
def accuracy(b: Site, logits: Value, label: Value, *, axis: Axis = 1, top: Count = 1) -> Value:
    """The share of rows whose largest logit, or with `top` one of so many, is the label's."""
    if top > 1:
        return top_accuracy(b, logits, label, from_front(axis, logits), top)
    guess = b.emit(reduction.argmax, logits, axis=from_front(axis, logits))
    if label.dtype == "i32":
        guess = b.emit(elementwise.cast, guess, dtype="i32")
    right = b.emit(elementwise.cast, b.emit(elementwise.equal, guess, label), dtype="f32")
    return b.emit(reduction.mean, right, axes=tuple(range(right.type.rank)))


def top_accuracy(b: Site, logits: Value, label: Value, axis: int, top: int) -> Value:
    """The share of rows in which fewer than `top` logits are larger than the label's."""
    order = (*(i for i in range(logits.type.rank) if i != axis), axis)
    last = len(order) - 1
    rows = b.emit(layout.transpose, logits, axes=order)
    chosen = b.emit(indexing.gather, rows, label, axis=last)
    wide = b.emit(layout.reshape, chosen, shape=(*chosen.shape, 1))
    larger = b.emit(elementwise.cast, b.emit(elementwise.greater, rows, wide), dtype="f32")
    count = Term(b.emit, b.emit(reduction.sum_, larger, axes=(last,)))
    right = b.emit(elementwise.cast, (count < float(top)).value, dtype="f32")
    return b.emit(reduction.mean, right, axes=tuple(range(last)))


WORDS = (cross_entropy, bce_logits, accuracy)
