"""Functions of the language that are more than one op, or whose arguments read differently."""

from __future__ import annotations

from netdsl.ir.assumptions import agree
from netdsl.ir.dim import size
from netdsl.ir.graph import Value
from netdsl.ir.op import RankError, ShapeError
from netdsl.ir.tensor import show_shape
from netdsl.layers.arguments import Axes, Axis, Hole, OpenShape, Real, RealOrNone, Shape, Size
from netdsl.layers.words import Place, Site, function
from netdsl.ops import activation, indexing, layout, random, reduction


def from_front(axis: int, x: Value) -> int:
    """An axis counted from the front. Raises ShapeError when x does not have it."""
    return reduction.checked_axes((axis,), x.type)[0]


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
def pad(b: Site, x: Value, *, axis: Axis, before: Size = 0, after: Size = 0) -> Value:
    """Zeros in front of an axis and behind it.

        pad(x, axis = 1, after = 16)        # [N, 16, H, W] gives [N, 32, H, W]
    """
    return b.emit(layout.pad, x, axis=from_front(axis, x), before=before, after=after)


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


# ------------------------------------------------------------------ elements


@function
def clip(b: Site, x: Value, *, low: RealOrNone = None, high: RealOrNone = None) -> Value:
    """x where it lies between `low` and `high`, else the nearer of them; one of them may be left
    out. Its slope at both bounds is 1, as that of PyTorch's clamp."""
    if low is None and high is None:
        raise ShapeError("needs a bound: `low`, `high` or both")
    activation.check_bounds(low, high)
    if not x.type.is_float and any(bound is not None and bound % 1 for bound in (low, high)):
        raise ShapeError(f"the bounds of {x.type} must be whole numbers", 0)
    return b.emit(activation.clip, x, low=low, high=high)


# ------------------------------------------------------------------ regularisation


@function
def dropout(b: Site, x: Value, *, p: Real) -> Value:
    """In training, zeroes each element with probability `p` and divides the rest by 1 - p; in
    inference, x itself (Srivastava et al. 2014, inverted)."""
    return b.emit(random.dropout, x, b.key(), p=p, stream=b.stream())[0] if p else x


WORDS = (flatten, reshape, transpose, concat, pad, expand, gather, write, clip, dropout)
