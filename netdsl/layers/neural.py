"""Layers that own parameters. Their parameters are named and shaped as in PyTorch."""

from __future__ import annotations

from dataclasses import replace

from netdsl.ir.graph import Initializer, Value
from netdsl.ir.op import ShapeError
from netdsl.layers.arguments import Count, Flag, Init
from netdsl.layers.words import Site, layer
from netdsl.ops import elementwise, indexing, layout, reduction
from netdsl.ops import matmul as matmul_ops
from netdsl.ops.elementwise import Term

ZEROS, ONES = Initializer("zeros"), Initializer("ones")


def fixed(x: Value, axis: int, what: str) -> int:
    """The size of an axis that parameters are shaped by. Raises ShapeError when it is free."""
    dim = x.shape[axis]
    if not isinstance(dim, int):
        raise ShapeError(
            f"{what} is {dim}: parameters cannot be shaped by a free dimension", 0,
            suggestion="give this axis a fixed size in the input's declaration",
            axes=((0, axis % x.type.rank),),
        )
    if dim == 0:
        raise ShapeError(f"{what} of {x.type} has no elements", 0, axes=((0, axis % x.type.rank),))
    return dim


@layer
def linear(
    b: Site, x: Value, *, c: Count, bias: Flag = True,
    init: Init = Initializer("lecun_uniform"),
) -> Value:
    """Every row of the last axis to `c` features: x Wᵀ + b.

    Parameters: weight [c, features of x] and, with `bias`, bias [c].
    """
    if x.type.rank < 1:
        raise ShapeError("a scalar has no axis to work on", 0)
    if x.type.rank > 2 and isinstance(x.shape[-1], int) and x.shape[-1] == x.shape[-2] == 1:
        raise ShapeError(f"it works on the last axis of {x.type}, which has size 1", 0,
                         suggestion="`-> flatten` first")
    weight = b.parameter("weight", (c, fixed(x, -1, "the last axis")), init)
    shift = b.parameter("bias", (c,), ZEROS) if bias else None
    return b.emit(matmul_ops.linear, x, weight, shift)


@layer
def weightnorm_linear(
    b: Site, x: Value, *, c: Count, bias: Flag = True, init: Init = Initializer("lecun_uniform")
) -> Value:
    """x Wᵀ + b over the last axis, each row of W of a length that is learnt apart from its
    direction: W = weight_g · weight_v / ‖weight_v‖ (Salimans & Kingma 2016).

    Parameters: weight_v [c, in], weight_g [c, 1], which begins as 1, and, with `bias`, bias [c].
    """
    if not x.type.rank:
        raise ShapeError("a scalar has no axis to work on", 0)
    v = Term(b.emit, b.parameter("weight_v", (c, fixed(x, -1, "the last axis")), init))
    g = Term(b.emit, b.parameter("weight_g", (c, 1), ONES))
    shift = b.parameter("bias", (c,), ZEROS) if bias else None
    square = Term(b.emit, b.emit(reduction.sum_, (v * v).value, axes=(1,), keep=True))
    return b.emit(matmul_ops.linear, x, (v * (g / square.then(elementwise.sqrt))).value, shift)


# ------------------------------------------------------------------ embedding, prelu


@layer
def embedding(
    b: Site, x: Value, *, n: Count, c: Count, init: Init = Initializer("normal", (0.0, 1.0))
) -> Value:
    """A vector of size `c` for each whole number 0..n: x [B, L] gives [B, L, c].

    A number outside is refused: when it is fed, or where an input declares its range. The table
    can be read by its path, to tie it: `transpose(wte.weight)`. Parameters: weight [n, c].
    """
    wider = b.beyond(x, 0, n)
    if wider is not None:
        low, high = wider
        raise ShapeError(f"the numbers lie in {low}..{high}, the table has {n} rows", 0)
    init = replace(init, fans=(1, c))  # a row is looked up: nothing is summed
    table = b.parameter("weight", (n, c), init)
    return b.emit(indexing.gather, table, x, axis=0)


@layer
def prelu(
    b: Site, x: Value, *, c: Count = 1, init: Init = Initializer("constant", (0.25,))
) -> Value:
    """x above 0, weight · x below: a relu whose lower slope is learnt (He et al. 2015).

    One slope, or with `c` one for each of the c channels of axis 1. Parameters: weight [c].
    """
    if c != 1 and (x.type.rank < 2 or x.shape[1] != c):
        raise ShapeError(f"{x.type} has no axis 1 of {c} channels", 0)
    weight = b.parameter("weight", (c,), init)
    if x.type.rank > 1:
        weight = b.emit(layout.reshape, weight, shape=(1, c, *(1,) * (x.type.rank - 2)))
    elif not x.type.rank:
        weight = b.emit(layout.reshape, weight, shape=())
    below, slope = Term(b.emit, x), Term(b.emit, weight)
    return (below > 0.0).choose(below, slope * below).value


WORDS = (linear, weightnorm_linear, embedding, prelu)
