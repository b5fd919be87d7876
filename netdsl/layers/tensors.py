"""Functions that make tensors out of sizes and numbers, and random draws."""

from __future__ import annotations

from fractions import Fraction

from netdsl.ir.dim import Dim
from netdsl.ir.graph import Value
from netdsl.ir.op import ShapeError
from netdsl.ir.tensor import FLOATS, INTEGERS
from netdsl.layers.arguments import (
    BadArgument,
    DTypeName,
    Length,
    Number,
    Shape,
    Size,
    WholeRange,
)
from netdsl.layers.words import Site, function
from netdsl.ops import constant, elementwise, layout, random


def filled(b: Site, value: float, shape: tuple[Dim, ...], dtype: str) -> Value:
    if dtype == "bool" and value not in (0, 1):
        raise BadArgument("of a bool tensor is 0 or 1")
    if dtype in INTEGERS and value != int(value):
        raise BadArgument(f"of {dtype} is no whole number")
    return b.emit(constant.full, value=value, shape=shape, dtype=dtype)


@function
def zeros(b: Site, *, shape: Shape, dtype: DTypeName = "f32") -> Value:
    """A tensor of zeros. Without a shape, `zeros()` is the initialiser.

        zeros([B], i64)
    """
    return filled(b, 0, shape, dtype)


@function
def ones(b: Site, *, shape: Shape, dtype: DTypeName = "f32") -> Value:
    """A tensor of ones. Without a shape, `ones()` is the initialiser."""
    return filled(b, 1, shape, dtype)


@function
def full(b: Site, *, shape: Shape, value: Number, dtype: DTypeName = "f32") -> Value:
    """A tensor of one number."""
    return filled(b, value, shape, dtype)


@function
def arange(b: Site, *, n: Size, dtype: DTypeName = "f32") -> Value:
    """The numbers 0, 1, …, n - 1; n may be a free dimension."""
    if dtype == "bool":
        raise BadArgument("cannot be bool: bool tensors do not count")
    return b.emit(constant.arange, count=n, dtype=dtype)


@function
def linspace(b: Site, *, start: Number, stop: Number, n: Length, dtype: DTypeName = "f32") -> Value:
    """`n` numbers in even steps from `start` to `stop`, both among them."""
    if dtype not in FLOATS or not isinstance(n, int):
        raise BadArgument("must be a float type" if isinstance(n, int) else f"is {n}: not known")
    exact = not isinstance(start, float) and not isinstance(stop, float)
    step = (Fraction(stop) - start if exact else stop - start) / max(n - 1, 1)
    return b.emit(constant.arange, count=n, start=start, step=float(step), dtype=dtype)


@function
def tril(b: Site, *, n: Size) -> Value:
    """bool[n, n], true on the diagonal and below it: what a causal mask lets through. Row i holds
    what place i may see, itself and those before it."""
    places = b.emit(constant.arange, count=n, dtype="i64")
    rows = b.emit(layout.reshape, places, shape=(n, 1))
    return b.emit(elementwise.greater_equal, rows, b.emit(layout.reshape, places, shape=(1, n)))


@function
def one_hot(b: Site, x: Value, *, n: Size, dtype: DTypeName = "f32") -> Value:
    """For each whole number of x a new last axis of size `n`: 1 at that place, 0 elsewhere. What
    is outside of 0..n becomes zeros alone."""
    if x.dtype not in INTEGERS:
        raise ShapeError(f"needs whole numbers, not {x.dtype}", 0)
    places = b.emit(constant.arange, count=n, dtype=x.dtype)
    row = b.emit(layout.reshape, places, shape=(*(1,) * x.type.rank, n))
    column = b.emit(layout.reshape, x, shape=(*x.shape, 1))
    return b.emit(elementwise.cast, b.emit(elementwise.equal, column, row), dtype=dtype)


# ------------------------------------------------------------------ draws


@function
def rand(b: Site, *, shape: Shape, dtype: DTypeName = "f32") -> Value:
    """Draws from [0, 1), each number as likely as another.

    Every place of the file that draws has a random stream of its own: the same seed gives the
    same numbers, whatever else draws. What the outputs need cannot be drawn: make it an input.
    """
    return draw(b, random.random_uniform, shape, dtype)


@function
def randn(b: Site, *, shape: Shape, dtype: DTypeName = "f32") -> Value:
    """Draws from the normal distribution of mean 0 and variance 1, from a random stream of this
    place's own (see `rand`).

        z = mu + exp(0.5 * logvar) * randn([B, z])
    """
    return draw(b, random.random_normal, shape, dtype)


def draw(b: Site, op, shape: tuple[Dim, ...], dtype: str) -> Value:
    if dtype not in FLOATS:
        raise BadArgument(f"cannot be {dtype}: draws are floats; `randint` draws whole numbers")
    return b.emit(op, b.key(), shape=shape, stream=b.stream(), dtype=dtype)


@function
def randint(b: Site, *, shape: Shape, range: WholeRange) -> Value:
    """Draws whole numbers (i64) of a range, each as likely as another, from a random stream of
    this place's own (see `rand`).

        s = randint([B], 0..T)
    """
    return b.emit(random.random_integers, b.key(), shape=shape, low=range.start, high=range.stop,
                  stream=b.stream())


@function
def categorical(b: Site, weights: Value, *, shape: Shape) -> Value:
    """Draws whole numbers 0..n in proportion to the n weights, from a random stream of this
    place's own (see `rand`). The weights need not add up to 1; no gradient flows into them.

        neg = categorical(freq ** 0.75, [B, k])
    """
    return b.emit(random.random_categorical, weights, b.key(), shape=shape, stream=b.stream())


WORDS = (zeros, ones, full, arange, linspace, tril, one_hot, rand, randn, randint, categorical)
