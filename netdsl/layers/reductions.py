"""Functions that reduce axes, run along them or order them."""

from __future__ import annotations

from netdsl.ir.assumptions import agree
from netdsl.ir.dim import size
from netdsl.ir.graph import Value
from netdsl.ir.op import ShapeError
from netdsl.layers.arguments import Axes, Axis, Count, Flag, Order, Whole
from netdsl.layers.functions import from_front
from netdsl.layers.words import Site, function
from netdsl.ops import constant, elementwise, indexing, layout, reduction, running
from netdsl.ops.elementwise import Term


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


@function
def max_(b: Site, x: Value, *, axis: Axes = None, keep: Flag = False) -> Value:
    """The largest element over an axis, several, or all; equal ones share the gradient evenly.
    Of known numbers, max(a, b, …) is the largest."""
    return b.emit(reduction.max_, x, axes=reduced_axes(x, axis), keep=keep)


@function
def min_(b: Site, x: Value, *, axis: Axes = None, keep: Flag = False) -> Value:
    """The smallest element over an axis, several, or all; equal ones share the gradient evenly.
    Of known numbers, min(a, b, …) is the smallest."""
    return b.emit(reduction.min_, x, axes=reduced_axes(x, axis), keep=keep)


@function
def prod(b: Site, x: Value, *, axis: Axes = None, keep: Flag = False) -> Value:
    """The product over an axis, several, or all. Its gradient is right for zeros too."""
    return b.emit(running.prod, x, axes=reduced_axes(x, axis), keep=keep)


@function
def var(
    b: Site, x: Value, *, axis: Axes = None, keep: Flag = False, correction: Whole = 1,
) -> Value:
    """The variance over an axis, several, or all: Σ (x - mean(x))² / (n - correction).

    The correction of 1 makes it unbiased, as in PyTorch; with 0 it is the mean square. Of no more
    elements than the correction there is none: refused, or NaN where only data tell how many.
    """
    axes, term = reduced_axes(x, axis), Term(b.emit, x)
    count = size(tuple(x.shape[i] for i in axes)) - correction
    if isinstance(count, int) and count <= 0:
        raise ShapeError(f"{count + correction} elements without the correction of {correction} "
                         "leave nothing to divide by", 0, suggestion="`correction = 0`")
    apart = term - Term(b.emit, b.emit(reduction.mean, x, axes=axes, keep=True))
    total = b.emit(reduction.sum_, apart.then(elementwise.square).value, axes=axes, keep=keep)
    return (Term(b.emit, total) / count).value


@function
def stddev(
    b: Site, x: Value, *, axis: Axes = None, keep: Flag = False, correction: Whole = 1,
) -> Value:
    """The standard deviation over an axis, several, or all: the square root of `var`.

    Where all elements are equal its gradient is 0, as in PyTorch. (`std` is the library.)
    """
    square = var.apply(b, x, axis=axis, keep=keep, correction=correction)
    return root(Term(b.emit, square), 0.5).value


def root(x: Term, power: float) -> Term:
    """x ** power, with the slope 0 where x is 0."""
    flat = x.equals(0.0)
    return flat.choose(0.0, flat.choose(1.0, x) ** power)


@function
def norm(
    b: Site, x: Value, *, p: Order = 2.0, axis: Axes = None, keep: Flag = False,
) -> Value:
    """The p-norm over an axis, several, or all: (Σ |x| ** p) ** (1 / p).

        norm(x, axis = 1)             # Euclidean
        norm(x, 1)                    # Σ |x|
        norm(x, "inf")                # the largest |x|; 0 counts what is not 0

    Its gradient is 0 for elements of 0, as PyTorch's; equal largest ones share it evenly.
    """
    axes, term = reduced_axes(x, axis), Term(b.emit, x)

    def over_axes(op, each: Term) -> Term:
        return Term(b.emit, b.emit(op, each.value, axes=axes, keep=keep))

    length = term.then(elementwise.abs_)
    if p == float("inf"):
        return over_axes(reduction.max_, length).value
    if p == 1:
        return over_axes(reduction.sum_, length).value
    if p == 2:
        return root(over_axes(reduction.sum_, term.then(elementwise.square)), 0.5).value
    if p == 0:
        return over_axes(reduction.sum_, (length > 0.0).choose(term.number(1.0), 0.0)).value
    return root(over_axes(reduction.sum_, root(length, p)), 1 / p).value


def counted(b: Site, x: Value, axis: tuple[int, ...] | None, keep: bool) -> Term:
    """How many elements of a bool tensor are true."""
    if x.dtype != "bool":
        raise ShapeError(f"needs a bool tensor, not {x.dtype}", 0,
                         suggestion="`x != 0` is where x is not 0")
    number = b.emit(elementwise.cast, x, dtype="i64")
    return Term(b.emit, b.emit(reduction.sum_, number, axes=reduced_axes(x, axis), keep=keep))


@function
def any_(b: Site, x: Value, *, axis: Axes = None, keep: Flag = False) -> Value:
    """Whether any element of a bool tensor is true, over an axis, several, or all."""
    return (counted(b, x, axis, keep) > 0).value


@function
def all_(b: Site, x: Value, *, axis: Axes = None, keep: Flag = False) -> Value:
    """Whether all elements of a bool tensor are true, over an axis, several, or all."""
    return counted(b, b.emit(elementwise.logical_not, x), axis, keep).equals(0).value


@function
def logsumexp(b: Site, x: Value, *, axis: Axes = None, keep: Flag = False) -> Value:
    """log Σ exp(x) over an axis, several, or all, without its overflow. Of -inf alone it is -inf,
    and has no gradient (NaN), as in PyTorch."""
    return b.emit(reduction.logsumexp, x, axes=reduced_axes(x, axis), keep=keep)


# ------------------------------------------------------------------ along an axis


@function
def cumsum(b: Site, x: Value, *, axis: Axis = -1) -> Value:
    """The running sum along an axis: y[i] = x[0] + … + x[i]."""
    return b.emit(running.cumsum, x, axis=from_front(axis, x))


@function
def cumprod(b: Site, x: Value, *, axis: Axis = -1) -> Value:
    """The running product along an axis: y[i] = x[0] · … · x[i]. Its gradient is right for zeros
    too."""
    return b.emit(running.cumprod, x, axis=from_front(axis, x))


@function
def top_k(b: Site, x: Value, *, k: Count, axis: Axis = -1) -> tuple[Value, Value]:
    """The k largest elements along an axis, largest first, and their places: two tensors.

        best, where = top_k(scores, 5)

    Of equal elements the earlier ones are taken.
    """
    axis = from_front(axis, x)
    length = x.shape[axis]
    if isinstance(length, int) and k > length:
        raise ShapeError(f"axis {axis} has {length} elements, fewer than {k}", 0, axes=((0, axis),))
    order = b.emit(indexing.argsort, x, axis=axis, descending=True)
    index = b.emit(layout.slice_, order, axis=axis, start=0, stop=k)
    return picked(b, x, index, axis), index


@function
def sort(b: Site, x: Value, *, axis: Axis = -1, descending: Flag = False) -> Value:
    """x in order along an axis, smallest first, or largest with `descending`."""
    axis = from_front(axis, x)
    order = b.emit(indexing.argsort, x, axis=axis, descending=descending)
    return picked(b, x, order, axis)


def picked(b: Site, x: Value, index: Value, axis: int) -> Value:
    """y[…, i, …] = x[…, index[…, i, …], …]: the two differ in the size of this axis alone."""
    last = x.type.rank - 1
    order = (*(i for i in range(last + 1) if i != axis), axis)
    if axis != last:
        x, index = (b.emit(layout.transpose, each, axes=order) for each in (x, index))
    y = b.emit(indexing.gather, x, index, axis=last)
    back = tuple(order.index(i) for i in range(last + 1))
    return y if axis == last else b.emit(layout.transpose, y, axes=back)


# ------------------------------------------------------------------ lengths and angles

SHORTEST = 1e-12  # a length that is not divided by, as in PyTorch's normalize


@function
def l2norm(b: Site, x: Value, *, axis: Axes) -> Value:
    """x divided by its Euclidean length along an axis (or several); a length below 1e-12 counts
    as 1e-12, so that zeros stay zeros."""
    axes, term = reduced_axes(x, axis), Term(b.emit, x)
    square = b.emit(reduction.sum_, (term * term).value, axes=axes, keep=True)
    least = b.emit(constant.full, value=SHORTEST**2, dtype=x.dtype)
    length = Term(b.emit, b.emit(elementwise.maximum, square, least)).then(elementwise.sqrt)
    return (term / length).value


@function
def cosine(b: Site, x: Value, y: Value, *, axis: Axes = -1) -> Value:
    """The cosine of the angle between x and y along an axis: [B, d] and [B, d] give [B].

    A length below 1e-12 counts as 1e-12: the cosine with a vector of zeros is 0, and its gradient
    there has a length of up to 1e12. (PyTorch's `cosine_similarity` takes 1e-8 for both.)
    """
    axes = reduced_axes(x, axis if isinstance(axis, tuple) else (axis,))
    for i in axes:  # one number against many would be no angle
        if x.type.rank == y.type.rank and not agree(x.shape[i], y.shape[i]):
            raise ShapeError(f"axis {i}: {x.shape[i]} and {y.shape[i]} differ", 0, 1,
                             axes=((0, i), (1, i)))
    first, second = (Term(b.emit, l2norm.apply(b, side, axis=axes)) for side in (x, y))
    return b.emit(reduction.sum_, (first * second).value, axes=axes)


WORDS = (
    mean, sum_, max_, min_, prod, var, stddev, norm, any_, all_, logsumexp, cumsum, cumprod, top_k,
    sort, l2norm, cosine,
)
