"""Losses of class labels and probabilities, and accuracy: one number for each row of a batch, then
their mean."""

from __future__ import annotations

from netdsl.ir.assumptions import agree
from netdsl.ir.dim import Dim
from netdsl.ir.graph import Value
from netdsl.ir.op import ShapeError
from netdsl.layers.arguments import (
    Axis,
    Count,
    Numbers,
    Real,
    Reduction,
    UnfitArgument,
    Weights,
    WholeOrNone,
)
from netdsl.layers.functions import from_front
from netdsl.layers.words import Site, function
from netdsl.ops import activation, constant, elementwise, indexing, layout, loss, reduction
from netdsl.ops.elementwise import Term

# ------------------------------------------------------------------ rows and their mean


def over_rows(b: Site, losses: Value, reduce: str) -> Value:
    """One loss of many: their mean, their sum, or (none) all of them."""
    if reduce == "none" or not losses.shape:
        return losses
    gathered = reduction.mean if reduce == "mean" else reduction.sum_
    return b.emit(gathered, losses, axes=tuple(range(losses.type.rank)))


def weighted(b: Site, losses: Value, share: Value, reduce: str) -> Value:
    """The same, but the mean is Σ losses / Σ share."""
    if reduce != "mean":
        return over_rows(b, losses, reduce)
    axes = tuple(range(losses.type.rank))
    above, below = (Term(b.emit, b.emit(reduction.sum_, x, axes=axes)) for x in (losses, share))
    return (above / below).value


def check_pair(x: Value, target: Value) -> None:
    """Raises ShapeError for a target that has not the shape of x and is not one number."""
    same = x.type.rank == target.type.rank and all(
        agree(m, n) for m, n in zip(x.shape, target.shape)
    )
    if target.shape and not same:
        raise ShapeError(f"{x.type} and the targets {target.type} differ", 0, 1)


# ------------------------------------------------------------------ labels and weights


def check_range(b: Site, label: Value, classes: Dim, axis: int, ignore: int | None = None) -> None:
    """Raises ShapeError where the labels are declared to go beyond the classes; binds an input of
    which nothing is said to 0..classes, and to `ignore`."""
    if not isinstance(classes, int):
        return
    inside = ignore is None or 0 <= ignore < classes
    wider = b.beyond(label, 0, classes, None if inside else ignore)
    if wider is not None:
        low, high = wider
        raise ShapeError(f"the labels lie in {low}..{high}, the logits are for {classes} classes",
                         0, 1, axes=((0, axis),),
                         suggestion=f"`in 0..{classes}` where the labels are declared, or a last "
                                    f"layer of {high}")


def counted(b: Site, label: Value, ignore: int | None) -> tuple[Term | None, Value]:
    """Where the labels are none to ignore (None: everywhere), and the labels with 0 for those."""
    if ignore is None:
        return None, label
    each = Term(b.emit, label)
    counts = each.equals(ignore).then(elementwise.logical_not)
    return counts, counts.choose(each, 0).value


def shares(
    b: Site, label: Value, weight: Value | None, ignore: int | None, dtype: str
) -> Value:
    """What each row counts: the weight of its class, 1 without weights, 0 where it is ignored."""
    counts, known = counted(b, label, ignore)
    if weight is None:
        return b.emit(elementwise.cast, counts.value, dtype=dtype)
    share = b.emit(indexing.gather, weight, known, axis=0)
    return share if counts is None else counts.choose(Term(b.emit, share), 0.0).value


def weights_of(b: Site, weight: Value | tuple | None, scores: Value, axis: int) -> Value | None:
    """The weights of the classes as a vector. Raises UnfitArgument for another number of them."""
    if weight is None:
        return None
    if not isinstance(weight, Value):
        weight = b.emit(constant.vector, values=weight, dtype=scores.dtype)
    classes = scores.shape[axis]
    if weight.type.rank != 1 or not agree(weight.shape[0], classes):
        raise UnfitArgument(
            "weight", f"the weights {weight.type} are not one for each of {classes} classes",
            f"a list of {classes} numbers")
    if weight.dtype != scores.dtype:
        raise UnfitArgument("weight", f"the weights {weight.type} and {scores.type} do not mix",
                            f"cast with `{scores.dtype}(…)`")
    return weight


def along(b: Site, vector: Value, axis: int, rank: int) -> Term:
    """A vector that broadcasts along one of `rank` axes."""
    shape = tuple(vector.shape[0] if i == axis else 1 for i in range(rank))
    return Term(b.emit, b.emit(layout.reshape, vector, shape=shape))


# ------------------------------------------------------------------ cross entropy


@function
def cross_entropy(
    b: Site, logits: Value, label: Value, *, axis: Axis = 1, smooth: Real = 0.0,
    reduce: Reduction = "mean", weight: Numbers = None, ignore: WholeOrNone = None,
) -> Value:
    """-log softmax(logits)[label], averaged over the rows.

        loss ce = cross_entropy(logits, label, smooth = 0.1)
        loss ce = cross_entropy(logits, label, weight = [1, 1, 5])
        loss ce = cross_entropy(logits, mask, ignore = 255)     # [B, C, H, W] and [B, H, W]

    `label` holds class numbers, or a distribution over the classes in the shape of the logits.
    `smooth` is label smoothing (Szegedy et al. 2015). `weight` is one number for each class, a list
    or a tensor: the mean is then divided by the sum of the weights that were met. Rows whose label
    is `ignore` do not count; where all are, the mean is NaN. `reduce` is mean, sum or none. All
    this as in PyTorch, whose `ignore_index` is -100 unless given; here nothing is.
    """
    if not 0 <= smooth <= 1:
        raise ShapeError(f"the smoothing {smooth} does not lie between 0 and 1")
    axis = from_front(axis, logits)
    vector = weights_of(b, weight, logits, axis)
    if label.type.is_float:
        if ignore is not None:
            raise ShapeError("`ignore` is a class number: distributions have none", 1)
        return of_distributions(b, logits, label, axis, smooth, reduce, vector)
    exact = smooth if vector is None else 0.0
    rows, _ = b.emit(loss.cross_entropy, logits, label, axis=axis, smooth=exact, ignore=ignore)
    check_range(b, label, logits.shape[axis], axis, ignore)
    if vector is None and (ignore is None or reduce != "mean"):
        return over_rows(b, rows, reduce)
    share = shares(b, label, vector, ignore, logits.dtype)
    if vector is None:
        return weighted(b, rows, share, reduce)
    losses = Term(b.emit, share) * Term(b.emit, rows)
    if smooth:
        even = smoothed(b, logits, vector, axis)
        counts, _ = counted(b, label, ignore)
        even = even if counts is None else counts.choose(even, 0.0)
        losses = (1 - smooth) * losses + smooth * even
    return weighted(b, losses.value, share, reduce)


def smoothed(b: Site, logits: Value, weight: Value, axis: int) -> Term:
    """-Σ w · log softmax(z) / C, what smoothing moves a row's loss towards."""
    scores = Term(b.emit, b.emit(reduction.log_softmax, logits, axis=axis))
    each = scores * along(b, weight, axis, logits.type.rank)
    return -Term(b.emit, b.emit(reduction.sum_, each.value, axes=(axis,))) / logits.shape[axis]


def of_distributions(
    b: Site, logits: Value, target: Value, axis: int, smooth: float, reduce: str,
    weight: Value | None,
) -> Value:
    """-Σ w · t · log softmax(z); the mean is that over the rows, whatever the weights."""
    check_pair(logits, target)
    if not target.shape:
        raise ShapeError(f"a distribution over {logits.shape[axis]} classes is needed", 1)
    share = Term(b.emit, target)
    if smooth:
        share = (1 - smooth) * share + smooth / Term(b.emit, target).number(logits.shape[axis])
    each = share * Term(b.emit, b.emit(reduction.log_softmax, logits, axis=axis))
    if weight is not None:
        each = each * along(b, weight, axis, logits.type.rank)
    rows = b.emit(reduction.sum_, each.value, axes=(axis,))
    return over_rows(b, (-Term(b.emit, rows)).value, reduce)


@function
def nll(
    b: Site, x: Value, label: Value, *, axis: Axis = 1, reduce: Reduction = "mean",
    weight: Numbers = None, ignore: WholeOrNone = None,
) -> Value:
    """-x[label], averaged over the rows: the negative log-likelihood, where x are logarithms of
    probabilities, as `log_softmax` gives them.

    `weight`, `ignore` and `reduce` as in `cross_entropy`.
    """
    axis = from_front(axis, x)
    vector = weights_of(b, weight, x, axis)
    check_range(b, label, x.shape[axis], axis, ignore)
    counts, known = counted(b, label, ignore)
    losses = -Term(b.emit, of_label(b, x, known, axis))
    if vector is None and counts is None:
        return over_rows(b, losses.value, reduce)
    share = shares(b, label, vector, ignore, x.dtype)
    if vector is not None:
        losses = losses * Term(b.emit, share)
    if counts is not None:
        losses = counts.choose(losses, 0.0)
    return weighted(b, losses.value, share, reduce)


def of_label(b: Site, x: Value, label: Value, axis: int) -> Value:
    """x[…, label[…], …]: without the axis."""
    order = (*(i for i in range(x.type.rank) if i != axis), axis)
    rows = x if axis == len(order) - 1 else b.emit(layout.transpose, x, axes=order)
    return b.emit(indexing.gather, rows, label, axis=len(order) - 1)


# ------------------------------------------------------------------ two classes


@function
def bce(b: Site, p: Value, target: Value, *, reduce: Reduction = "mean") -> Value:
    """Binary cross entropy of probabilities, -t · log p - (1 - t) · log(1 - p), averaged.

    `target` lies between 0 and 1 and has the shape of p, or is one number for all. Logarithms
    count as -100 at least, as in PyTorch, so that p = 0 and p = 1 give numbers; what does not lie
    between them is refused when it runs. `bce_logits` of what comes before the sigmoid is exact.
    """
    check_pair(p, target)
    return over_rows(b, b.emit(loss.bce, p, target), reduce)


@function
def bce_logits(
    b: Site, x: Value, target: Value, *, reduce: Reduction = "mean", pos_weight: Weights = None,
) -> Value:
    """Binary cross entropy of logits, -t · log σ(x) - (1 - t) · log(1 - σ(x)), averaged.

    `target` lies between 0 and 1 and has the shape of x, or is one number for all:
    `bce_logits(D(image), 1)`. `pos_weight` scales the first term: a number, or one for each place
    of the last axis (a list or a tensor), or a tensor that broadcasts. `reduce` is mean, sum or
    none.
    """
    check_pair(x, target)
    logits, share = Term(b.emit, x), Term(b.emit, target)
    if pos_weight is None:
        losses = logits.then(activation.softplus) - logits * share
        return over_rows(b, losses.value, reduce)
    # (1 - t)·x + (1 + (w - 1)·t)·log(1 + exp(-x))
    scale = pos_weight
    if not isinstance(pos_weight, float):
        if isinstance(pos_weight, tuple):
            pos_weight = b.emit(constant.vector, values=pos_weight, dtype=x.dtype)
        last = x.type.rank - 1
        scale = Term(b.emit, pos_weight)
        if pos_weight.type.rank == 1 and last > 0:
            scale = along(b, pos_weight, last, last + 1)
    losses = (1.0 - share) * logits + (
        1.0 + (scale - 1.0) * share) * (-logits).then(activation.softplus)
    return over_rows(b, losses.value, reduce)


# ------------------------------------------------------------------ accuracy


@function
def accuracy(
    b: Site, logits: Value, label: Value, *, axis: Axis = 1, top: Count = 1,
    ignore: WholeOrNone = None,
) -> Value:
    """The share of rows whose largest logit, or with `top` one of so many, is the label's.

    Rows whose label is `ignore` do not count; where all are, it is 0. `netdsl evaluate` prints
    which classes are taken for which.
    """
    axis = from_front(axis, logits)
    classes = logits.shape[axis]
    if isinstance(classes, int) and top > classes:
        raise ShapeError(f"`top` is {top}: there are {classes} classes", 0, axes=((0, axis),),
                         suggestion=f"`top = {max(classes // 2, 1)}`")
    counts, known = counted(b, label, ignore)
    right = hits(b, logits, known, axis, top)
    right = right if counts is None else right & counts
    number = Term(b.emit, b.emit(elementwise.cast, right.value, dtype="f32"))
    axes = tuple(range(label.type.rank))
    if counts is None:
        return b.emit(reduction.mean, number.value, axes=axes)
    met = b.emit(elementwise.cast, counts.value, dtype="f32")
    total, met = (Term(b.emit, b.emit(reduction.sum_, x, axes=axes)) for x in (number.value, met))
    return (total / Term(b.emit, b.emit(elementwise.maximum, met.value, met.number(1.0).value))
            ).value


def hits(b: Site, logits: Value, label: Value, axis: int, top: int) -> Term:
    """The rows in which the label's logit is the largest, the first of equals; or in which fewer
    than `top` are larger."""
    if top == 1:
        guess = b.emit(reduction.argmax, logits, axis=axis)
        if label.dtype == "i32":
            guess = b.emit(elementwise.cast, guess, dtype="i32")
        return Term(b.emit, guess).equals(Term(b.emit, label))
    chosen = of_label(b, logits, label, axis)
    shape = (*chosen.shape[:axis], 1, *chosen.shape[axis:])
    wide = b.emit(layout.reshape, chosen, shape=shape)
    larger = b.emit(elementwise.cast, b.emit(elementwise.greater, logits, wide), dtype="f32")
    return Term(b.emit, b.emit(reduction.sum_, larger, axes=(axis,))) < float(top)


WORDS = (cross_entropy, nll, bce, bce_logits, accuracy)
