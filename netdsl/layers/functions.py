"""Functions of the language that are more than one op, or whose arguments read differently."""

from __future__ import annotations

from netdsl.ir.assumptions import agree
from netdsl.ir.dim import size
from netdsl.ir.graph import Value
from netdsl.ir.op import RankError, ShapeError
from netdsl.ir.tensor import show_shape
from netdsl.layers.arguments import (
    Axes,
    Axis,
    Flag,
    Hole,
    OpenShape,
    Paddings,
    Real,
    Shape,
    Sizes,
    spatial,
    spatial_pads,
)
from netdsl.layers.words import Place, Site, function
from netdsl.ops import constant, elementwise, indexing, layout, pool, random, reduction
from netdsl.ops.elementwise import Term


def from_front(axis: int, x: Value) -> int:
    """An axis counted from the front. Raises ShapeError when x does not have it."""
    return reduction.checked_axes((axis,), x.type)[0]


# ------------------------------------------------------------------ pooling


def pool_window(x: Value, k, stride, pad) -> dict:
    axes = x.type.rank - 2
    if axes not in (1, 2, 3):
        raise RankError(f"needs [N, C, …] with 1 to 3 spatial axes, not rank {x.type.rank}", 0)
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
        raise RankError(f"needs [N, C, …] with spatial axes, not rank {x.type.rank}", 0)
    return b.emit(reduction.mean, x, axes=tuple(range(2, x.type.rank)))


@function
def adaptive_avgpool(b: Site, x: Value, *, size: Sizes) -> Value:
    """Averages of [N, C, …] that leave `size` places on each spatial axis, whatever was there.

    Place i of m averages the elements ⌊i · n / m⌋ to ⌈(i + 1) · n / m⌉ of n, as in PyTorch: even
    windows where m divides n, else windows that overlap by one.
    """
    axes = x.type.rank - 2
    if axes not in (1, 2, 3):
        raise RankError(f"needs [N, C, …] with 1 to 3 spatial axes, not rank {x.type.rank}", 0)
    for axis, places in enumerate(spatial(size, axes), 2):
        x = averaged(b, x, axis, places)
    return x


def averaged(b: Site, x: Value, axis: int, places: int) -> Value:
    """x with one axis averaged down to so many places."""
    n = x.shape[axis]
    if n == places:
        return x
    if places == 1:
        return b.emit(reduction.mean, x, axes=(axis,), keep=True)
    if not isinstance(n, int):
        raise ShapeError(f"axis {axis} is {n}: only to one place is a free size averaged", 0)
    parts = (
        b.emit(layout.slice_, x, axis=axis, start=i * n // places, stop=-(-(i + 1) * n // places))
        for i in range(places)
    )
    means = [b.emit(reduction.mean, part, axes=(axis,), keep=True) for part in parts]
    return b.emit(layout.concat, *means, axis=axis)


@function
def resize(b: Site, x: Value, *, scale: Sizes) -> Value:
    """Every place of [N, C, …] repeated `scale` times on each spatial axis: nearest neighbour."""
    axes = x.type.rank - 2
    if axes not in (1, 2, 3):
        raise RankError(f"needs [N, C, …] with 1 to 3 spatial axes, not rank {x.type.rank}", 0)
    times = spatial(scale, axes)
    apart = tuple(part for n in x.shape[2:] for part in (n, 1))
    wide = tuple(part for pair in zip(x.shape[2:], times) for part in pair)
    whole = tuple(n * more for n, more in zip(x.shape[2:], times))
    x = b.emit(layout.reshape, x, shape=(*x.shape[:2], *apart))
    x = b.emit(reduction.expand, x, shape=(*x.shape[:2], *wide))
    return b.emit(layout.reshape, x, shape=(*x.shape[:2], *whole))


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
def reshape(b: Site, x: Value, *, shape: OpenShape) -> Value:
    """The same elements, in row-major order, under another shape.

    One `?` stands for the size that is left: of f32[B, 4, 5], `reshape(x, [B, ?])` is f32[B, 20].
    """
    holes = [axis for axis, dim in enumerate(shape) if isinstance(dim, Hole)]
    if not holes:
        return b.emit(layout.reshape, x, shape=shape)
    axis, others = holes[0], tuple(dim for dim in shape if not isinstance(dim, Hole))
    whole, rest = x.type.size, size(others)
    if len(holes) > 1 or rest == 0:
        raise ShapeError(f"{show_shape(shape)} leaves open which sizes are meant: one `?` is found")
    found = whole // rest
    if not agree(found * rest, whole):
        raise ShapeError(f"the {whole} elements of {x.type} do not fill {show_shape(shape)}", 0)
    y = b.emit(layout.reshape, x, shape=(*shape[:axis], found, *shape[axis + 1 :]))
    b.found(shape[axis], axis, found)
    return y


@function
def transpose(b: Site, x: Value, *, axes: Axes = None) -> Value:
    """Axes in another order; without `axes`, the last two swapped."""
    order = tuple(range(x.type.rank))
    if axes is None:
        if x.type.rank < 2:
            raise RankError(f"needs two axes to swap, not rank {x.type.rank}", 0)
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


@function
def gather(b: Site, x: Value, index: Place, *, axis: Axis) -> Value:
    """The elements of an axis that an index of whole numbers names.

        gather(table, index, axis = 0)      # [n, d] and [B, L] give [B, L, d]: rows of a table
        gather(x, order, axis = 1)          # [B, n, d] and [B, k] give [B, k, d]: for each row

    The axes before `axis` are the batch: x and the index share them, and each row of the batch
    is taken from by its own part of the index. What the index has behind them stands in the
    result where the axis stood. A number that is no place of the axis is refused when it runs.
    """
    axis = from_front(axis, x)
    size = x.shape[axis]
    wider = b.beyond(index, 0, size) if isinstance(size, int) else None
    if wider is not None:
        low, high = wider
        raise ShapeError(f"the index lies in {low}..{high}, axis {axis} has {size} places", 0, 1)
    return b.emit(indexing.gather, x, index, axis=axis)


@function
def write(b: Site, x: Value, value: Value, at: Place, *, axis: Axis) -> Value:
    """x with a stretch of an axis replaced by `value`, from the place `at` on.

        next queue = write(queue, transpose(k), axis = 1, at = head)

    `at` may be a tensor of one whole number. What does not fit is refused when it runs: nothing
    goes round the end.
    """
    return b.emit(indexing.write, x, value, at, axis=from_front(axis, x))


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
def logsumexp(b: Site, x: Value, *, axis: Axes = None, keep: Flag = False) -> Value:
    """log Σ exp(x) over an axis, several, or all, without its overflow."""
    return b.emit(reduction.logsumexp, x, axes=reduced_axes(x, axis), keep=keep)


@function
def cumsum(b: Site, x: Value, *, axis: Axis = -1) -> Value:
    """The running sum along an axis: y[i] = x[0] + … + x[i]."""
    return b.emit(reduction.cumsum, x, axis=from_front(axis, x))


@function
def cumprod(b: Site, x: Value, *, axis: Axis = -1) -> Value:
    """The running product along an axis: y[i] = x[0] · … · x[i]. Its gradient divides by x, so
    that x must hold no 0 where it is trained through."""
    return b.emit(reduction.cumprod, x, axis=from_front(axis, x))


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
    """The cosine of the angle between x and y along an axis: [B, d] and [B, d] give [B]."""
    axes = reduced_axes(x, axis if isinstance(axis, tuple) else (axis,))
    first, second = (Term(b.emit, l2norm.apply(b, side, axis=axes)) for side in (x, y))
    return b.emit(reduction.sum_, (first * second).value, axes=axes)


# ------------------------------------------------------------------ regularisation


@function
def dropout(b: Site, x: Value, *, p: Real) -> Value:
    """In training, zeroes each element with probability `p` and divides the rest by 1 - p; in
    inference, x itself (Srivastava et al. 2014, inverted)."""
    return b.emit(random.dropout, x, b.key(), p=p, stream=b.stream())[0] if p else x


WORDS = (
    maxpool, avgpool, global_avgpool, adaptive_avgpool, resize, flatten, reshape, transpose, concat,
    expand, gather, write, mean, sum_, max_, min_, logsumexp, cumsum, cumprod, l2norm, cosine,
    dropout,
)
