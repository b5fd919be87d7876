"""Functions that give tensors other axes: rearrange, einsum, split, stack, flip. They become
reshapes, transposes, slices and products; only flip is an operation of its own."""

from __future__ import annotations

from collections.abc import Mapping

from netdsl.ir.assumptions import agree
from netdsl.ir.dim import Dim, size
from netdsl.ir.graph import Value
from netdsl.ir.op import ShapeError
from netdsl.layers.arguments import Axes, Axis, Count, Length
from netdsl.layers.functions import from_front
from netdsl.layers.patterns import (
    BadPattern,
    ContractionOf,
    Group,
    Rearrangement,
    RearrangementOf,
    Token,
)
from netdsl.layers.words import Site, function
from netdsl.ops import elementwise, layout, matmul, reduction


def reshaped(b: Site, x: Value, shape: tuple[Dim, ...]) -> Value:
    return x if x.shape == shape else b.emit(layout.reshape, x, shape=shape)


def reordered(b: Site, x: Value, axes: tuple[int, ...]) -> Value:
    return x if axes == tuple(range(len(axes))) else b.emit(layout.transpose, x, axes=axes)


# ------------------------------------------------------------------ rearrange


@function
def rearrange(b: Site, x: Value, /, *, pattern: RearrangementOf, **lengths: Length) -> Value:
    """Axes named, split, joined and reordered, as einops writes it (Rogozhnikov 2022).

        rearrange(x, "b l (h d) -> b h l d", h = heads)       # split an axis, move a part
        rearrange(x, "b c h w -> b (h w) c")                  # join two
        rearrange(x, "b c (h p) (w q) -> b (h w) (p q c)", p = 16, q = 16)

    The left side names the axes of x, one word or one pair of parentheses for each; the right
    side says how they lie in the result. Names in parentheses are parts of one axis, the last
    one moving fastest. In each split all lengths but one are given. `1` is an axis of size 1.
    Every axis of the left stands on the right, once.
    """
    sizes = axis_sizes(pattern, x.shape, lengths)

    def sizes_of(group: Group) -> tuple[Dim, ...]:
        return tuple(sizes[name] for name in group.names)

    apart = tuple(sizes[name] for name in pattern.names)
    place = {name: i for i, name in enumerate(pattern.names)}
    order = tuple(place[name] for group in pattern.right for name in group.names)
    split = reordered(b, reshaped(b, x, apart), order)
    return reshaped(b, split, tuple(size(sizes_of(group)) for group in pattern.right))


def axis_sizes(
    pattern: Rearrangement, shape: tuple[Dim, ...], lengths: Mapping[str, Dim]
) -> dict[str, Dim]:
    """The size of every named axis. Raises BadPattern."""
    for name in lengths:
        if name not in pattern.names:
            raise BadPattern("", 0, 0, argument=name)
    if len(pattern.left) != len(shape):
        start, stop = 0, pattern.text.index("->")
        raise BadPattern(f"the left side has {len(pattern.left)} axes, the tensor {len(shape)}",
                         start, len(pattern.text[:stop].rstrip()), misfit=True)
    sizes = dict(lengths)
    for group, whole in zip(pattern.left, shape):
        open_ = [name for name in group.names if name not in sizes]
        if len(open_) > 1:
            named = " or ".join(f"`{name} = …`" for name in open_)
            raise group.wrong(f"how {whole} is split needs all lengths but one", f"give {named}")
        known = size(tuple(sizes[name] for name in group.names if name in sizes))
        part = whole // known
        if not agree(part * known if open_ else known, whole):
            verb = f"does not divide into parts of {known}" if open_ else f"is not {known}"
            raise group.wrong(f"this axis is {whole}, which {verb}")
        sizes |= {name: part for name in open_}
    return sizes


# ------------------------------------------------------------------ einsum


@function
def einsum(b: Site, *xs: Value, pattern: ContractionOf) -> Value:
    """A sum of products over named axes.

        einsum("b h l e, b h s e -> b h l s", q, k)           # q kᵀ for each head
        einsum("b d, b k d -> b k", c, v)                     # c against k vectors
        einsum("i j -> j", x)                                 # the sum over i

    Axes that the result does not name are summed over. An axis has one size wherever it is named.
    Operands are taken from left to right, two at a time; each pair is a matrix product, or a
    product element by element where nothing is summed.
    """
    if len(xs) != len(pattern.operands):
        raise BadPattern(f"the pattern names {len(pattern.operands)} operands; given: {len(xs)}", 0,
                         len(pattern.text), misfit=True)
    sizes = contraction_sizes(pattern.operands, xs)
    result = tuple(token.text for token in pattern.result)
    names = [tuple(token.text for token in tokens) for tokens in pattern.operands]
    total, have = None, ()
    for i, (x, axes) in enumerate(zip(xs, names)):
        wanted = {*result, *(name for later in names[i + 1 :] for name in later)}
        x, axes = summed(b, x, axes, wanted | set(have))
        total, have = (x, axes) if total is None else pair(b, total, have, x, axes, wanted, sizes)
    total, have = summed(b, total, have, set(result))
    return reordered(b, total, tuple(have.index(name) for name in result))


def spaced(tokens: tuple[Token, ...], rank: int) -> str | None:
    """The way out for `bchw`, one long name where an axis for each letter is meant."""
    letters = "".join(token.text for token in tokens)
    is_meant = len(tokens) == 1 and letters.isalpha() and len(letters) == rank
    return f"`{' '.join(letters)}`: a space stands between axes" if is_meant else None


def contraction_sizes(operands: tuple[tuple[Token, ...], ...], xs: tuple[Value, ...]):
    """The size of every axis. Raises BadPattern where two of one name differ."""
    sizes: dict[str, Dim] = {}
    for tokens, x in zip(operands, xs):
        if len(tokens) != x.type.rank:
            start, stop = (tokens[0].start, tokens[-1].stop) if tokens else (0, 0)
            raise BadPattern(f"{len(tokens)} axes are named, the tensor {x.type} has "
                             f"{x.type.rank}", start, stop, True, spaced(tokens, x.type.rank))
        for token, dim in zip(tokens, x.shape):
            if not agree(sizes.setdefault(token.text, dim), dim):
                raise token.wrong(f"`{token.text}` is {dim} here and {sizes[token.text]} before",
                                  misfit=True)
    return sizes


def summed(b: Site, x: Value, axes: tuple[str, ...], wanted: set[str]):
    """x and its axes after a sum over those that nothing else needs."""
    gone = tuple(i for i, name in enumerate(axes) if name not in wanted)
    if gone:
        x = b.emit(reduction.sum_, x, axes=gone)
    return x, tuple(name for name in axes if name in wanted)


def pair(
    b: Site, x: Value, x_axes: tuple[str, ...], y: Value, y_axes: tuple[str, ...],
    wanted: set[str], sizes: Mapping[str, Dim],
) -> tuple[Value, tuple[str, ...]]:
    """The product of two operands, summed over the axes that both have and nothing else needs."""
    both = [name for name in x_axes if name in y_axes]
    batch, over = ([n for n in both if (n in wanted) is keep] for keep in (True, False))
    left = [name for name in x_axes if name not in both]
    right = [name for name in y_axes if name not in both]

    def arranged(z: Value, axes: tuple[str, ...], order: list[str], *shape: Dim) -> Value:
        z = reordered(b, z, tuple(axes.index(name) for name in order))
        return reshaped(b, z, (*(sizes[name] for name in batch), *shape))

    def of(names: list[str]) -> tuple[Dim, ...]:
        return tuple(sizes[name] for name in names)

    if over:
        rows, inner, columns = size(of(left)), size(of(over)), size(of(right))
        product = b.emit(matmul.matmul, arranged(x, x_axes, batch + left + over, rows, inner),
                         arranged(y, y_axes, batch + over + right, inner, columns))
    else:
        product = b.emit(
            elementwise.multiply,
            arranged(x, x_axes, batch + left, *of(left), *(1,) * len(right)),
            arranged(y, y_axes, batch + right, *(1,) * len(left), *of(right)),
        )
    return reshaped(b, product, of(batch + left + right)), (*batch, *left, *right)


# ------------------------------------------------------------------ split and stack


@function
def split(b: Site, x: Value, *, n: Count, axis: Axis) -> tuple[Value, ...]:
    """x cut along an axis into `n` parts of one size: a tuple of them.

        q, k, v = split(x -> in_proj: linear{3 * d}, 3, axis = 2)
    """
    axis = from_front(axis, x)
    whole = x.shape[axis]
    part = whole // n
    if not agree(part * n, whole):
        raise ShapeError(f"axis {axis} of {x.type} does not divide into {n} parts", 0,
                         axes=((0, axis),))
    return tuple(
        b.emit(layout.slice_, x, axis=axis, start=i * part, stop=(i + 1) * part)
        for i in range(n)
    )


@function
def stack(b: Site, *xs: Value, axis: Axis) -> Value:
    """Tensors of one shape along an axis that they do not have yet.

        stack(h, c, axis = 0)                   # two of [B, d] give [2, B, d]
    """
    if not xs:
        raise ShapeError("nothing to stack")
    first = xs[0]
    if not -first.type.rank - 1 <= axis <= first.type.rank:
        raise ShapeError(f"there is no place {axis} for an axis among {first.type.rank}", 0)
    axis %= first.type.rank + 1
    for i, x in enumerate(xs[1:], 1):
        if x.type.rank != first.type.rank or any(
            not agree(m, n) for m, n in zip(first.shape, x.shape)
        ):
            raise ShapeError(f"{first.type} and {x.type} differ", 0, i)
    wide = (b.emit(layout.reshape, x, shape=(*x.shape[:axis], 1, *x.shape[axis:])) for x in xs)
    return b.emit(layout.concat, *wide, axis=axis)


@function
def flip(b: Site, x: Value, *, axis: Axes) -> Value:
    """x with an axis, or several, read backwards."""
    return b.emit(layout.flip, x, axes=reduction.checked_axes(axis, x.type))


WORDS = (rearrange, einsum, split, stack, flip)
