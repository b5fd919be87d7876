"""Functions that work over spatial windows without parameters: pools, global and adaptive ones,
and resizing."""

from __future__ import annotations

from math import fsum

from netdsl.ir.assumptions import known
from netdsl.ir.graph import Value
from netdsl.ir.op import Op, RankError, ShapeError
from netdsl.layers.arguments import Count, Flag, Paddings, Sizes, Taps
from netdsl.layers.windows import spatial, spatial_axes, window
from netdsl.layers.words import Site, function
from netdsl.ops import constant, elementwise, layout, pool, reduction
from netdsl.ops import conv as conv_ops
from netdsl.ops.elementwise import Term

# ------------------------------------------------------------------ windows


def pool_window(x: Value, k, stride, pad, dilation) -> dict[str, tuple]:
    return window(x, k, k if stride is None else stride, pad, dilation)


@function
def maxpool(
    b: Site, x: Value, *, k: Sizes, stride: Sizes = None, pad: Paddings = 0,
    dilation: Sizes = 1, ceil: Flag = False,
) -> Value:
    """The largest element of each window of size `k`; the stride is `k` unless given.

    Padding never wins. `pad = same` leaves ⌈n / stride⌉ places. `ceil` lets a last, partial window
    count if it starts before the end of the input, as PyTorch's `ceil_mode` does. Of equal
    elements the first gets the gradient.
    """
    where = pool_window(x, k, stride, pad, dilation)
    return b.emit(pool.max_pool, x, ceil=ceil, **where)


@function
def avgpool(
    b: Site, x: Value, *, k: Sizes, stride: Sizes = None, pad: Paddings = 0, dilation: Sizes = 1,
    ceil: Flag = False, count_pad: Flag = True,
) -> Value:
    """The average of each window of size `k`; the stride is `k` unless given.

    Padding counts as zeros unless `count_pad = false`. `pad = same` and `ceil` as in `maxpool`;
    what a last window has beyond the padding never counts.
    """
    where = pool_window(x, k, stride, pad, dilation)
    return b.emit(pool.average_pool, x, ceil=ceil, count_pad=count_pad, **where)


@function
def lppool(
    b: Site, x: Value, *, k: Sizes, p: Count = 2, stride: Sizes = None, pad: Paddings = 0,
    dilation: Sizes = 1, ceil: Flag = False,
) -> Value:
    """The p-norm (Σ |x|ᵖ)^(1/p) of each window of size `k`; the stride is `k` unless given.

    1 sums sizes, 2 is Euclid's norm, large p come near `maxpool`. Padding counts as zeros; `pad =
    same` and `ceil` as in `maxpool`. As ONNX's LpPool; PyTorch's leaves out the |…|, which matters
    for an odd p, and scales a partial window up to a full one.
    """
    where = pool_window(x, k, stride, pad, dilation)
    return b.emit(pool.lp_pool, x, ceil=ceil, p=p, **where)


@function
def blurpool(
    b: Site, x: Value, *, weights: Taps = (1, 2, 1), stride: Sizes = 2,
    pad: Paddings = None,
) -> Value:
    """The weighted average of each window, by fixed weights that are the same along every spatial
    axis: blur pooling (Zhang 2019), which makes smaller without aliasing.

        x -> maxpool(2, stride = 1) -> blurpool          # in place of maxpool(2)

    [1, 2, 1] weighs a square by the products 1 2 1, 2 4 2, 1 2 1 over 16. A window lies around its
    place unless `pad` is given, so that n places become ⌈n / stride⌉. Where it reaches beyond the
    border, the weights within count.
    """
    axes, k = spatial_axes(x), len(weights)
    around = (((k - 1) // 2, k // 2),) * axes
    where = window(x, k, stride, around if pad is None else pad)
    blurred = weighted(b, x, weights, where)
    if not any(map(any, where["pads"])):
        return blurred
    ones = b.emit(constant.full, value=1.0, shape=(1, 1, *x.shape[2:]), dtype=x.dtype)
    return b.emit(elementwise.divide, blurred, weighted(b, ones, weights, where))


def weighted(b: Site, x: Value, weights: tuple[float, ...], where: dict[str, tuple]) -> Value:
    """The weighted averages of windows, axis by axis; padding counts as zeros. Every channel is
    an image of its own."""
    axes = len(where["kernel"])
    y = b.emit(layout.reshape, x, shape=(x.shape[0] * x.shape[1], 1, *x.shape[2:]))
    for i in range(axes):
        shape = tuple(len(weights) if axis == i + 2 else 1 for axis in range(axes + 2))
        kernel = row_of(b, weights, shape, x.dtype)
        y = b.emit(
            conv_ops.conv, y, kernel, None, dilation=(1,) * axes,
            stride=tuple(step if axis == i else 1 for axis, step in enumerate(where["stride"])),
            pads=tuple(pair if axis == i else (0, 0) for axis, pair in enumerate(where["pads"])),
        )
    return b.emit(layout.reshape, y, shape=(*x.shape[:2], *y.shape[2:]))


def row_of(b: Site, weights: tuple[float, ...], shape: tuple, dtype: str) -> Value:
    """The weights, their sum scaled to 1, under a shape."""
    total = fsum(weights)
    row = b.emit(constant.vector, values=tuple(w / total for w in weights), dtype=dtype)
    return b.emit(layout.reshape, row, shape=shape)


# ------------------------------------------------------------------ global


def all_places(x: Value) -> tuple[int, ...]:
    """The spatial axes. Raises RankError where there are none."""
    if x.type.rank < 3:
        raise RankError(f"needs [N, C, …] with spatial axes, not rank {x.type.rank}", 0)
    return tuple(range(2, x.type.rank))


@function
def global_avgpool(b: Site, x: Value) -> Value:
    """The mean over all spatial axes: [N, C, …] gives [N, C]."""
    return b.emit(reduction.mean, x, axes=all_places(x))


@function
def global_maxpool(b: Site, x: Value) -> Value:
    """The largest element over all spatial axes: [N, C, …] gives [N, C]. Equal ones share the
    gradient evenly."""
    return b.emit(reduction.max_, x, axes=all_places(x))


@function
def global_lppool(b: Site, x: Value, *, p: Count = 2) -> Value:
    """The p-norm (Σ |x|ᵖ)^(1/p) over all spatial axes: [N, C, …] gives [N, C]. Where all elements
    are 0, so is the gradient."""
    size = Term(b.emit, b.emit(elementwise.abs_, x))
    total = b.emit(reduction.sum_, (size ** float(p)).value, axes=all_places(x))
    above = Term(b.emit, total) > 0.0
    root = above.choose(Term(b.emit, total), 1.0) ** (1 / p)
    return above.choose(root, 0.0).value


# ------------------------------------------------------------------ to given sizes


@function
def adaptive_avgpool(b: Site, x: Value, *, size: Sizes) -> Value:
    """Averages of [N, C, …] that leave `size` places on each spatial axis, whatever was there.

    Place i of m averages the elements ⌊i · n / m⌋ to ⌈(i + 1) · n / m⌉ of n, as in PyTorch: even
    windows where m divides n, else windows that overlap by one.
    """
    return adapted(b, x, size, reduction.mean)


@function
def adaptive_maxpool(b: Site, x: Value, *, size: Sizes) -> Value:
    """The largest elements of [N, C, …], of windows as in `adaptive_avgpool`: `size` places are
    left on each spatial axis. Equal ones share the gradient evenly."""
    return adapted(b, x, size, reduction.max_)


def adapted(b: Site, x: Value, size: int | tuple, op: Op) -> Value:
    for axis, places in enumerate(spatial(x, size=size), 2):
        if x.shape[axis] != places:
            x = brought_down(b, x, axis, places, op)
    return x


def brought_down(b: Site, x: Value, axis: int, places: int, op: Op) -> Value:
    """x with one axis brought to so many places by a reduction."""
    n = x.shape[axis]
    if places == 1:
        return b.emit(op, x, axes=(axis,), keep=True)
    if known(n % places, "==", 0):
        shape = (*x.shape[:axis], places, n // places, *x.shape[axis + 1 :])
        return b.emit(op, b.emit(layout.reshape, x, shape=shape), axes=(axis + 1,))
    if not isinstance(n, int):
        raise ShapeError(
            f"axis {axis} is {n}: whether {places} divides it is not known", 0, axes=((0, axis),),
            suggestion=f"`assert {n} % {places} == 0 else \"…\"` above it",
        )
    parts = (
        b.emit(layout.slice_, x, axis=axis, start=i * n // places, stop=-(-(i + 1) * n // places))
        for i in range(places)
    )
    reduced = [b.emit(op, part, axes=(axis,), keep=True) for part in parts]
    return b.emit(layout.concat, *reduced, axis=axis)


@function
def resize(b: Site, x: Value, *, scale: Sizes) -> Value:
    """Every place of [N, C, …] repeated `scale` times on each spatial axis: nearest neighbour."""
    times = spatial(x, scale=scale)
    apart = tuple(part for n in x.shape[2:] for part in (n, 1))
    wide = tuple(part for pair in zip(x.shape[2:], times) for part in pair)
    whole = tuple(n * more for n, more in zip(x.shape[2:], times))
    x = b.emit(layout.reshape, x, shape=(*x.shape[:2], *apart))
    x = b.emit(reduction.expand, x, shape=(*x.shape[:2], *wide))
    return b.emit(layout.reshape, x, shape=(*x.shape[:2], *whole))


WORDS = (
    maxpool, avgpool, lppool, blurpool, global_avgpool, global_maxpool, global_lppool,
    adaptive_avgpool, adaptive_maxpool, resize,
)
