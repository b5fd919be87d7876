"""Attention without parameters, out of products and a softmax."""

from __future__ import annotations

from math import sqrt

from netdsl.ir.graph import Value
from netdsl.ir.op import ShapeError
from netdsl.layers.arguments import Count, Flag
from netdsl.layers.neural import fixed
from netdsl.layers.patterns import rearrangement
from netdsl.layers.rearranging import rearrange
from netdsl.layers.tensors import tril
from netdsl.layers.words import Site, function
from netdsl.ops import constant, elementwise, layout, matmul, reduction
from netdsl.ops.elementwise import Term

UNSEEN = -1e9  # a score whose share of the softmax is 0


@function
def attend(
    b: Site, q: Value, k: Value, v: Value, mask: Value = None, *, heads: Count = 1,
    causal: Flag = False,
) -> Value:
    """softmax(q kᵀ / √e) v for each of several heads (Vaswani et al. 2017).

    q [B, L, d], k [B, S, d] and v [B, S, c] give [B, L, c]; a head has e = d / heads of the
    elements. `mask`, bool[B, S], tells which places of k and v are seen; with `causal`, place i
    sees none behind i. `std.Attention` has the projections of q, k and v besides.
    """
    for i, x in enumerate((q, k, v)):
        if x.type.rank != 3:
            raise ShapeError(f"needs [B, L, d], not {x.type}", i)
        if isinstance(x.shape[2], int) and x.shape[2] % heads:
            raise ShapeError(f"{heads} heads do not divide a last axis of {x.shape[2]}", i)
    width = fixed(q, 2, "the last axis")
    rows, columns = rearrangement("b l (h e) -> b h l e"), rearrangement("b l (h e) -> b h e l")
    together = rearrangement("b h l e -> b l (h e)")
    query, value = (rearrange.apply(b, x, pattern=rows, h=heads) for x in (q, v))
    key = rearrange.apply(b, k, pattern=columns, h=heads)
    scale = b.emit(constant.full, value=1 / sqrt(width // heads), dtype=q.dtype)
    scores = Term(b.emit, b.emit(matmul.matmul, query, key)) * Term(b.emit, scale)
    length, places = q.shape[1], k.shape[1]
    if mask is not None:
        scores = seen(b, mask, (mask.shape[0], 1, 1, places), scores)
    if causal:
        scores = seen(b, tril.apply(b, n=length), (1, 1, length, places), scores)
    shares = b.emit(reduction.softmax, scores.value, axis=3)
    return rearrange.apply(b, b.emit(matmul.matmul, shares, value), pattern=together)


def seen(b: Site, mask: Value, shape: tuple, scores: Term) -> Term:
    """The scores where the mask, under this shape, is true."""
    wide = b.emit(layout.reshape, mask, shape=shape)
    hidden = b.emit(constant.full, value=UNSEEN, dtype=scores.value.dtype)
    return Term(b.emit, b.emit(elementwise.where, wide, scores.value, hidden))


WORDS = (attend,)
